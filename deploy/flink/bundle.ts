/**
 * From a topology's TypeScript file to what the Flink job runs: its plan (plan.ts) and one script
 * with the topology, the language, and the engine's own code of stateless nodes, accumulators and
 * keys, so that both engines run one source.
 *
 * Invariants:
 * 1. The script is one IIFE of ES2022 without Node's built-ins, and leaves one global.
 * 2. It was evaluated once in a bare context before it is given back, and made the plan that is
 *    given back beside it.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import vm from 'node:vm';
import type { BuildFailure, Plugin } from 'esbuild';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { Plan } from '../../topology/index.ts';
import { validateTopology } from '../../topology/index.ts';
import { compiledFolder } from '../compiled-folder.ts';
import { loadTopologyFile } from '../host/topology-file.ts';
import type { FlinkPlan } from './plan.ts';
import { flinkPlan } from './plan.ts';

export interface FlinkBundle {
  readonly plan: FlinkPlan;
  /** The topology's own plan. */
  readonly source: Plan;
  /** `plan.json`, byte for byte. */
  readonly planText: string;
  /** `bundle.js`. */
  readonly bundle: string;
  /** SHA-256 of both, hexadecimal. */
  readonly digest: string;
}

/** The bundle's one global. */
const bundleGlobal = '__sluice';

/** How long the script may take to evaluate, in ms. */
const evaluateMaxMs = 10_000;

/**
 * Throws `SluiceError` `topology-compile`, `topology-load`, `topology-invalid`, `flink-unsupported`,
 * and `flink-bundle` for a topology that needs what a bare script engine does not have.
 */
export async function bundleForFlink(file: string): Promise<FlinkBundle> {
  const path = resolve(file);
  const { topology } = await loadTopologyFile(path);
  const problems = validateTopology(topology);
  if (problems.length > 0)
    throw new SluiceError(
      'topology-invalid',
      problems.map(({ node, message }) => `'${node}': ${message}`).join('\n'),
    );
  const plan = flinkPlan(topology);
  const planText = JSON.stringify(plan);
  const bundle = await bundleScript(
    `import topology from ${JSON.stringify(path)};\nexport default topology;`,
    dirname(path),
    basename(path),
  );
  requireSamePlan(bundle, planText, path);
  const digest = createHash('sha256').update(`${planText}\n${bundle}`).digest('hex');
  return { plan, source: topology.plan, planText, bundle, digest };
}

/**
 * One script around a module whose default export is a topology, or a function that makes one of
 * what it is given. `resolveDir`: from where the module imports.
 */
export async function bundleScript(
  contents: string,
  resolveDir: string,
  name: string,
): Promise<string> {
  const { build } = await import('esbuild');
  const entry = [
    `import ${JSON.stringify(ours('flink/runtime/globals'))};`,
    `import { bundledTopology } from ${JSON.stringify(ours('flink/runtime/runtime'))};`,
    `import topology from 'topology-module';`,
    'export const plan = typeof topology === "function" ? undefined : bundledTopology(topology).plan;',
    'export const open = (freezes) => bundledTopology(topology).open(freezes);',
    'export const openWith = (given, freezes) => bundledTopology(topology(given)).open(freezes);',
    'export const planWith = (given) => bundledTopology(topology(given)).plan;',
  ].join('\n');
  const module: Plugin = {
    name: 'topology-module',
    setup(plugin) {
      plugin.onResolve({ filter: /^topology-module$/ }, () => ({
        path: name,
        namespace: 'topology-module',
      }));
      plugin.onLoad({ filter: /.*/, namespace: 'topology-module' }, () => ({
        contents,
        resolveDir,
        loader: 'ts',
      }));
    },
  };
  const result = await build({
    stdin: { contents: entry, resolveDir, sourcefile: 'flink-entry.js' },
    bundle: true,
    write: false,
    format: 'iife',
    globalName: bundleGlobal,
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'es2022',
    charset: 'utf8',
    // Names stay: they are in messages.
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: 'silent',
    plugins: [module, languageOfBundle, operatorsOfBundle, builtinsOfBundle],
  }).catch((thrown: unknown) => {
    throw new SluiceError('topology-compile', compileMessage(name, thrown), { cause: thrown });
  });
  return result.outputFiles[0]?.text ?? '';
}

/** A module of this package: one a file, of which esbuild takes what is used. */
function ours(path: string): string {
  return join(compiledFolder, 'deploy', `${path}.js`);
}

/** What a topology imports of this package, by the name that it has there. */
const language: Readonly<Record<string, string>> = {
  sluice: '../topology/index',
  'sluice/enrich': '../enrich/index',
};

/** Of this package only what is used is taken: the engine around the language is not. */
const languageOfBundle: Plugin = {
  name: 'language-of-bundle',
  setup(plugin) {
    plugin.onResolve({ filter: /^sluice(\/.*)?$/ }, ({ path }) => {
      const found = language[path];
      if (found === undefined)
        return { errors: [{ text: `'${path}' is not there when a topology runs on Flink` }] };
      return { path: ours(found), sideEffects: false };
    });
    plugin.onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
      const at = resolve(resolveDir, path);
      const inside = ['topology', 'enrich', 'schemas'].some((room) =>
        at.startsWith(join(compiledFolder, room, '/')),
      );
      return inside && existsSync(at) ? { path: at, sideEffects: false } : undefined;
    });
  },
};

/** What the job's own operators (Java) stand for, and where state rests here. */
const replaced =
  /\/topology\/(?:operators\/(?:window|process|interval-join|deduplicate|union)\/(?:operator|whole-state)|state\/(?:digest|cold-digests|memory-records))\.[jt]s$/;

/** What the engine has in WebAssembly, which a bare script engine may not have. */
const withoutAssembly = /\/schemas\/json-check\.[jt]s$/;

/** They are not a part of the bundle: what they export are names that throw. */
const operatorsOfBundle: Plugin = {
  name: 'operators-of-bundle',
  setup(plugin) {
    plugin.onLoad({ filter: withoutAssembly }, () => ({
      contents: `export * from ${JSON.stringify(ours('flink/runtime/json-check'))};`,
      resolveDir: '/',
    }));
    plugin.onLoad({ filter: replaced }, ({ path }) => {
      const names = readFileSync(path, 'utf8').matchAll(/^export (?:class|const|function) (\w+)/gm);
      const thrown = `throw new Error('it runs as an operator of Flink');`;
      return {
        contents: [...names]
          .map(([, name]) => `export function ${name}() { ${thrown} }`)
          .join('\n'),
        loader: 'js',
      };
    });
  },
};

/**
 * Node's built-ins that the engine's modules name: digests and UTF-8 are our own code, all else is
 * not used by what runs in the job, and says so when it is.
 */
const builtinsOfBundle: Plugin = {
  name: 'builtins-of-bundle',
  setup(plugin) {
    plugin.onResolve({ filter: /^node:/ }, ({ path, importer }) =>
      importer.includes('/node_modules/') || importer === ''
        ? undefined
        : { path, namespace: 'node-built-in', sideEffects: false },
    );
    plugin.onLoad({ filter: /.*/, namespace: 'node-built-in' }, ({ path }) => ({
      contents:
        ownBuiltins[path] === undefined
          ? absent(path)
          : `export * from ${JSON.stringify(ours(ownBuiltins[path]))};`,
      resolveDir: '/',
    }));
  },
};

/** Our own code of what is used of them. */
const ownBuiltins: Readonly<Record<string, string>> = {
  'node:crypto': 'flink/runtime/digests',
  'node:buffer': 'flink/runtime/text-codec',
};

const absentNames: Readonly<Record<string, readonly string[]>> = {
  'node:zlib': ['deflateRawSync', 'inflateRaw', 'inflateRawSync', 'gunzipSync'],
  'node:path': ['join', 'resolve', 'dirname'],
  'node:fs': ['closeSync', 'constants', 'fstatSync', 'openSync', 'statSync', 'readFileSync'],
  'node:util': ['inspect'],
};

function absent(path: string): string {
  const names = absentNames[path] ?? [];
  const call = `() => { throw new Error(${JSON.stringify(`${path} is not there when a topology runs on Flink`)}); }`;
  const all = names.map((name) => `export const ${name} = ${call};`);
  // Called where modules are evaluated: what it makes says so when it is called.
  if (path === 'node:util') all.push('export const promisify = (call) => call;');
  return all.join('\n');
}

function requireSamePlan(bundle: string, planText: string, path: string): void {
  let made: unknown;
  try {
    // An empty context: no console, no process, no require.
    made = vm.runInNewContext(
      `delete globalThis.WebAssembly;${bundle};${bundleGlobal}.plan`,
      {},
      { timeout: evaluateMaxMs },
    );
  } catch (cause) {
    throw new SluiceError(
      'flink-bundle',
      `${path} cannot be evaluated without Node: ${messageOf(cause)}`,
      { cause, fix: 'use only the language and plain JavaScript in a topology' },
    );
  }
  if (made !== planText)
    throw new SluiceError(
      'flink-bundle',
      `${path} makes another plan each time that it is evaluated`,
      { fix: 'build the topology from constants: no time, no chance, no environment' },
    );
}

function compileMessage(name: string, thrown: unknown): string {
  const errors = (thrown as Partial<BuildFailure>).errors ?? [];
  if (errors.length === 0) return `${name}: ${messageOf(thrown)}`;
  return errors
    .map(({ location, text }) =>
      location === null
        ? text
        : `${location.file}:${location.line}:${location.column + 1}: ${text}`,
    )
    .join('\n');
}

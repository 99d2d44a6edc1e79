/**
 * From a topology's TypeScript file to a script that a worker can import: bundled by esbuild, with
 * `sluice` left outside and bound to this very package, so that the author's topology and the
 * engine share one set of modules.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BuildFailure, Message, Plugin } from 'esbuild';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { Plan, Topology } from '../../topology/index.ts';
import { FileStamps } from './file-stamps.ts';
import { candidatesOf, noteSurroundings } from './import-places.ts';
import type { Finding } from './worker-protocol.ts';

export interface CompiledTopology {
  readonly file: string;
  /** The script, an absolute path; its name carries the hash of its content. */
  readonly script: string;
  /** What tells one build of the file from another: the first digits of its hash. */
  readonly build: string;
}

export interface LoadedTopology {
  readonly topology: Topology;
  readonly plan: Plan;
}

/**
 * Compiles `file` into `outDir`, and notes in `stamps` what it was made of, and what it would have
 * been made of had it been there: a change of one is a change of the topology, also of one that
 * does not compile. Throws `SluiceError` `topology-compile` with file, line and what esbuild says.
 */
export async function compileTopologyFile(
  file: string,
  outDir: string,
  stamps = new FileStamps(),
): Promise<CompiledTopology> {
  return writeScript(file, await bundleTopologyFile(file, stamps), outDir);
}

/** Writes a bundle where a worker can import it, bound to this very package. */
export function writeScript(file: string, bundle: string, outDir: string): CompiledTopology {
  const text = bundle.replace(bound, (_quoted, name: string) =>
    JSON.stringify(new URL(surface[name] ?? '', import.meta.url).href),
  );
  mkdirSync(outDir, { recursive: true });
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const script = resolve(outDir, `topology-${hash}.mjs`);
  writeFileSync(script, text);
  return { file, script, build: hash.slice(0, 8) };
}

/**
 * One module with all that `file` imports but `sluice`, which it names so that `writeScript` finds
 * it. Throws as `compileTopologyFile`.
 */
export async function bundleTopologyFile(file: string, stamps: FileStamps): Promise<string> {
  const { build } = await import('esbuild');
  await noteSurroundings(file, stamps);
  if (!isFile(file)) {
    await stamps.note(file);
    throw new SluiceError('topology-compile', `there is no file ${shown(file)}`, {
      fix: 'pass the file of a topology, such as topology.ts',
    });
  }
  const result = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'es2022',
    sourcemap: 'inline',
    sourcesContent: false,
    logLevel: 'silent',
    absWorkingDir: process.cwd(),
    plugins: [bindSluice, noteInputs(stamps)],
  }).catch((thrown: unknown) => {
    throw compileError(file, thrown);
  });
  return result.outputFiles[0]?.text ?? '';
}

/** What a topology can import of this package, by where it is. */
const surface: Readonly<Record<string, string>> = {
  sluice: '../../topology/index.js',
  'sluice/enrich': '../../enrich/index.js',
  'sluice/testing': '../../topology/testing.js',
};
const boundPrefix = 'sluice-package:';
const bound = /"sluice-package:([a-z/]+)"/g;

const bindSluice: Plugin = {
  name: 'bind-sluice',
  setup(build) {
    build.onResolve({ filter: /^sluice(\/.*)?$/ }, ({ path }) => {
      if (surface[path] === undefined)
        return {
          errors: [
            {
              text: `'${path}' is not part of sluice; there is ${Object.keys(surface).join(', ')}`,
            },
          ],
        };
      return { path: `${boundPrefix}${path}`, external: true };
    });
  },
};

/** Each file is noted before esbuild reads it, and each import before it is looked for. */
function noteInputs(stamps: FileStamps): Plugin {
  return {
    name: 'note-inputs',
    setup(build) {
      build.onResolve({ filter: /.*/ }, async ({ path, resolveDir }) => {
        for (const candidate of candidatesOf(path, resolveDir)) await stamps.note(candidate);
        return undefined;
      });
      build.onLoad({ filter: /.*/, namespace: 'file' }, async ({ path }) => {
        await stamps.note(path);
        stamps.loaded.add(path);
        // Its types are made of a schema beside it.
        if (path.endsWith('.gen.ts'))
          await stamps.note(`${path.slice(0, -'.gen.ts'.length)}.schema.json`);
        return undefined;
      });
    },
  };
}

function compileError(file: string, thrown: unknown): SluiceError {
  const errors = (thrown as Partial<BuildFailure>).errors ?? [];
  if (errors.length === 0)
    return new SluiceError('topology-compile', `${file}: ${messageOf(thrown)}`, { cause: thrown });
  return new SluiceError('topology-compile', errors.map(lineOf).join('\n'), {
    cause: thrown,
    fix: fixOf(errors[0]?.text ?? ''),
  });
}

const compileFix = 'topologies are TypeScript without Node built-ins: fix the line and save';

/** What to do about what esbuild says. */
function fixOf(text: string): string {
  const [, path = ''] = /^Could not resolve "(.*)"/.exec(text) ?? [];
  if (path === '' || isBuiltin(path)) return compileFix;
  return path.startsWith('.') || path.startsWith('/')
    ? 'the file does not exist: correct the path'
    : `install it beside the topology: npm install ${path}`;
}

/** What `compileTopologyFile` threw, one by one. */
export function compileFindings(thrown: SluiceError): readonly Finding[] {
  const errors = (thrown.cause as Partial<BuildFailure> | undefined)?.errors ?? [];
  if (errors.length === 0)
    return [
      {
        kind: 'compile',
        node: null,
        place: null,
        message: thrown.message,
        fix: thrown.fix ?? compileFix,
      },
    ];
  return errors.map(({ location, text }) => {
    const place =
      location === null
        ? null
        : { file: location.file, line: location.line, column: location.column + 1 };
    return { kind: 'compile', node: null, place, message: text, fix: fixOf(text) };
  });
}

function lineOf(error: Message): string {
  const { location, text } = error;
  if (location === null) return text;
  return `${location.file}:${location.line}:${location.column + 1}: ${text}`;
}

/**
 * Imports a compiled topology; throws `SluiceError` `topology-load` when it throws, or exports no
 * topology.
 */
export async function importTopology(
  compiled: Pick<CompiledTopology, 'script' | 'file'>,
): Promise<LoadedTopology> {
  let found: unknown;
  try {
    found = ((await import(pathToFileURL(compiled.script).href)) as { readonly default?: unknown })
      .default;
  } catch (cause) {
    throw new SluiceError(
      'topology-load',
      `${shown(compiled.file)} throws while it is loaded: ${messageOf(cause)}`,
      { cause },
    );
  }
  if (!isTopology(found)) {
    throw new SluiceError(
      'topology-load',
      `${shown(compiled.file)} has no topology as its default export`,
      {
        fix: 'write `export default topology(...)`',
      },
    );
  }
  return { topology: found, plan: found.plan };
}

function isTopology(value: unknown): value is Topology {
  return (
    typeof value === 'object' &&
    value !== null &&
    'plan' in value &&
    'resolve' in value &&
    typeof value.resolve === 'function'
  );
}

const isFile = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isFile() === true;
const shown = (file: string): string => relative(process.cwd(), file) || '.';

/** Compiles and imports in this thread, for tools that look at a plan and leave. */
export async function loadTopologyFile(file: string): Promise<LoadedTopology> {
  const outDir = mkdtempSync(join(tmpdir(), 'sluice-topology-'));
  try {
    return await importTopology(await compileTopologyFile(resolve(file), outDir));
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}

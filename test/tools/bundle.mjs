/**
 * Writes `bundle/`: the command line, its workers and its child processes as few modules, with the
 * packages that are slow to load for their number of files. `npm run build` calls it after tsc.
 *
 * Invariants:
 * 1. A module that is named by URL has the place in bundle/ that it has in dist/, and
 *    `import.meta.url` says that place wherever its code ends up.
 * 2. One copy of each module: what two entries share is a file that both import.
 * 3. Whoever starts while this runs finds whole files: each is renamed into place, after those that
 *    it imports. What the last build wrote stays until the next change, for what still runs from it.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { build } from 'esbuild';

/** Pure JavaScript. All other packages are native or large and lazily loaded, and stay outside. */
const bundled = [
  '@eslint-community/regexpp',
  'ajv',
  'ajv-formats',
  'commander',
  'hash-wasm',
  'hyparquet',
  'hyparquet-writer',
  'jose',
  'prom-client',
  'rxjs',
  'yaml',
];
const parts = ['deploy', 'enrich', 'ingest', 'schemas', 'topology'];
const data = ['deploy/cost/prices.yaml'];
/** The names of the bundle's files, at the time at which their build began. */
const listFile = 'dist/.bundle.json';

const byUrl = /new URL\(\s*'(\.[^']+\.js)',\s*import\.meta\.url/g;
/** Other uses of its own URL than to find something from there: it gives the URL away. */
const itself = /(?<!createRequire\(\s*|new URL\([^()]*)\bimport\.meta\.url\b/;
const command = /^deploy\/cli\/commands\/[^/]+\/command\.js$/;

/** The modules that are started or imported by their URL, as paths in `dist`. */
export function entriesOf(dist) {
  const entries = new Set(['deploy/cli/main.js', 'topology/index.js', 'enrich/index.js']);
  entries.add('topology/testing.js');
  for (const part of parts)
    for (const path of modulesOf(join(dist, part))) {
      const name = relative(dist, path);
      const text = readFileSync(path, 'utf8');
      if (command.test(name) || itself.test(text)) entries.add(name);
      for (const [, url] of text.matchAll(byUrl))
        entries.add(relative(dist, resolve(dirname(path), url)));
    }
  return [...entries].filter((name) => existsSync(join(dist, name))).sort();
}

const modulesOf = (folder) =>
  !existsSync(folder)
    ? []
    : readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith('.js'))
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((path) => !/\/(?:template|examples)\//.test(path));

/** The URL of a module is that of its place in the bundle, which `placed` fills in. */
const ownUrl = (dist) => ({
  name: 'own-url',
  setup(plugin) {
    plugin.onLoad({ filter: /\.js$/ }, ({ path }) => {
      if (!path.startsWith(`${dist}/`)) return undefined;
      const name = JSON.stringify(relative(dist, path));
      const contents = readFileSync(path, 'utf8')
        .replaceAll('import.meta.url', `new URL(${name}, import.meta.bundle).href`)
        .replace(/\n\/\/# sourceMappingURL=.*/, '');
      return { contents };
    });
  },
});

const packages = (dist) => ({
  name: 'packages',
  setup(plugin) {
    plugin.onResolve({ filter: /^[^./]/ }, ({ path, importer, kind }) => {
      const isOurs = importer.startsWith(`${dist}/`);
      if (kind === 'entry-point' || !isOurs || isBuiltin(path)) return undefined;
      const name = path.split('/', path.startsWith('@') ? 2 : 1).join('/');
      return bundled.includes(name) ? undefined : { path, external: true };
    });
  },
});

/** What CommonJS packages require of Node, in modules that have no `require`. */
const builtIns = {
  name: 'built-ins',
  setup(plugin) {
    plugin.onResolve({ filter: /./ }, ({ path, kind }) =>
      kind === 'require-call' && isBuiltin(path) ? { path, namespace: 'built-in' } : undefined,
    );
    plugin.onLoad({ filter: /./, namespace: 'built-in' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

/** With the URL of the bundle's root, as seen from the file at `path`. */
function placed(text, path) {
  const up = JSON.stringify(`${relative(dirname(path), '.') || '.'}/`);
  return text.replaceAll('import.meta.bundle', `new URL(${up}, import.meta.url)`);
}

/** The texts of the licenses of the packages that have a part in it. */
function noticesOf(root, inputs) {
  const folders = new Set(
    inputs.flatMap((path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path) ?? []),
  );
  return [...folders]
    .sort((a, b) => (a < b ? -1 : 1))
    .map((folder) => {
      const { name, version, license } = JSON.parse(
        readFileSync(join(root, folder, 'package.json'), 'utf8'),
      );
      const texts = readdirSync(join(root, folder))
        .filter((file) => /^(?:licen[cs]e|notice|copying)/i.test(file))
        .map((file) => readFileSync(join(root, folder, file), 'utf8').trim());
      return [`${name} ${version} (${license})`, ...texts].join('\n\n');
    });
}

/** Whether nothing that it is made of, and no folder of that, changed since the last time. */
function isCurrent(root) {
  const { names, madeMs } = lastOf(root);
  const own = ['package-lock.json', 'test/tools/bundle.mjs', ...data];
  const modules = parts
    .map((part) => join(root, 'dist', part))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => [
      folder,
      ...readdirSync(folder, { recursive: true }).map((name) => join(folder, name)),
    ]);
  return (
    names.length > 0 &&
    names.every((name) => existsSync(join(root, 'bundle', name))) &&
    [...own.map((path) => join(root, path)).filter((path) => existsSync(path)), ...modules].every(
      (path) => statSync(path).mtimeMs < madeMs,
    )
  );
}

/** The files of the last build, and when it began. */
function lastOf(root) {
  const list = join(root, listFile);
  if (!existsSync(list)) return { names: [], madeMs: 0 };
  return { names: JSON.parse(readFileSync(list, 'utf8')), madeMs: statSync(list).mtimeMs };
}

/** Resolves to the number of files that were written anew. */
export async function writeBundle(root) {
  if (isCurrent(root)) return 0;
  const begun = new Date();
  // As esbuild names what it reads.
  const dist = realpathSync(join(root, 'dist'));
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: entriesOf(dist).map((name) => join('dist', name)),
    outbase: 'dist',
    outdir: 'bundle',
    chunkNames: 'chunks/[hash]',
    bundle: true,
    splitting: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    legalComments: 'eof',
    logLevel: 'warning',
    plugins: [ownUrl(dist), builtIns, packages(dist)],
  });
  const out = join(root, 'bundle');
  const files = new Map(
    outputFiles
      .map(({ path, text }) => [relative(out, path), text])
      .map(([path, text]) => [path, placed(text, path)])
      .sort(([a], [b]) => b.startsWith('chunks/') - a.startsWith('chunks/')),
  );
  for (const path of data)
    if (existsSync(join(root, path))) files.set(path, readFileSync(join(root, path), 'utf8'));
  files.set('LICENSES.txt', `${noticesOf(root, Object.keys(metafile.inputs)).join('\n\n\n')}\n`);
  return update(root, files, begun);
}

/** Invariant 3. */
function update(root, files, begun) {
  const out = join(root, 'bundle');
  const beside = join(root, `${listFile}.${process.pid}`);
  const put = (at, text, mode = 0o644) => {
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(beside, text, { mode });
    renameSync(beside, at);
  };
  const changed = [...files].filter(([path, text]) => {
    const at = join(out, path);
    return !existsSync(at) || readFileSync(at, 'utf8') !== text;
  });
  for (const [path, text] of changed)
    put(join(out, path), text, text.startsWith('#!') ? 0o755 : 0o644);
  const names = [...files.keys()];
  const last = lastOf(root).names;
  if (changed.length > 0 || names.join() !== last.join()) {
    const kept = new Set([...names, ...last]);
    for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile() && !kept.has(relative(out, path))) rmSync(path, { force: true });
    }
    put(join(root, listFile), JSON.stringify(names));
  }
  utimesSync(join(root, listFile), begun, begun);
  return changed.length;
}

/**
 * Takes out of `node_modules` what an image does not need: binaries of other platforms and of other
 * versions of Node, second copies, sources, texts. Then it loads every package with a binary, and
 * those that something was taken from, so that a build fails where it was too much.
 *
 *   node prune-modules.mjs node_modules
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const modules = resolve(process.argv[2] ?? 'node_modules');
const { arch, platform, versions } = process;

function remove(path) {
  if (!existsSync(path)) throw new Error(`${path} is not there: correct what is removed`);
  rmSync(path, { recursive: true });
}

// One binary a platform and version of Node, 9 MB each.
const binary = `uws_${platform}_${arch}_${versions.modules}.node`;
const server = join(modules, 'uWebSockets.js');
if (!existsSync(join(server, binary))) throw new Error(`uWebSockets.js has no ${binary}`);
for (const name of readdirSync(server))
  if (name.endsWith('.node') && name !== binary) remove(join(server, name));

// Its install script copies the binary of the platform's package; here it is moved.
const graph = join(modules, '@ladybugdb');
renameSync(
  join(graph, `core-${platform}-${arch}`, 'lbugjs.node'),
  join(graph, 'core', 'lbugjs.node'),
);
remove(join(graph, `core-${platform}-${arch}`));

// All platforms are in the package.
const prebuilds = join(modules, 'fs-native-extensions', 'prebuilds');
for (const name of readdirSync(prebuilds))
  if (name !== `${platform}-${arch}`) remove(join(prebuilds, name));

// Their code is in bundle/, and nothing else imports them.
for (const name of ['hash-wasm', 'jose']) remove(join(modules, name));

// Bundles for browsers and old engines, tests, documents; what formats, which is never asked for; a
// binary for another C library.
const unused = [
  'bintrees/test',
  'neo4j-driver/lib/browser',
  'prettier/internal',
  'prettier/plugins',
  'rxjs/dist/bundles',
  'rxjs/dist/esm',
  'rxjs/dist/esm5',
  'uWebSockets.js/docs',
  'uWebSockets.js/examples',
  `@koromix/koffi-${platform}-${arch}/musl_${arch}`,
];
for (const path of unused) remove(join(modules, path));
for (const name of readdirSync(join(modules, 'apache-arrow')))
  if (name.endsWith('.min.js')) remove(join(modules, 'apache-arrow', name));

// Texts of licenses stay, whatever they are called, and so do the types of the language itself.
const unread =
  /^(?!licen[cs]e|notice|copying).*\.(?:map|md|markdown|flow|[mc]?ts|h|hpp|c|cc|html|png|svg)$/i;
for (const entry of readdirSync(modules, { recursive: true, withFileTypes: true }))
  if (entry.isFile() && unread.test(entry.name) && !entry.parentPath.includes('/@typescript/'))
    remove(join(entry.parentPath, entry.name));

const require = createRequire(join(modules, 'here.js'));
const native = [
  'uWebSockets.js',
  '@ladybugdb/core',
  '@duckdb/node-api',
  'fs-native-extensions',
  'koffi',
  'lz4-napi',
  'snappy',
];
const thinned = ['apache-arrow', 'json-schema-to-typescript', 'neo4j-driver', 'rxjs'];
for (const name of [...native, ...thinned]) require(name);
require('esbuild').transformSync('let a: number = 1', { loader: 'ts' });

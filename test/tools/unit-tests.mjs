/**
 * Which tests run from TypeScript source, in seconds and without a build, and which need dist.
 *
 * A test of a part needs dist when it, or a module that it imports, names compiled files (a worker,
 * a child process, `import.meta.url` other than for `createRequire`) or starts real servers. That
 * is read from the sources, so that a test or a worker that moves needs no list to be changed.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

const required = /createRequire\(\s*import\.meta\.url,?\s*\)/g;
const compiled = /import\.meta\.url|['"`]dist['"`/]/;
const servers = join(root, 'test', 'servers') + '/';
/** It looks for the root of the repository upwards, from source and from dist. */
const rootFinder = join(root, 'test', 'repo', 'files.ts');

const imports =
  /^\s*(?:import|export)(?! type\b)[^;'"]*?from\s*['"](\.[^'"]+)['"]|\bimport\(\s*['"](\.[^'"]+)['"]|^\s*import\s*['"](\.[^'"]+)['"]/gm;

/** The files that `path` imports at run time, and whether it names compiled ones itself. */
function look(path) {
  let text;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return { next: [], needsDist: true };
  }
  const next = [...text.matchAll(imports)].map(([, from, later, bare]) =>
    resolve(dirname(path), from ?? later ?? bare),
  );
  const needsDist = path !== rootFinder && compiled.test(text.replace(required, ''));
  return { next, needsDist: needsDist || path.startsWith(servers) };
}

function reaches(path, looked) {
  const seen = new Set([path]);
  for (const file of seen) {
    const found = looked.get(file) ?? look(file);
    looked.set(file, found);
    if (found.needsDist) return true;
    for (const next of found.next) seen.add(next);
  }
  return false;
}

/** What is tested part by part; the other folders test the whole. */
const parts = /^test\/(?:schemas|topology|ingest|enrich|deploy)\//;

/** All tests as paths from the root, split by what they need. */
export function splitTests() {
  const looked = new Map();
  const tests = readdirSync(join(root, 'test'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
  const all = tests.map((file) => {
    const path = relative(root, file);
    return { path, needsDist: !parts.test(path) || reaches(file, looked) };
  });
  const pathsOf = (needsDist) =>
    all.filter((test) => test.needsDist === needsDist).map(({ path }) => path);
  return { fromSource: pathsOf(false).sort(), fromDist: pathsOf(true).sort() };
}

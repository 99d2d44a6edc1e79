/**
 * Completes package-lock.json: adds an entry for each optional package of another platform that npm
 * left out because the registry did not serve it. Without these entries `npm ci` refuses the lock
 * file.
 *
 *   node test/tools/complete-lock.mjs           writes package-lock.json of the working directory
 *   node test/tools/complete-lock.mjs --check   writes nothing; names what is missing and exits 1
 *
 * An added entry has no integrity: npm takes the package from the registry on the platform it is
 * for. `libc` is written where the name says it, so that npm does not try to fetch a musl build on
 * glibc.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = 'package-lock.json';
const SYSTEMS = [
  'darwin',
  'win32',
  'linux',
  'android',
  'freebsd',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'aix',
];
const CPUS = [
  'arm64',
  'x64',
  'arm',
  'ia32',
  'ppc64',
  'riscv64',
  's390x',
  'loong64',
  'mips64el',
  'wasm32',
];
const LIBCS = new Map([
  ['musl', 'musl'],
  ['musleabihf', 'musl'],
  ['gnu', 'glibc'],
  ['gnueabihf', 'glibc'],
]);

const text = readFileSync(FILE, 'utf8');
const lock = JSON.parse(text);
const packages = lock.packages;
if (packages === undefined || Object.keys(packages).length < 2) {
  console.error(`${FILE}: no packages in it`);
  process.exit(1);
}

/**
 * The entry Node would find for `name` from the folder `parent`: its own node_modules first, then
 * each one above.
 */
function find(parent, name) {
  for (let at = parent; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const entry = packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`];
    if (entry !== undefined) return entry;
    if (at === '') return undefined;
  }
}

function entryOf(name, range) {
  const parts = name.split(/[/-]/);
  const entry = { version: range.replace(/^[\^~]/, ''), optional: true };
  const os = parts.filter((part) => SYSTEMS.includes(part));
  const cpu = parts.filter((part) => CPUS.includes(part));
  const libc = os.includes('linux') ? parts.flatMap((part) => LIBCS.get(part) ?? []) : [];
  if (cpu.length > 0) entry.cpu = cpu;
  if (libc.length > 0) entry.libc = libc;
  if (os.length > 0) entry.os = os;
  return entry;
}

const missing = [];
for (const [parent, { optionalDependencies }] of Object.entries(packages)) {
  for (const [name, range] of Object.entries(optionalDependencies ?? {})) {
    const found = find(parent, name);
    const exact = /^\d/.test(range);
    if (found !== undefined && !(exact && found.version !== range)) continue;
    const prefix = found === undefined || parent === '' ? '' : `${parent}/`;
    const path = `${prefix}node_modules/${name}`;
    missing.push(path);
    packages[path] = entryOf(name, range);
  }
}

if (process.argv.includes('--check')) {
  for (const path of missing)
    console.error(`${FILE}: no entry for ${path}; run: node test/tools/complete-lock.mjs`);
  if (missing.length > 0) process.exit(1);
  console.log(`${FILE}: ${Object.keys(packages).length} entries, none missing`);
} else {
  lock.packages = Object.fromEntries(
    Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en')),
  );
  if (missing.length > 0) writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${FILE}: ${missing.length} entries added`);
}

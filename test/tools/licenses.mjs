/**
 * `npm run check:licenses`: every package of package-lock.json has a license of the allow-list. What
 * is shipped has the short list; what only tests and builds use may have those of `development` too.
 *
 * A binary for another platform that the lock file tells no license of, and that is not installed,
 * has the license of the package that asks for it.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const shipped = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Python-2.0',
  'Zlib',
];
/** The last one is the MIT of Segment's packages, in a file. */
const development = [...shipped, 'MPL-2.0', 'SEE LICENSE IN LICENSE'];

/** Whether an expression of SPDX is met by the list: of `OR` one side is enough. */
export function isAllowed(expression, allowed) {
  return expression
    .replace(/[()]/g, '')
    .split(' OR ')
    .some((side) => side.split(' AND ').every((id) => allowed.includes(id.trim())));
}

/** What is told of a package where it is installed; undefined elsewhere. */
export function readManifest(path) {
  const file = join(path, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
}

/** What finds the license of the package at a path of the lock file. */
export function licenseFinder(packages, read) {
  const owners = new Map();
  for (const [path, { optionalDependencies = {}, license }] of Object.entries(packages))
    for (const name of Object.keys(optionalDependencies)) owners.set(name, { path, license });
  return (path, license) => {
    if (license !== undefined) return license;
    const told = read(path)?.license;
    if (told !== undefined) return told;
    const owner = owners.get(path.replace(/^.*node_modules\//, ''));
    return owner === undefined ? undefined : (owner.license ?? read(owner.path)?.license);
  };
}

/** A line for each package whose license is unknown or not allowed. `read` gives a manifest. */
export function findForbidden(packages, read) {
  const licenseOf = licenseFinder(packages, read);
  return Object.entries(packages).flatMap(([path, { license, dev, devOptional }]) => {
    if (path === '') return [];
    const found = licenseOf(path, license);
    if (typeof found !== 'string') return [`${path}: no license is known`];
    const allowed = dev || devOptional ? development : shipped;
    return isAllowed(found, allowed) ? [] : [`${path}: ${found} is not on the list`];
  });
}

function main() {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  const forbidden = findForbidden(packages, readManifest);
  for (const line of forbidden) console.error(line);
  if (forbidden.length > 0) return 1;
  console.log(`package-lock.json: ${Object.keys(packages).length - 1} licenses, all on the list`);
  return 0;
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) process.exitCode = main();

/**
 * `npm run --silent sbom`: the bill of materials in CycloneDX 1.5, of the lock file: all packages
 * that are shipped, with their digests and licenses, those of other platforms too. `npm sbom` leaves
 * out what a tool for development needs as well. The same lock file gives the same text.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { licenseFinder, readManifest } from './licenses.mjs';

const nameOf = (path) => path.replace(/^.*node_modules\//, '');
const purlOf = (name, version) => `pkg:npm/${name.replace('@', '%40')}@${version}`;

/** `sha512-<base64>` as CycloneDX writes it. */
function hashesOf(integrity) {
  const [, algorithm, digest] = /^sha(\d+)-(\S+)/.exec(integrity ?? '') ?? [];
  if (algorithm === undefined) return {};
  const content = Buffer.from(digest, 'base64').toString('hex');
  return { hashes: [{ alg: algorithm === '1' ? 'SHA-1' : `SHA-${algorithm}`, content }] };
}

function licensesOf(license) {
  if (license === undefined) return {};
  const isExpression = / (?:OR|AND) /.test(license);
  return { licenses: [isExpression ? { expression: license } : { license: { id: license } }] };
}

/** The bill of a package with this lock file. `read` gives a manifest by its path. */
export function billOf({ name, version, license }, { packages }, read) {
  const licenseAt = licenseFinder(packages, read);
  const components = new Map();
  for (const [path, entry] of Object.entries(packages)) {
    if (path === '' || entry.dev) continue;
    const own = entry.name ?? nameOf(path);
    const purl = purlOf(own, entry.version);
    components.set(purl, {
      'bom-ref': purl,
      type: 'library',
      name: own,
      version: entry.version,
      scope: entry.optional ? 'optional' : 'required',
      purl,
      ...hashesOf(entry.integrity),
      ...licensesOf(licenseAt(path, entry.license)),
    });
  }
  const listed = [...components.values()].toSorted((a, b) => (a.purl < b.purl ? -1 : 1));
  const digest = createHash('sha256').update(JSON.stringify(listed)).digest('hex');
  const uuid = [8, 12, 16, 20].reduceRight(
    (text, at) => `${text.slice(0, at)}-${text.slice(at)}`,
    digest.slice(0, 32),
  );
  const purl = purlOf(name, version);
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${uuid}`,
    version: 1,
    metadata: {
      component: {
        'bom-ref': purl,
        type: 'application',
        name,
        version,
        purl,
        ...licensesOf(license),
      },
    },
    components: listed,
  };
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
  const bill = billOf(read('package.json'), read('package-lock.json'), readManifest);
  console.log(JSON.stringify(bill, null, 2));
}

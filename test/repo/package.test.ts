/**
 * The package as it is published: what is in the tarball, that it runs where nothing else is, and
 * what is told of what it depends on: platforms, licenses, the bill of materials, advisories.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goMissing, goModule } from '../servers/go.ts';
import { root, run, temporaryFolder } from './support.ts';
import { runTour } from './tour.ts';

interface Entry {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

type Manifest = Pick<Entry, 'license'>;

/** Scripts of test/tools that run without a build have no place in dist. */
const script = (name: string): Promise<unknown> =>
  import(pathToFileURL(join(root, 'test', 'tools', name)).href);
const { reportOf } = (await script('audit.mjs')) as {
  readonly reportOf: (text: string) => readonly string[];
};
const { findForbidden, isAllowed } = (await script('licenses.mjs')) as {
  readonly findForbidden: (
    packages: Readonly<Record<string, Entry>>,
    read: (path: string) => Manifest | undefined,
  ) => readonly string[];
  readonly isAllowed: (expression: string, allowed: readonly string[]) => boolean;
};

const jsonOf = (path: string): unknown => JSON.parse(readFileSync(join(root, path), 'utf8'));
const manifest = jsonOf('package.json') as {
  readonly version: string;
  readonly os: readonly string[];
  readonly cpu: readonly string[];
  readonly dependencies: Readonly<Record<string, string>>;
};
const { packages } = jsonOf('package-lock.json') as {
  readonly packages: Readonly<Record<string, Entry>>;
};

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** The project as it is compiled, packed into a folder. */
function pack(folder: string): Packed {
  const options = ['--ignore-scripts', '--json', '--pack-destination', folder];
  const packed = run(root, 'npm', 'pack', ...options);
  expect(packed.status, packed.output).toBe(0);
  const [found] = JSON.parse(packed.stdout) as [Packed];
  return found;
}

let bill: string | undefined;
/** What `npm run sbom` prints. */
function billOfMaterials(): string {
  if (bill !== undefined) return bill;
  const made = run(root, 'npm', 'run', '--silent', 'sbom');
  expect(made.status, made.output).toBe(0);
  bill = made.stdout;
  return bill;
}

describe('the tarball', () => {
  let packedIn: string;
  let packed: Packed;
  beforeAll(() => {
    packedIn = mkdtempSync(join(tmpdir(), 'sluice-packed-'));
    packed = pack(packedIn);
  }, 120_000);
  afterAll(() => rmSync(packedIn, { recursive: true, force: true }));

  it('has what runs, the example and the template, and no tests, maps or sources of ours', () => {
    const paths = packed.files.map(({ path }) => path);
    for (const path of [
      'LICENSE',
      'README.md',
      'bundle/LICENSES.txt',
      'bundle/deploy/cli/main.js',
      'bundle/enrich/parquet/parquet-worker.js',
      'dist/topology/index.d.ts',
      // Of these the bundle of a topology for Flink is made.
      'dist/topology/index.js',
      'dist/deploy/flink/runtime/runtime.js',
      'deploy/cli/template/topology.ts',
      'topology/examples/flights/topology.ts',
      'topology/examples/flights/data/weather.ndjson.gz',
    ])
      expect(paths).toContain(path);
    const own = /^dist\/test\/|\.map$|\.built\.mjs$|^(?:ingest|enrich|schemas|test)\/|\/\.sluice\//;
    expect(paths.filter((path) => own.test(path))).toEqual([]);
    expect(
      paths.filter((path) => /(?<!\.d)\.ts$/.test(path) && !/template|examples/.test(path)),
    ).toEqual([]);
  });

  it('runs the first five minutes in an empty folder, and starts a pipeline that depends on it', {
    timeout: 400_000,
  }, async ({ signal }) => {
    const folder = temporaryFolder('package');
    const tarball = join(packedIn, packed.filename);
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const installed = run(empty, 'npm', 'install', '--no-audit', '--no-fund', tarball);
    expect(installed.status, installed.output).toBe(0);
    const version = run(empty, 'npx', '--no', '--', 'sluice', '--version');
    expect(version.stdout.trim()).toBe(manifest.version);
    const start = ['npx', '--no', '--', 'sluice', 'start'] as const;
    await runTour({ folder: empty, start: [...start], example: 'node_modules/sluice/', signal });
    // The tour's last step.
    const made = JSON.parse(readFileSync(join(folder, 'shop', 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    expect(made.dependencies).toEqual({ sluice: manifest.version });
  });
});

describe('the platforms of the package', () => {
  const platforms = manifest.os.flatMap((os) => manifest.cpu.map((cpu) => [os, cpu] as const));

  it.each(platforms)('have every binary in the lock file for %s on %s', (os, cpu) => {
    const fits = ({ os: systems, cpu: kinds, libc }: Entry): boolean =>
      systems?.includes(os) === true &&
      kinds?.includes(cpu) === true &&
      libc?.includes('musl') !== true;
    const optionsOf = ([path, { optionalDependencies = {} }]: readonly [string, Entry]): Entry[] =>
      Object.keys(optionalDependencies).flatMap(
        (name) =>
          packages[`${path}/node_modules/${name}`] ?? packages[`node_modules/${name}`] ?? [],
      );
    // Those who bring binaries as packages of their own, one a platform.
    const owners = Object.entries(packages).filter(
      (entry) =>
        entry[1].dev !== true && optionsOf(entry).some(({ os: systems }) => systems !== undefined),
    );
    const without = owners.filter((entry) => !optionsOf(entry).some(fits));
    expect(owners.length).toBeGreaterThan(5);
    expect(without.map(([path]) => path)).toEqual([]);
    // Those who bring them all in one.
    const server = readdirSync(join(root, 'node_modules', 'uWebSockets.js'));
    for (const modules of [115, 127, 137])
      expect(server).toContain(`uws_${os}_${cpu}_${modules}.node`);
    const locks = readdirSync(join(root, 'node_modules', 'fs-native-extensions', 'prebuilds'));
    expect(locks).toContain(`${os}-${cpu}`);
  });
});

describe('the licenses of all dependencies', () => {
  it('are on the list (npm run check:licenses)', () => {
    const checked = run(root, 'npm', 'run', '--silent', 'check:licenses');
    expect(checked.output).toMatch(/^package-lock\.json: \d{3} licenses, all on the list\n$/);
    expect(checked.status).toBe(0);
  });

  it('that are unknown, or on no list, are found', () => {
    const found = findForbidden(
      {
        '': {},
        'node_modules/gpl': { license: 'GPL-3.0-or-later' },
        'node_modules/either': { license: '(GPL-2.0 OR MIT)' },
        'node_modules/both': { license: 'MIT AND GPL-2.0' },
        'node_modules/none': {},
        'node_modules/shipped': { license: 'MPL-2.0' },
        'node_modules/tool': { license: 'MPL-2.0', dev: true },
        'node_modules/owner': { license: 'MIT', optionalDependencies: { 'owner-mac': '1.0.0' } },
        'node_modules/owner-mac': {},
      },
      () => undefined,
    );
    expect(found).toEqual([
      'node_modules/gpl: GPL-3.0-or-later is not on the list',
      'node_modules/both: MIT AND GPL-2.0 is not on the list',
      'node_modules/none: no license is known',
      'node_modules/shipped: MPL-2.0 is not on the list',
    ]);
    expect(isAllowed('(MIT AND Zlib)', ['MIT', 'Zlib'])).toBe(true);
  });
});

it('the bill of materials names every package that is shipped, in CycloneDX, with its license', () => {
  const told = JSON.parse(billOfMaterials()) as {
    components: readonly { purl: string; licenses?: readonly unknown[] }[];
  };
  expect(told).toMatchObject({
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: expect.stringMatching(
      /^urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
    ) as string,
    metadata: { component: { name: 'sluice', version: manifest.version } },
  });
  const named = new Map(told.components.map((component) => [component.purl, component]));
  const shipped = Object.entries(packages).filter(([path, { dev }]) => path !== '' && dev !== true);
  expect(shipped.length).toBeGreaterThan(150);
  for (const [path, { version }] of shipped) {
    const installed = path.replace(/^.*node_modules\//, '');
    // An alias is told by the name that the registry has.
    const name = installed === 'uWebSockets.js' ? 'uwebsockets' : installed.replace('@', '%40');
    expect(named.get(`pkg:npm/${name}@${version}`)?.licenses, path).toHaveLength(1);
  }
  expect(named.get(`pkg:npm/ajv@${manifest.dependencies['ajv']}`)).toMatchObject({
    licenses: [{ license: { id: 'MIT' } }],
    hashes: [{ alg: 'SHA-512', content: expect.stringMatching(/^[0-9a-f]{128}$/) as string }],
  });
});

it.skipIf(goMissing() !== undefined)(
  'the bill of materials is valid by the schema of CycloneDX, and one that is not is found',
  { timeout: 120_000 },
  async () => {
    const module = await goModule('github.com/CycloneDX/cyclonedx-go', 'v0.12.0');
    const schemaOf = (name: string): object =>
      JSON.parse(readFileSync(join(module, 'schema', `${name}.schema.json`), 'utf8')) as object;
    const ajv = new Ajv({ strict: false, validateFormats: false });
    ajv.addSchema(schemaOf('spdx'));
    // Of signatures, which there are none of; the module has no such file.
    const signatures = 'http://cyclonedx.org/schema/jsf-0.82.schema.json';
    ajv.addSchema({ $id: signatures, definitions: { signature: false } });
    const check = ajv.compile(schemaOf('bom-1.5'));
    const told = JSON.parse(billOfMaterials()) as { components: readonly object[] };
    expect(check(told), JSON.stringify(check.errors)).toBe(true);
    const wrong = [{ ...told.components[0], licenses: [{ license: { id: 'No-Such-1.0' } }] }];
    expect(check({ ...told, components: wrong })).toBe(false);
  },
);

it('an audit is a report: what is known, or that the registry does not tell', () => {
  const known = { a: { name: 'a', severity: 'high', range: '<2', fixAvailable: true } };
  expect(reportOf(JSON.stringify({ vulnerabilities: known }))).toEqual([
    'high: a <2, a fix is available',
    'npm audit: 1 packages with known vulnerabilities',
  ]);
  const refused = JSON.stringify({ message: '405 Method Not Allowed' });
  expect(reportOf(refused)).toEqual([
    'npm audit: the registry does not tell: 405 Method Not Allowed',
  ]);
  expect(reportOf('')).toEqual(['npm audit: no answer']);
});

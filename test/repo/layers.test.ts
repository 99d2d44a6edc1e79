/**
 * The rules of `npm run check` bite: one violation of every rule, planted in a tree of its own, is
 * reported; a clean tree passes.
 */
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { plant, root, run, temporaryFolder, tool } from './support.ts';

const folders = ['schemas', 'topology', 'ingest', 'enrich', 'deploy', 'test'];
const text = '/** A planted file. */\nexport const one = 1;\n';

/**
 * One small file in every folder that has rules. The planted files import them, so no import is
 * reported for being absent.
 */
const clean: Readonly<Record<string, string>> = {
  'schemas/a.ts': text,
  'schemas/kernel/a.ts': text,
  'schemas/kernel/clock.ts':
    'export const now = (): number => Date.now();\nexport const later = (f: () => void): unknown => setTimeout(f, 1);\n',
  'schemas/kernel/random.ts': 'export const next = (): number => Math.random();\n',
  'schemas/kernel/error-codes.ts': "export { one } from '../sinks/sinks.ts';\n",
  'schemas/sinks/sinks.ts': text,
  'schemas/ports/a.ts': "import { one } from '../kernel/a.ts';\nexport const two = one;\n",
  'topology/index.ts': "export { one } from './dsl/a.ts';\n",
  'topology/testing.ts': text,
  'topology/nodes/a.ts': "export { one } from '../../schemas/a.ts';\n",
  'topology/graph/a.ts': "export { one } from '../nodes/a.ts';\n",
  'topology/time/a.ts': "export { one } from '../nodes/a.ts';\n",
  'topology/state/a.ts': "export { one } from '../time/a.ts';\n",
  'topology/dsl/a.ts': "export { one } from '../operators/a.ts';\n",
  'topology/plan/a.ts': "export { one } from '../operators/a.ts';\n",
  'topology/operators/a.ts': "export { one } from '../checkpoint/a.ts';\n",
  'topology/checkpoint/a.ts': "export { one } from '../state/a.ts';\n",
  'topology/runtime/a.ts': "import 'rxjs';\nexport { one } from '../dsl/a.ts';\n",
  'topology/examples/demo/topology.ts':
    "import 'sluice';\nimport 'sluice/enrich';\nexport { one } from './own/a.ts';\n",
  'topology/examples/demo/own/a.ts': "export { one } from '../b.ts';\n",
  'topology/examples/demo/b.ts': text,
  'topology/examples/other/b.ts': text,
  'ingest/a.ts': "import 'uWebSockets.js';\nexport { one } from '../schemas/a.ts';\n",
  'enrich/a.ts':
    "import '@duckdb/node-api';\nimport '@ladybugdb/core';\nimport 'hyparquet';\nimport 'hyparquet-writer';\nexport { one } from '../topology/index.ts';\n",
  'deploy/streams/kafka/a.ts':
    "import 'kafkajs';\nimport '../../../schemas/a.ts';\nimport '../../../ingest/a.ts';\nexport { one } from '../own.ts';\n",
  'deploy/streams/own.ts': text,
  'deploy/stores/s3/a.ts':
    "import '@aws-sdk/client-s3';\nexport { one } from '../../../enrich/a.ts';\n",
  'deploy/host/a.ts': text,
  'deploy/flink/check/a.ts': "export { one } from '../../host/a.ts';\n",
  'deploy/flink/rest/a.ts': text,
  'deploy/flink/runtime/a.ts': "export { one } from '../../../topology/runtime/a.ts';\n",
  'deploy/cost/own.ts': text,
  'deploy/cost/a.ts':
    "import '../../schemas/a.ts';\nimport './own.ts';\nimport 'yaml';\nexport const a = 1;\n",
  'deploy/cli/init.ts': text,
  'deploy/cli/template/a.ts':
    "import 'sluice';\nimport 'sluice/enrich';\nimport 'sluice/testing';\nexport { one } from './own.ts';\n",
  'deploy/cli/template/own.ts': text,
  'deploy/aws/src/a.ts':
    "import 'aws-cdk-lib';\nimport 'aws-cdk-lib/aws-s3';\nimport 'cdk-nag';\nimport 'node:fs';\nexport { one } from './sluice.ts';\n",
  'deploy/aws/src/sluice.ts': "export { one } from '../own.ts';\n",
  'deploy/aws/own.ts': text,
  'deploy/aws/src/stacks/a.ts':
    "import 'constructs';\nimport 'aws-cdk-lib/aws-s3';\nexport { one } from '../sluice.ts';\n",
  'deploy/a.ts':
    "import '../ingest/a.ts';\nimport '../enrich/a.ts';\nimport '../topology/index.ts';\nexport const home = process.env['HOME'];\n",
  'test/a.ts':
    "import '../deploy/a.ts';\nimport '../topology/testing.ts';\nexport const at = Date.now();\n",
};

interface Finding {
  readonly rule: string;
  readonly path: string;
  readonly help: string;
}

interface Report {
  readonly status: number | null;
  readonly files: number;
  readonly findings: readonly Finding[];
}

function lint(folder: string): Report {
  const done = run(
    folder,
    tool('oxlint'),
    '--type-aware',
    '--deny-warnings',
    '--format=json',
    ...folders,
  );
  const at = done.stdout.indexOf('{');
  if (at < 0) throw new Error(`oxlint gave no report: ${done.output}`);
  const report = JSON.parse(done.stdout.slice(at)) as {
    readonly number_of_files: number;
    readonly diagnostics: readonly {
      readonly code?: string;
      readonly filename: string;
      readonly help?: string;
    }[];
  };
  const findings = report.diagnostics.map(({ code, filename, help }) => ({
    rule: /\((.*)\)/.exec(code ?? '')?.[1] ?? '',
    path: filename,
    help: help ?? '',
  }));
  return { status: done.status, files: report.number_of_files, findings };
}

function tree(name: string, extra: Readonly<Record<string, string>> = {}): string {
  const folder = temporaryFolder(name);
  plant(folder, { ...clean, ...extra });
  for (const config of ['.oxlintrc.json', 'tsconfig.json', 'biome.json', 'knip.json'])
    copyFileSync(join(root, config), join(folder, config));
  return folder;
}

/** Import that must be refused: [the importing file or its folder, specifier]. */
const refused: readonly (readonly [string, string])[] = [
  // schemas
  ['schemas/kernel', '../a.ts'],
  ['schemas/kernel', '../../topology/index.ts'],
  ['schemas/kernel', 'sluice'],
  ['schemas/kernel/error-codes.ts', '../a.ts'],
  ...['topology/index.ts', 'ingest/a.ts', 'enrich/a.ts', 'deploy/a.ts', 'test/a.ts'].map(
    (to) => ['schemas', `../${to}`] as const,
  ),
  ['schemas/ports', '../../topology/graph/a.ts'],
  ['schemas', 'sluice'],
  // topology's lower layers
  ...['graph', 'nodes', 'time', 'state'].flatMap((from) =>
    [
      '../dsl/a.ts',
      '../operators/a.ts',
      '../plan/a.ts',
      '../checkpoint/a.ts',
      '../runtime/a.ts',
      '../examples/demo/b.ts',
      '../index.ts',
      '../testing.ts',
      'sluice',
    ].map((to) => [`topology/${from}`, to] as const),
  ),
  ...['dsl', 'operators', 'plan', 'checkpoint'].flatMap((from) =>
    ['../runtime/a.ts', '../examples/demo/b.ts', '../index.ts', '../testing.ts', 'sluice'].map(
      (to) => [`topology/${from}`, to] as const,
    ),
  ),
  ...['../index.ts', '../testing.ts', '../examples/demo/b.ts', 'sluice'].map(
    (to) => ['topology/runtime', to] as const,
  ),
  ...[
    'graph',
    'nodes',
    'time',
    'state',
    'dsl',
    'operators',
    'plan',
    'checkpoint',
    'runtime',
  ].flatMap((from) =>
    ['ingest', 'enrich', 'deploy', 'test'].map(
      (to) => [`topology/${from}`, `../../${to}/a.ts`] as const,
    ),
  ),
  ...['ingest', 'enrich', 'deploy', 'test'].map((to) => ['topology', `../${to}/a.ts`] as const),
  ['topology', './examples/demo/b.ts'],
  ['topology', 'sluice'],
  // the examples
  ...[
    '../other/b.ts',
    '../../index.ts',
    '../../../schemas/a.ts',
    '../../../test/a.ts',
    'sluice/testing',
    'node:fs',
    'rxjs',
    'kafkajs',
  ].map((to) => ['topology/examples/demo', to] as const),
  ['topology/examples/demo/own', '../../other/b.ts'],
  ['topology/examples/demo/own', 'node:fs'],
  // the template of `sluice init`
  ...['../init.ts', '../../../topology/index.ts', 'node:fs', 'rxjs'].map(
    (to) => ['deploy/cli/template', to] as const,
  ),
  // the sides
  ...['topology/index.ts', 'enrich/a.ts', 'deploy/a.ts', 'test/a.ts'].map(
    (to) => ['ingest', `../${to}`] as const,
  ),
  ['ingest', 'sluice'],
  ...['ingest/a.ts', 'deploy/a.ts', 'test/a.ts', 'topology/testing.ts', 'topology/dsl/a.ts'].map(
    (to) => ['enrich', `../${to}`] as const,
  ),
  ['enrich', 'sluice'],
  ['deploy', '../test/a.ts'],
  ['deploy', 'sluice'],
  // vendors
  ...[
    'uWebSockets.js',
    '@duckdb/node-api',
    '@ladybugdb/core',
    'hyparquet',
    'hyparquet-writer',
    '@aws-sdk/client-s3',
    'kafkajs',
    'neo4j-driver',
  ].flatMap((to) =>
    [
      'schemas',
      'schemas/kernel',
      'topology',
      'topology/graph',
      'topology/dsl',
      'topology/runtime',
      'topology/examples/demo',
    ].map((from) => [from, to] as const),
  ),
  ...[
    'schemas',
    'schemas/kernel',
    'topology',
    'topology/graph',
    'topology/dsl',
    'ingest',
    'enrich',
    'deploy',
  ].map((from) => [from, 'rxjs'] as const),
  ...['enrich', 'deploy'].map((from) => [from, 'uWebSockets.js'] as const),
  ...['@duckdb/node-api', '@ladybugdb/core', 'hyparquet', 'hyparquet-writer'].flatMap((to) =>
    ['ingest', 'deploy'].map((from) => [from, to] as const),
  ),
  ...['@aws-sdk/client-kinesis', '@smithy/node-http-handler', 'kafkajs'].flatMap((to) =>
    ['ingest', 'enrich', 'deploy', 'deploy/host'].map((from) => [from, to] as const),
  ),
  ...['ingest', 'deploy', 'deploy/streams/kafka'].map((from) => [from, 'neo4j-driver'] as const),
  ...['uWebSockets.js', 'rxjs', '@duckdb/node-api', 'sluice', '../../../test/a.ts'].map(
    (to) => ['deploy/stores/s3', to] as const,
  ),
  // the rooms of vendors
  ['deploy/stores/s3', '../../host/a.ts'],
  ['deploy/stores/s3', '../../streams/kafka/a.ts'],
  ['deploy/streams/kinesis', '../kafka/a.ts'],
  // Flink
  ['deploy/host', '../flink/check/a.ts'],
  ['deploy/flink/check', '../rest/a.ts'],
  ['deploy/flink/runtime', '../check/a.ts'],
  // the stacks for AWS
  ['deploy/host', '../aws/src/a.ts'],
  ['deploy/aws/src/stacks', '../../../../dist/schemas/a.js'],
  ...['../../../dist/schemas/a.js', '../../../schemas/a.ts', '../../host/a.ts', 'rxjs', 'yaml'].map(
    (to) => ['deploy/aws/src', to] as const,
  ),
  ['deploy/aws/src/sluice.ts', 'aws-cdk-lib'],
  ...[
    '../../enrich/a.ts',
    '../host/a.ts',
    '../streams/kafka/a.ts',
    'node:fs',
    '../../test/a.ts',
  ].map((to) => ['deploy/cost', to] as const),
  // time and the environment by another door
  ...['node:timers', 'node:timers/promises', 'timers', 'node:process'].flatMap((to) =>
    [
      'schemas',
      'schemas/kernel',
      'topology',
      'topology/graph',
      'topology/dsl',
      'topology/runtime',
      'ingest',
      'enrich',
    ].map((from) => [from, to] as const),
  ),
];

const plantedAt = (from: string, index: number): string =>
  from.endsWith('.ts') ? from : `${from}/planted-${index}.ts`;

describe('layers', () => {
  it('a clean tree passes, and its files were looked at', () => {
    const report = lint(tree('clean'));
    expect(report.findings).toEqual([]);
    expect(report.status).toBe(0);
    expect(report.files).toBe(Object.keys(clean).length);
  });

  it.each(['static', 'type', 'reexport', 'dynamic'] as const)(
    'every refused import is reported, written as %s',
    (form) => {
      const write = {
        static: (to: string) => `import * as x from '${to}';\nexport const y = x;\n`,
        type: (to: string) => `import type * as x from '${to}';\nexport type Y = typeof x;\n`,
        reexport: (to: string) => `export * from '${to}';\n`,
        dynamic: (to: string) => `export const x = await import('${to}');\n`,
      }[form];
      const planted = refused.map(([from, to], i) => ({
        path: plantedAt(from, i),
        from,
        to,
      }));
      const report = lint(
        tree(form, Object.fromEntries(planted.map(({ path, to }) => [path, write(to)]))),
      );
      const found = new Set(
        report.findings
          .filter(({ rule }) => rule === 'no-restricted-imports')
          .map(({ path }) => path),
      );
      expect(
        planted.filter(({ path }) => !found.has(path)).map(({ from, to }) => `${from} -> ${to}`),
      ).toEqual([]);
      expect([...found].filter((path) => !planted.some((file) => file.path === path))).toEqual([]);
      expect(planted.length).toBeGreaterThan(150);
      expect(report.status).not.toBe(0);
    },
  );

  it('every layer rule of the configuration has fired, by its message', () => {
    const config = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8')) as {
      readonly overrides: readonly { readonly rules: Readonly<Record<string, unknown>> }[];
    };
    const messages = new Set<string>();
    for (const { rules } of config.overrides) {
      const rule = rules['no-restricted-imports'] as
        | readonly [string, { readonly patterns: readonly { readonly message: string }[] }]
        | undefined;
      for (const { message } of rule?.[1].patterns ?? []) messages.add(message);
    }
    const report = lint(
      tree(
        'messages',
        Object.fromEntries(
          refused.map(([from, to], i) => [plantedAt(from, i), `import '${to}';\n`]),
        ),
      ),
    );
    const heard = new Set(report.findings.map(({ help }) => help));
    expect([...messages].filter((message) => !heard.has(message))).toEqual([]);
    expect(messages.size).toBeGreaterThan(10);
  });
});

describe('ambient time, chance and environment', () => {
  const uses: Readonly<Record<string, string>> = {
    'Date.now': 'export const x = Date.now();\n',
    'Date.now taken apart': 'export const { now } = Date;\n',
    "Date['now']": "export const x = Date['now']();\n",
    'globalThis.Date.now': 'export const x = globalThis.Date.now();\n',
    'Math.random': 'export const x = Math.random();\n',
    'globalThis.Math.random': 'export const x = globalThis.Math.random();\n',
    'process.env': "export const x = process.env['HOME'];\n",
    'globalThis.process.env': "export const x = globalThis.process.env['HOME'];\n",
    setTimeout: 'export const x = setTimeout(() => 1, 1);\n',
    'globalThis.setTimeout': 'export const x = globalThis.setTimeout(() => 1, 1);\n',
    setInterval: 'export const x = setInterval(() => 1, 1);\n',
    setImmediate: 'export const x = setImmediate(() => 1);\n',
  };
  const places = [
    'schemas',
    'schemas/kernel',
    'schemas/ports',
    'topology',
    'topology/runtime',
    'topology/examples/demo',
    'ingest',
    'enrich',
  ];

  it('is refused everywhere but in the clock, the chance, deploy and test', () => {
    const planted = places.flatMap((place) =>
      Object.entries(uses).map(([name, code], i) => ({
        path: `${place}/planted-${i}.ts`,
        name,
        code,
      })),
    );
    const allowed = Object.values(uses).flatMap((code, i) =>
      [`deploy/allowed-${i}.ts`, `test/allowed-${i}.ts`].map((path) => [path, code] as const),
    );
    const report = lint(
      tree(
        'ambient',
        Object.fromEntries([...planted.map(({ path, code }) => [path, code] as const), ...allowed]),
      ),
    );
    const found = new Set(
      report.findings
        .filter(({ rule }) => rule.startsWith('no-restricted-'))
        .map(({ path }) => path),
    );
    expect(
      planted.filter(({ path }) => !found.has(path)).map(({ path, name }) => `${path}: ${name}`),
    ).toEqual([]);
    expect([...found].filter((path) => !path.includes('planted'))).toEqual([]);
    expect(report.files).toBe(Object.keys(clean).length + planted.length + allowed.length);
  });
});

describe('the other rules of oxlint', () => {
  it.each([
    [
      'no-cycle',
      'ingest/c.ts',
      {
        'ingest/b.ts': "import { c } from './c.ts';\nexport const b = (): number => c();\n",
        'ingest/c.ts': "import { b } from './b.ts';\nexport const c = (): number => b();\n",
      },
    ],
    [
      'no-floating-promises',
      'ingest/b.ts',
      {
        'ingest/b.ts':
          'async function f(): Promise<void> {}\nexport function g(): void {\n  f();\n}\n',
      },
    ],
    [
      'no-misused-promises',
      'ingest/b.ts',
      {
        'ingest/b.ts':
          'async function f(): Promise<boolean> {\n  return true;\n}\nexport const g = (): number => (f() ? 1 : 2);\n',
      },
    ],
    [
      'max-lines-per-function',
      'ingest/b.ts',
      { 'ingest/b.ts': `export function f(): void {${'\n'.repeat(70)}}\n` },
    ],
    [
      'switch-exhaustiveness-check',
      'ingest/b.ts',
      {
        'ingest/b.ts':
          "export function f(x: 'a' | 'b'): number {\n  switch (x) {\n    case 'a':\n      return 1;\n  }\n  return 2;\n}\n",
      },
    ],
  ] as const)('%s', (rule, path, files) => {
    const report = lint(tree(rule, files));
    expect(report.findings.map((finding) => `${finding.rule} ${finding.path}`)).toContain(
      `${rule} ${path}`,
    );
    expect(report.status).not.toBe(0);
  });
});

describe('knip', () => {
  const manifest = JSON.stringify({
    name: 'sluice',
    type: 'module',
    bin: { sluice: 'bundle/deploy/cli/main.js' },
    dependencies: {
      rxjs: '*',
      'uWebSockets.js': '*',
      '@duckdb/node-api': '*',
      '@ladybugdb/core': '*',
      hyparquet: '*',
      'hyparquet-writer': '*',
    },
  });
  const used = {
    'package.json': manifest,
    'deploy/cli/main.ts': "import { used } from '../used.ts';\nconsole.log(used);\n",
    'deploy/used.ts': 'export const used = 1;\n',
  };
  const plainTree = (extra: Readonly<Record<string, string>>): string => {
    const folder = temporaryFolder('knip');
    plant(folder, { ...used, ...extra });
    for (const config of ['tsconfig.json', 'knip.json'])
      copyFileSync(join(root, config), join(folder, config));
    return folder;
  };
  const knip = (folder: string) =>
    run(folder, tool('knip'), '--include', 'files,exports,types', '--no-config-hints');

  it('passes a tree where everything is used', () => {
    const done = knip(plainTree({}));
    expect(done.output).not.toContain('Unused');
    expect(done.status).toBe(0);
  });

  it('reports an unused export', () => {
    const done = knip(
      plainTree({ 'deploy/used.ts': 'export const used = 1;\nexport const planted = 2;\n' }),
    );
    expect(done.output).toMatch(/planted +deploy\/used\.ts/);
    expect(done.status).not.toBe(0);
  });

  it('reports an unused file', () => {
    const done = knip(plainTree({ 'ingest/planted.ts': text }));
    expect(done.output).toContain('ingest/planted.ts');
    expect(done.status).not.toBe(0);
  });
});

describe('the lock file', () => {
  const script = join(root, 'test', 'tools', 'complete-lock.mjs');
  const foreign = /^node_modules\/.*(darwin|win32)/;
  const lockText = readFileSync(join(root, 'package-lock.json'), 'utf8');

  it('of this repository is complete', () => {
    const done = run(root, process.execPath, script, '--check');
    expect(done.output).toMatch(/: \d{3,} entries, none missing/);
    expect(done.status).toBe(0);
  });

  it('with entries taken out is refused by name, and completed to what it was', () => {
    const lock = JSON.parse(lockText) as {
      packages: Record<string, { integrity?: string; optional?: boolean }>;
    };
    const removed = Object.entries(lock.packages).filter(
      ([path, entry]) =>
        foreign.test(path) && entry.integrity === undefined && entry.optional === true,
    );
    expect(removed.length).toBeGreaterThan(0);
    for (const [path] of removed) delete lock.packages[path];
    const folder = temporaryFolder('lock');
    plant(folder, { 'package-lock.json': `${JSON.stringify(lock, null, 2)}\n` });
    const refusedLock = run(folder, process.execPath, script, '--check');
    expect(refusedLock.status).toBe(1);
    for (const [path] of removed) expect(refusedLock.output).toContain(`no entry for ${path};`);
    expect(run(folder, process.execPath, script).status).toBe(0);
    expect(run(folder, process.execPath, script, '--check').status).toBe(0);
    // npm sorts the keys and marks what only development needs when it next writes the file: what
    // installs depend on is compared.
    const said = (text: string): unknown => {
      const { packages } = JSON.parse(text) as {
        packages: Record<string, Record<string, unknown>>;
      };
      return Object.fromEntries(
        Object.entries(packages).map(([path, { version, optional, os, cpu }]) => [
          path,
          { version, optional: optional ?? false, os, cpu },
        ]),
      );
    };
    expect(said(readFileSync(join(folder, 'package-lock.json'), 'utf8'))).toEqual(said(lockText));
  });
});

describe('biome', () => {
  const checked = (files: Readonly<Record<string, string>>) => {
    const folder = temporaryFolder('biome');
    plant(folder, files);
    copyFileSync(join(root, 'biome.json'), join(folder, 'biome.json'));
    return run(folder, tool('biome'), 'check');
  };

  it('passes a well-formed file', () => {
    const done = checked({ 'ingest/a.ts': text });
    expect(done.output).toMatch(/Checked [1-9]\d* files?/);
    expect(done.status).toBe(0);
  });

  it.each([
    ['quotes', 'export const a = "a";\n'],
    ['semicolons', "export const a = 'a'\n"],
    ['indents', "export function f(): string {\n    return 'a';\n}\n"],
    [
      'line width',
      `export const list = [${Array.from({ length: 40 }, (_, i) => 1000 + i).join(', ')}];\n`,
    ],
    ['import order', "import b from './b.ts';\nimport a from './a.ts';\n\nexport { a, b };\n"],
  ])('reports wrong %s', (_name, planted) => {
    const done = checked({ 'ingest/planted.ts': planted });
    expect(done.output).toContain('ingest/planted.ts');
    expect(done.status).not.toBe(0);
  });

  it.each(['dist/a.ts', 'bundle/a.ts', '.build/a.ts', '.sluice/a.ts', 'ingest/a.gen.ts'])(
    'leaves %s alone',
    (path) => {
      expect(checked({ 'ingest/a.ts': text, [path]: 'export const a = "a"' }).status).toBe(0);
    },
  );
});

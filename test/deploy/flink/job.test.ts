/**
 * A topology on Flink gives what it gives here: a job on an embedded cluster, and cases of each
 * operator on Flink's own harness. The long form is `npm run conformance -- --engine flink`.
 */
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleForFlink } from '../../../deploy/flink/bundle.ts';
import { builtJob, jvmOptions, scriptEngines } from '../../../deploy/flink/jar.ts';
import type { FlinkSettings } from '../../../deploy/flink/settings.ts';
import { createDriver, event } from '../../../topology/testing.ts';
import type { Case } from '../../conformance/case.ts';
import { parseCases } from '../../conformance/case.ts';
import { CaseServer } from '../../conformance/flink/case-server.ts';
import { compare } from '../../conformance/flink/compare.ts';
import { flinkOpener } from '../../conformance/flink/flink-driver.ts';
import { judge } from '../../conformance/runner.ts';
import { windowTopology } from '../../conformance/subjects/window.ts';
import { flinkVariations, variationsOf } from '../../conformance/variations.ts';
import { root, temporaryFolder } from '../../repo/support.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { Click } from './topologies.ts';
import topology, { plansFile } from './topologies.ts';

const run = promisify(execFile);
const sinks = ['twice', 'sums', 'thirds'] as const;
const plans = Array.from({ length: 5 }, (_, n) => ({
  user: `user-${n}`,
  // The last is longer than its column.
  plan: 'pro'.padEnd(n + 1, '+'),
}));

/** Maven fetches what it needs the first time. */
const buildMaxMs = 600_000;
const runMaxMs = 240_000;

const clicks = Array.from({ length: 400 }, (_, n) => {
  const late = n % 37 === 0 ? 30_000 : 0;
  const data: Click = {
    user: `user-${n % 11}`,
    price: n % 20,
    at: 1_700_000_000_000 + n * 250 - late,
  };
  return event(data, { id: `e${n}` });
});

/** Rows as text, in no order: between keys there is none. */
const sorted = (rows: readonly unknown[]): readonly string[] =>
  rows.map((row) => JSON.stringify(row)).sort();

const rowsOf = (file: string): readonly unknown[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);

describe.skipIf(javaMissing() !== undefined)('a topology on Flink', () => {
  beforeAll(() => builtJob({ harness: true }), buildMaxMs);

  it.each(scriptEngines)(
    'gives on an embedded cluster the rows and rejections that it gives here, on %s',
    async (engine) => {
      const folder = temporaryFolder('flink');
      const source = join(root, 'test/deploy/flink/topologies.ts');
      const { planText, bundle } = await bundleForFlink(source);
      const path = (name: string): string => join(folder, name);
      writeFileSync(path('plan.json'), planText);
      writeFileSync(path('bundle.js'), bundle);
      writeFileSync(
        path('clicks.ndjson'),
        clicks.map((click) => `${JSON.stringify(click)}\n`).join(''),
      );
      writeFileSync(path(plansFile), JSON.stringify(plans));
      const lines = (name: string) => ({ connector: 'lines', path: path(name) }) as const;
      const settings: FlinkSettings = {
        parallelism: 2,
        engine,
        // All events are read before the first emission: as by one tick here.
        watermarkIntervalMs: runMaxMs,
        freezes: 'all',
        sources: { clicks: lines('clicks.ndjson') },
        sinks: Object.fromEntries(sinks.map((name) => [name, lines(name)])),
        rejected: lines('rejected'),
        tables: { plans: path(plansFile) },
      };
      writeFileSync(path('settings.json'), JSON.stringify(settings));
      const { jar, flinkClassPath } = await builtJob({ harness: true, engine });
      const given = ['plan.json', 'bundle.js', 'settings.json'].flatMap((name) => [
        `--${name.replace(/\..*/, '')}`,
        path(name),
      ]);
      const jvm = ['-Xmx1g', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', ...jvmOptions];
      await run(
        'java',
        [...jvm, '-cp', `${jar}:${flinkClassPath}`, 'sluice.flink.Main', ...given],
        {
          maxBuffer: 1 << 26,
        },
      );

      const driver = await createDriver(topology, { tables: { [plansFile]: plans } });
      await driver.push('clicks', clicks);
      await driver.advanceWatermark('max');
      for (const name of sinks)
        expect(sorted(rowsOf(join(path(name), 'rows.ndjson'))), name).toEqual(
          sorted(driver.read(name).map(({ value, timestamp }) => ({ timestamp, value }))),
        );
      const rejected = driver.rejected();
      expect([...new Set(rejected.map(({ code }) => code))].sort()).toEqual([
        'function-threw',
        'row-mismatch',
        'schema-violation',
      ]);
      const there = rowsOf(join(path('rejected'), 'rows.ndjson')) as readonly Record<
        string,
        unknown
      >[];
      expect(sorted(there.map(({ operator, code, value }) => ({ operator, code, value })))).toEqual(
        sorted([
          ...rejected.map(({ operator, code, value }) => ({ operator, code, value })),
          ...driver.read('unlucky').map(({ value }) => ({
            operator: 'unlucky',
            code: 'rejected-by-topology',
            value,
          })),
        ]),
      );
    },
    runMaxMs,
  );
});

/** Of each operator the first cases of its file: its widest ones. */
const files = [
  'assign',
  'window',
  'window-session',
  'window-early',
  'interval-join',
  'interval-join-left',
  'watermarks',
  'merge-valve',
  'merge-combined',
  'timers',
  'ttl',
  'deduplicate',
];
const casesOfFile = 2;

const selection: readonly Case[] = files.flatMap((name) => {
  const file = join(root, 'test/conformance/cases', `${name}.yaml`);
  return parseCases(file, readFileSync(file, 'utf8')).cases.slice(0, casesOfFile);
});

const openerOf = (server: CaseServer, { operator, config }: Case) =>
  flinkOpener(server, { operator, config });

describe.skipIf(javaMissing() !== undefined)('a case on the operators of the job', () => {
  let server: CaseServer;
  beforeAll(async () => {
    server = await CaseServer.start();
  }, buildMaxMs);
  afterAll(() => server.stop());

  it.each(selection.map((one) => [`${one.operator}: ${one.name}`, one] as const))(
    '%s',
    async (_name, one) => {
      const { failures } = await judge(
        one,
        variationsOf(one, flinkVariations),
        openerOf(server, one),
      );
      expect(failures).toEqual([]);
    },
    runMaxMs,
  );

  it(
    'that expects another row fails',
    async () => {
      const one = selection.find(({ operator }) => operator === 'deduplicate');
      if (one === undefined) throw new Error('no case');
      const operations = one.operations.map((operation) =>
        operation.key === 'expect' ? { ...operation, value: [['planted', 0]] } : operation,
      );
      const { failures } = await judge(
        { ...one, operations },
        flinkVariations.slice(0, 1),
        openerOf(server, one),
      );
      expect(failures.map(({ kind }) => kind)).toEqual(['expect']);
    },
    runMaxMs,
  );

  it(
    'of which a savepoint is restored continues with a stateless node more, and with another parallelism',
    async () => {
      const config = { tumbling: 10 };
      const row = (at: number) => event({ key: `k${at % 3}`, value: at, at });
      const before = await flinkOpener(server, { operator: 'window', config })(
        windowTopology(config),
        { parallelism: 1 },
      );
      await before.push('in', [1, 2, 3, 4].map(row));
      const snapshot = await before.snapshot();
      before.close();
      const after = await flinkOpener(server, { operator: 'window', config, grown: true })(
        windowTopology(config, true),
        { parallelism: 2 },
      );
      await after.restore(snapshot);
      await after.push('in', [5, 6].map(row));
      await after.advanceWatermark('max');
      const sums = after.read('out').map(({ value }) => value as { key: string; total: number });
      after.close();
      expect(sorted(sums.map(({ key, total }) => [key, total]))).toEqual(
        sorted([
          ['k0', 9],
          ['k1', 5],
          ['k2', 7],
        ]),
      );
    },
    runMaxMs,
  );

  it.each([
    [1, 1],
    [2, 2],
  ])(
    'of every kind gives what the engine gives, step by step (seed %i, parallelism %i)',
    async (seed, parallelism) => {
      const { difference, rows } = await compare(server, seed, { steps: 150, parallelism });
      expect(difference).toBeUndefined();
      expect(rows).toBeGreaterThan(300);
    },
    runMaxMs,
  );
});

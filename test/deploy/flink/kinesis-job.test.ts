/**
 * A topology whose source is a Kinesis stream (kinesis-local) gives on Flink, with parallelism 2,
 * the rows and rejections that it gives here for the same events: plain records, and several events
 * in one (KPL aggregation, plain and in gzip).
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleForFlink } from '../../../deploy/flink/bundle.ts';
import { builtJob, jvmOptions } from '../../../deploy/flink/jar.ts';
import type { FlinkSettings } from '../../../deploy/flink/settings.ts';
import { localBlobStore } from '../../../deploy/stores/local/local-blob-store.ts';
import { createKinesisWriter } from '../../../deploy/streams/kinesis/kinesis-writer.ts';
import type { SluiceEvent } from '../../../schemas/event.ts';
import { encodeAggregate } from '../../../schemas/kpl.ts';
import type { OutgoingRecord } from '../../../schemas/ports/record.ts';
import { encodeStructured } from '../../../schemas/wire.ts';
import { createDriver, event } from '../../../topology/testing.ts';
import { root } from '../../repo/support.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { KinesisServer } from '../../servers/kinesis.ts';
import { startKinesis, testCredentials } from '../../servers/kinesis.ts';
import topology, { plansFile } from './topologies.ts';

const sinks = ['twice', 'sums', 'thirds'] as const;
const buildMaxMs = 600_000;
const runMaxMs = 240_000;

const rounds = 12;
const users = 11;
const firstMs = 1_700_000_000_000;
const plans = [{ user: 'user-1', plan: 'pro' }];

const click = (id: string, user: number, price: number, at: number): SluiceEvent =>
  event(
    { user: `user-${user}`, price, at },
    { id, team: 'shop', app: 'clicks', partitionkey: `user-${user}` },
  );

/** A round a second: three events of each user. Behind all a click each, an hour later, which ends all windows. */
const clicks = [
  ...Array.from({ length: rounds * users }, (_, n) => {
    const [round, user] = [Math.floor(n / users), n % users];
    return [0, 1, 2].map((k) =>
      click(`e${n}-${k}`, user, (n * 3 + k * 7) % 20, firstMs + round * 1_000 + k),
    );
  }),
  ...Array.from({ length: 10 }, (_, user) => [click(`last-${user}`, user, 2, firstMs + 3_600_000)]),
];

/** Behind all of them, too. */
const claimed = click('claimed', 2, 4, firstMs + 3_600_000);

function recordOf({ data, ...attributes }: SluiceEvent): OutgoingRecord {
  const value = encodeStructured(attributes, Buffer.from(JSON.stringify(data)));
  return { key: attributes.partitionkey, value };
}

/** Events of one user in one record, in each of its forms in turn. */
function recordsOf(events: readonly SluiceEvent[], n: number): readonly OutgoingRecord[] {
  const own = events.map(recordOf);
  if (n % 3 === 0) return own;
  const value = encodeAggregate(own);
  const key = own[0]?.key ?? '';
  return [{ key, value: n % 3 === 1 ? value : [gzipSync(Buffer.concat(value))] }];
}

/** Rows as text, in no order: between keys there is none. */
const sorted = (rows: readonly unknown[]): readonly string[] =>
  rows.map((row) => JSON.stringify(row)).sort();

describe.skipIf(javaMissing() !== undefined)('a topology that reads Kinesis on Flink', () => {
  const stream = 'shop-clicks';
  const folder = mkdtempSync(join(tmpdir(), 'sluice-flink-kinesis-'));
  const path = (name: string): string => join(folder, name);
  let server: KinesisServer;
  let job: ChildProcess | undefined;
  beforeAll(async () => {
    [server] = await Promise.all([startKinesis(), builtJob({ harness: true })]);
  }, buildMaxMs);
  afterAll(async () => {
    job?.kill('SIGKILL');
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function write(): Promise<void> {
    Object.assign(process.env, testCredentials);
    await server.createStream(stream, 2);
    const { endpoint } = server;
    const writer = createKinesisWriter({ endpoint, streams: new Map([['shop/clicks', stream]]) });
    for (const [n, events] of clicks.entries())
      for (const record of recordsOf(events, n))
        expect(await writer.write('shop/clicks', [record])).toMatchObject([{ kind: 'applied' }]);
    // One whose data is in the store of claims.
    const ref = 'shop/clicks/there';
    const data = Buffer.from(JSON.stringify(claimed.data));
    await localBlobStore(path('claims')).createIfAbsent(ref, data);
    const datasha256 = createHash('sha256').update(data).digest('hex');
    const { data: _, ...attributes } = claimed;
    const pointer = { dataref: `claim:${ref}`, datasize: String(data.length), datasha256 };
    const value = encodeStructured({ ...attributes, extensions: pointer }, Buffer.from('null'));
    expect(await writer.write('shop/clicks', [{ key: 'user-2', value }])).toMatchObject([
      { kind: 'applied' },
    ]);
    await writer.close();
  }

  async function start(): Promise<void> {
    const { planText, bundle } = await bundleForFlink(
      join(root, 'test/deploy/flink/topologies.ts'),
    );
    const lines = (name: string) => ({ connector: 'lines', path: path(name) }) as const;
    const clicksOf = { connector: 'kinesis', stream, endpoint: server.endpoint } as const;
    const settings: FlinkSettings = {
      ...{ parallelism: 2, checkpointIntervalMs: 500, freezes: 'all' },
      sources: {
        clicks: {
          ...{ ...clicksOf, region: testCredentials.AWS_REGION },
          claims: { folder: path('claims') },
        },
      },
      sinks: Object.fromEntries(sinks.map((name) => [name, lines(name)])),
      rejected: lines('rejected'),
      tables: { plans: path(plansFile) },
    };
    writeFileSync(path('plan.json'), planText);
    writeFileSync(path('bundle.js'), bundle);
    writeFileSync(path('settings.json'), JSON.stringify(settings));
    writeFileSync(path(plansFile), JSON.stringify(plans));
    const { jar, flinkClassPath } = await builtJob({ harness: true });
    const given = ['plan.json', 'bundle.js', 'settings.json'].flatMap((name) => [
      `--${name.replace(/\..*/, '')}`,
      path(name),
    ]);
    const jvm = [
      ...['-Xmx1g', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', ...jvmOptions],
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    ];
    job = spawn(
      'java',
      [...jvm, '-cp', `${jar}:${flinkClassPath}`, 'sluice.flink.Main', ...given],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, ...testCredentials },
      },
    );
  }

  /** The rows of a folder that are written whole. */
  function rowsOf(name: string): readonly Record<string, unknown>[] {
    const file = join(path(name), 'rows.ndjson');
    if (!existsSync(file)) return [];
    return readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** They come with checkpoints. */
  async function rowsWithin(
    name: string,
    count: number,
  ): Promise<readonly Record<string, unknown>[]> {
    for (;;) {
      const rows = rowsOf(name);
      if (rows.length >= count) return rows;
      if (job === undefined || job.exitCode !== null)
        throw new Error(`the job ended with ${rows.length} of ${count} rows of ${name}`);
      await sleep(200);
    }
  }

  it('gives the rows and rejections that it gives here', { timeout: runMaxMs }, async () => {
    await write();
    await start();
    const driver = await createDriver(topology, { tables: { [plansFile]: plans } });
    await driver.push('clicks', [...clicks.flat(), claimed]);
    await driver.advanceWatermark('max');
    for (const name of sinks) {
      const here = driver.read(name).map(({ value, timestamp }) => ({ timestamp, value }));
      expect(here.length, name).toBeGreaterThan(10);
      expect(sorted(await rowsWithin(name, here.length)), name).toEqual(sorted(here));
    }
    const rejected = [
      ...driver.rejected().map(({ operator, code, value }) => ({ operator, code, value })),
      ...driver.read('unlucky').map(({ value }) => ({
        ...{ operator: 'unlucky', code: 'rejected-by-topology' },
        value,
      })),
    ];
    const there = await rowsWithin('rejected', rejected.length);
    expect(sorted(there.map(({ operator, code, value }) => ({ operator, code, value })))).toEqual(
      sorted(rejected),
    );
  });
});

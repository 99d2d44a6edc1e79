/**
 * The Flink job reads a topic of a real Kafka as the engine does: what the ingress's writer wrote,
 * in any compression, with claims and with records that are none; time is per partition, also after
 * the job stopped with a savepoint and continued with more and fewer tasks.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleForFlink } from '../../../deploy/flink/bundle.ts';
import type { FlinkLine } from '../../../deploy/flink/jar.ts';
import { builtJob } from '../../../deploy/flink/jar.ts';
import { localBlobStore } from '../../../deploy/stores/local/local-blob-store.ts';
import { s3BlobStore } from '../../../deploy/stores/s3/s3-blob-store.ts';
import { createKafkaWriter } from '../../../deploy/streams/kafka/kafka-writer.ts';
import { partitionOfKey } from '../../../deploy/streams/kafka-partition.ts';
import type { EventAttributes } from '../../../schemas/event.ts';
import type { KafkaCompression } from '../../../schemas/kafka-compressions.ts';
import { kafkaCompressions } from '../../../schemas/kafka-compressions.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import type { OutgoingRecord } from '../../../schemas/ports/record.ts';
import { encodeBinary, encodeStructured } from '../../../schemas/wire.ts';
import { createDriver, event } from '../../../topology/testing.ts';
import { root } from '../../repo/support.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { KafkaServer } from '../../servers/kafka.ts';
import { startKafka } from '../../servers/kafka.ts';
import type { Moto } from '../../servers/moto.ts';
import { startMoto } from '../../servers/moto.ts';
import { isFull } from './full.ts';
import { startJob } from './job-run.ts';
import type { Reading } from './kafka-topology.ts';
import topology from './kafka-topology.ts';
import type { LocalRun } from './local-run.ts';
import upgradeTopology, { distinct, upgradeSinks } from './upgrade-topology.ts';

const topic = 'shop-readings';
const partitions = 3;
const credentials = {
  AWS_ACCESS_KEY_ID: 'AKIDFLINK',
  AWS_SECRET_ACCESS_KEY: 'secret',
  AWS_REGION: 'eu-central-1',
};
const begin = Date.parse('2026-01-01T00:00:00.000Z');
const minute = 60_000;
/** A key of each partition. */
const keys = Array.from({ length: partitions }, (_, partition) => {
  const all = Array.from({ length: 100 }, (_, n) => `key-${n}`);
  return all.find((key) => partitionOfKey(key, partitions) === partition) ?? '';
});

/** One a second. */
const readingsOf = (partition: number, from: number, to: number): readonly Reading[] =>
  Array.from({ length: to - from }, (_, i) => ({
    n: from + i,
    at: begin + (from + i) * 1_000,
    key: keys[partition] ?? '',
  }));

const idOf = ({ key, n }: Reading): string => `${key}/${n}`;

const attributesOf = (reading: Reading): EventAttributes => ({
  ...{ id: idOf(reading), source: '/shop/readings', type: 'shop.readings' },
  ...{ time: '2026-01-01T00:00:00.000Z', datacontenttype: 'application/json' },
  ...{ team: 'shop', app: 'readings', partitionkey: reading.key },
  receivedtime: '2026-01-01T00:00:00.000Z',
});

/** As both routes of the ingress write it. */
function recordOf(reading: Reading): OutgoingRecord {
  const data = Buffer.from(JSON.stringify(reading));
  if (reading.n % 2 === 0) return encodeBinary(attributesOf(reading), data);
  return { key: reading.key, value: encodeStructured(attributesOf(reading), data) };
}

interface Row {
  readonly timestamp: number;
  readonly value: Readonly<Record<string, unknown>>;
}

const sorted = (rows: readonly unknown[]): readonly string[] =>
  rows.map((row) => JSON.stringify(row)).sort();

describe.skipIf(javaMissing() !== undefined)('a topic of Kafka on Flink', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-flink-kafka-'));
  const path = (name: string): string => join(folder, name);
  const claims = path('claims');
  const claimStore = localBlobStore(claims);
  const runs: LocalRun[] = [];
  let server: KafkaServer;
  let moto: Moto;

  beforeAll(async () => {
    const keysOfUsers = { [credentials.AWS_ACCESS_KEY_ID]: credentials.AWS_SECRET_ACCESS_KEY };
    Object.assign(process.env, credentials);
    const [started, s3] = await Promise.all([
      startKafka({ keys: keysOfUsers }),
      startMoto(),
      builtJob({ harness: true }),
    ]);
    server = started;
    moto = s3;
    await server.createTopic(topic, partitions);
    const source = join(root, 'test/deploy/flink/kafka-topology.ts');
    const { planText, bundle } = await bundleForFlink(source);
    writeFileSync(path('plan.json'), planText);
    writeFileSync(path('bundle.js'), bundle);
    mkdirSync(claims, { recursive: true });
  }, 600_000);
  afterAll(async () => {
    for (const one of runs) await one.kill();
    await server.stop();
    await moto.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function write(
    records: readonly OutgoingRecord[],
    compression: KafkaCompression = 'none',
    to = topic,
  ) {
    const connection = { brokers: [server.plain], tls: false, clientId: 'test' };
    const topics = new Map([['shop/readings', to]]);
    const writer = createKafkaWriter({ connection, topics, clock: systemClock, compression });
    const outcomes = await writer.write('shop/readings', records);
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['applied']));
    await writer.close();
  }

  async function start(
    to: string,
    parallelism: number,
    more: Readonly<Record<string, unknown>> = {},
    savepoint?: string,
    env: Readonly<Record<string, string>> = credentials,
  ): Promise<LocalRun> {
    const lines = (name: string) => ({ connector: 'lines', path: path(`${to}/${name}`) });
    const kafka = { connector: 'kafka', brokers: server.plain, discoveryMs: 500 };
    const sinks = ['read', 'totals', 'late', 'idle-totals'];
    const started = await startJob({
      ...{ folder, parallelism, savepoint, env },
      settings: {
        watermarkIntervalMs: 50,
        sources: { readings: { ...kafka, claims: { folder: claims }, ...more } },
        sinks: Object.fromEntries(sinks.map((name) => [name, lines(name)])),
        rejected: lines('rejected'),
      },
    });
    runs.push(started);
    return started;
  }

  const rowsOf = (name: string): readonly Row[] => {
    const file = path(`${name}/rows.ndjson`);
    if (!existsSync(file)) return [];
    // What is being written may end in the middle of a line.
    const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Row);
  };

  /** Until there are so many rows, or more. */
  async function rows(job: LocalRun, name: string, count: number): Promise<readonly Row[]> {
    for (;;) {
      const found = rowsOf(name);
      if (found.length >= count) return found;
      if (!job.isRunning) throw new Error(`${found.length} of ${count} ${name}:\n${job.log}`);
      await sleep(50);
    }
  }

  /** Totals of the windows that end before `until`, as the engine has them. */
  async function totalsHere(all: readonly Reading[], until: number): Promise<readonly unknown[]> {
    const driver = await createDriver(topology);
    const inOrder = [...all].sort((a, b) => a.at - b.at);
    await driver.push(
      'readings',
      inOrder.map((reading) => event(reading, { id: idOf(reading) })),
    );
    await driver.advanceWatermark(until - 1);
    return driver.read('totals').map(({ value, timestamp }) => ({ timestamp, value }));
  }

  it('is read as here, and its partitions keep their time when they move', {
    timeout: 300_000,
  }, async () => {
    const all: Reading[] = [];
    const send = async (partition: number, from: number, to: number): Promise<void> => {
      const readings = readingsOf(partition, from, to);
      all.push(...readings);
      const each = Math.ceil(readings.length / kafkaCompressions.length);
      for (const [i, compression] of kafkaCompressions.entries())
        await write(readings.slice(i * each, (i + 1) * each).map(recordOf), compression);
    };
    // All of one partition is there before the next has any.
    for (let partition = 0; partition < partitions; partition++) await send(partition, 0, 200);
    const claimed: Reading = { n: 200, at: begin + 200_000, key: keys[0] ?? '', pad: 'é' };
    all.push(claimed);
    await write([
      await claimOf(claimed),
      await claimOf({ ...claimed, n: 1e9 }, 'gone'),
      ...broken(),
    ]);
    const first = await start('moved', 1);
    await rows(first, 'moved/read', 601);
    await rows(first, 'moved/totals', 9);
    const one = await first.stop(folder);

    // The third has nothing: it holds time back, whoever reads it now, and a task without any does not.
    await send(0, 201, 400);
    await send(1, 200, 400);
    const second = await start('moved', 4, {}, one);
    await rows(second, 'moved/read', 1_000);
    await send(2, 200, 400);
    expect(sorted(await rows(second, 'moved/totals', 18))).toEqual(
      sorted(await totalsHere(all, begin + 6 * minute)),
    );
    const two = await second.stop(folder);

    // Nothing comes in two of them any more: where they fall idle time goes on.
    await send(0, 400, 700);
    const third = await start('moved', 2, {}, two);
    const idle = (): readonly Row[] =>
      rowsOf('moved/idle-totals').filter(({ value }) => value['key'] === keys[0]);
    while (idle().length < 11) await rows(third, 'moved/idle-totals', idle().length + 1);
    await third.stop(folder);

    const read = rowsOf('moved/read');
    expect(sorted(read.map(({ value }) => value))).toEqual(
      sorted(all.map((reading) => ({ n: reading.n, id: idOf(reading) }))),
    );
    expect(rowsOf('moved/late')).toEqual([]);
    expect(sorted(rowsOf('moved/rejected').map((row) => reasonOf(row)))).toEqual(
      sorted([
        'claim-unresolved partition-0',
        'undecodable-record partition-0',
        'undecodable-record partition-0',
      ]),
    );
  });

  it.skipIf(!isFull)(
    'fails on what is no longer kept, and goes past it where the settings say so, with tokens of MSK IAM',
    {
      timeout: 300_000,
    },
    async () => {
      await server.deleteRecords(topic, 0, 100);
      const from = { positions: { 'partition-0': '9', 'partition-1': '100' } };
      // Without claims, nothing of AWS is needed.
      const nothing = { AWS_REGION: '', AWS_EC2_METADATA_DISABLED: 'true' };
      const failed = await start('failed', 1, { from, claims: undefined }, undefined, nothing);
      const said = await failed.failure();
      expect(said).toContain('the offset 10 is no longer kept; 90 positions up to 100 are gone');
      expect(said).toContain('"whenTrimmed": "oldest"');
      const place = { bucket: 'events', endpoint: moto.endpoint, region: moto.region };
      const inBucket = await bucketOfClaims(place);
      const claims = { ...place, prefix: 'sluice/' };
      const iam = { brokers: server.iam, auth: 'msk_iam', region: credentials.AWS_REGION };
      const job = await start('trimmed', 1, { from, whenTrimmed: 'oldest', claims, ...iam });
      // All that is kept of the first, what is behind the position in the second, all of the third.
      const read = (await rows(job, 'trimmed/read', 600 + 299 + 400)).map(({ value }) => value);
      const nsOf = (key: string): readonly number[] =>
        read.filter(({ id }) => String(id).startsWith(`${key}/`)).map(({ n }) => Number(n));
      expect(keys.map((key) => Math.min(...nsOf(key)))).toEqual([100, 101, 0]);
      expect(read).toContainEqual({ n: 200, id: inBucket });
      await job.stop(folder);
    },
  );

  it.skipIf(!isFull)(
    'is read on Flink 2.2 from a savepoint of Flink 1.20',
    {
      timeout: 600_000,
    },
    async () => {
      const upgraded = 'shop-upgraded';
      await server.createTopic(upgraded, partitions);
      const source = join(root, 'test/deploy/flink/upgrade-topology.ts');
      const { planText, bundle } = await bundleForFlink(source);
      const own = path('upgraded');
      mkdirSync(own);
      writeFileSync(join(own, 'plan.json'), planText);
      writeFileSync(join(own, 'bundle.js'), bundle);
      const lines = (name: string) => ({ connector: 'lines', path: join(own, name) }) as const;
      const startOn = async (flink: FlinkLine, savepoint?: string): Promise<LocalRun> => {
        const settings = {
          watermarkIntervalMs: 50,
          sources: { readings: { connector: 'kafka', brokers: server.plain, topic: upgraded } },
          sinks: Object.fromEntries(upgradeSinks.map((name) => [name, lines(name)])),
          rejected: lines('rejected'),
        } as const;
        const env = credentials;
        const run = await startJob({
          folder: own,
          settings,
          parallelism: 2,
          env,
          savepoint,
          flink,
        });
        runs.push(run);
        return run;
      };
      const all: Reading[] = [];
      const send = async (from: number, to: number): Promise<void> => {
        for (let partition = 0; partition < partitions; partition++) {
          const readings = readingsOf(partition, from, to);
          all.push(...readings);
          await write(readings.map(recordOf), 'none', upgraded);
        }
      };
      await send(0, 200);
      const before = await startOn('1.20');
      await rows(before, 'upgraded/once', 600);
      await rows(before, 'upgraded/sums', 9);
      const savepoint = await before.stop(folder);
      // A session ends in the gap, which began before.
      await send(200, 300);
      await send(340, 400);
      const after = await startOn('2.2', savepoint);

      const driver = await createDriver(upgradeTopology);
      const inOrder = [...all].sort((a, b) => a.at - b.at);
      await driver.push(
        'readings',
        inOrder.map((one) => event(one, { id: idOf(one) })),
      );
      await driver.advanceWatermark(begin + 399_000 - 1);
      for (const name of upgradeSinks) {
        const here = driver.read(name).map(({ value, timestamp }) => ({ timestamp, value }));
        expect(here.length, name).toBeGreaterThan(0);
        if (name === 'once') expect(here).toHaveLength(distinct * partitions);
        const there = await rows(after, `upgraded/${name}`, here.length);
        expect(sorted(there), name).toEqual(sorted(here));
      }
      await after.stop(folder);
      expect(rowsOf('upgraded/rejected')).toEqual([]);
    },
  );

  /** A bucket with the data of the one reading that a record points to; gives its id. */
  async function bucketOfClaims(place: { bucket: string; endpoint: string; region: string }) {
    const { endpoint, region, bucket } = place;
    const client = new S3Client({ endpoint, region, forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    client.destroy();
    const ports = { clock: systemClock, random: systemRandom };
    const store = s3BlobStore({ ...place, prefix: 'sluice/claims', ...ports });
    const key = 'shop/readings/2026-01-01/there';
    await store.createIfAbsent(key, (await claimStore.get(key)) ?? new Uint8Array());
    store.close();
    return `${keys[0]}/200`;
  }

  /** What is no event of this stream. */
  function broken(): readonly OutgoingRecord[] {
    const key = keys[0] ?? '';
    const foreign = { ...attributesOf({ n: 1, at: begin, key }), team: 'other' };
    return [
      { key, value: [Buffer.from([0xff, 0xfe])] },
      { key, value: encodeStructured(foreign, Buffer.from('1')) },
    ];
  }

  /** A record that points to a reading, as the ingress writes it. */
  async function claimOf(reading: Reading, name = 'there'): Promise<OutgoingRecord> {
    const data = Buffer.from(JSON.stringify(reading));
    const ref = `shop/readings/2026-01-01/${name}`;
    if (name !== 'gone') await claimStore.createIfAbsent(ref, data);
    const datasha256 = createHash('sha256').update(data).digest('hex');
    const extensions = { dataref: `claim:${ref}`, datasize: String(data.length), datasha256 };
    const value = encodeStructured({ ...attributesOf(reading), extensions }, Buffer.from('null'));
    return { key: reading.key, value };
  }
});

function reasonOf(row: object): string {
  const { code, origin } = row as {
    readonly code: string;
    readonly origin: { readonly split: string };
  };
  return `${code} ${origin.split.split('-').slice(0, 2).join('-')}`;
}

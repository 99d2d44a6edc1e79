/**
 * A job whose small route carries aggregates: every event of a record counts for itself, and a
 * record is read whole or not at all, whatever the turn's bound, where a run is killed, or where a
 * drain ends.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  embeddedReader,
  openEmbeddedStreams,
} from '../../../deploy/streams/embedded/embedded-log.ts';
import { manualClock, systemClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { encodeAggregate } from '../../../schemas/kpl.ts';
import type { Job, JobConnectors, JobOptions, Topology } from '../../../topology/index.ts';
import {
  count,
  createJob,
  schemaOf,
  stream,
  table,
  topology,
  tumbling,
} from '../../../topology/index.ts';
import { streamConfig } from '../../ingest/support.ts';
import type { World } from '../support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

interface Row {
  readonly id: string;
  readonly n: number;
}

const row = schemaOf<Row>({
  $id: 'https://sluice.example/test/row',
  type: 'object',
  required: ['id', 'n'],
  properties: { id: { type: 'string' }, n: { type: 'integer' } },
});
const click = schemaOf<{ n: number }>({
  $id: 'https://sluice.example/test/click',
  type: 'object',
  required: ['n'],
  properties: { n: { type: 'integer' } },
});
const counted = schemaOf<unknown>({
  $id: 'https://sluice.example/test/counted',
  type: 'object',
  properties: { n: { type: 'integer' } },
});

/**
 * Rows in the order of their events; in windows without order their number, so that a part that is
 * seen twice shows in state.
 */
function clicks(): Topology {
  return topology('clicks', { version: 1, owner: 'a/b' }, (t) => {
    const valid = t
      .source('clicks', stream('a/b'))
      .validate('valid', click)
      .eventTime('time', (e) => e.data.n, { outOfOrderness: '1h', future: { max: 0 } });
    valid.map((e): Row => ({ id: e.id, n: e.data.n })).sinkTo('table', table('clicks', row));
    valid
      .keyBy(() => 'all')
      .window('windows', tumbling(1_000_000))
      .aggregate({ n: count() })
      .out.sinkTo('counted', table('counted', counted));
  });
}

function aggregate(values: readonly Uint8Array[]): { readonly value: Uint8Array } {
  return {
    value: Buffer.concat(
      encodeAggregate(values.map((value) => ({ key: 'one-key', value: [value] }))),
    ),
  };
}

/** Events e`from` to before e`to`; every tenth is not what the schema asks for. */
function eventsOf(from: number, to: number): readonly Uint8Array[] {
  return Array.from(
    { length: to - from },
    (_, i) => event(`e${from + i}`, { n: (from + i) % 10 === 7 ? 'seven' : from + i }).value,
  );
}

const numbers = (from: number, to: number, keep: (n: number) => boolean): readonly number[] =>
  Array.from({ length: to - from }, (_, i) => from + i).filter(keep);
const isGood = (n: number): boolean => n % 10 !== 7;

interface Rig {
  readonly made: World;
  readonly clock: ReturnType<typeof manualClock>;
  start(options?: Partial<JobOptions>): Job;
}

function rig(connectors: (made: World) => JobConnectors = (made) => made.connectors): Rig {
  const made = world({ 'a/b': memoryStream(['kinesis', 'shard-0'], ['kafka', 'partition-0']) });
  const blobs = memoryBlobs();
  const clock = manualClock(5_000_000);
  return {
    made,
    clock,
    start: (options = {}) =>
      createJob({
        topology: clicks(),
        blobs,
        connectors: connectors(made),
        clock,
        random: seededRandom(1),
        checkpointIntervalMs: 0,
        turnBounds: { maxRecords: 7, maxBytes: 1e6 },
        ...options,
      }),
  };
}

function send(made: World, ...records: readonly { readonly value: Uint8Array }[]): void {
  const target = made.streams['a/b'];
  if (target === undefined) throw new Error('no stream');
  for (const record of records) put(target, 0, record);
}

/**
 * Aggregates of 1 to 12 events, more than a turn's bound, and some events as they are: 60 events in
 * all.
 */
function sixty(made: World): void {
  let from = 0;
  for (const size of [5, 12, 1, 8, 12, 3, 9]) {
    send(made, aggregate(eventsOf(from, from + size)));
    from += size;
  }
  for (const value of eventsOf(from, 60)) send(made, { value });
}

async function pass({ clock }: Rig, until: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 2_000; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(50);
    if (await until()) return;
  }
}

/** Drains from the start: everything that is there is read, counted and given out. */
async function drained(job: Job, rigged: Rig): Promise<Awaited<ReturnType<Job['status']>>> {
  await job.open();
  const running = job.run();
  let ended = false;
  const over = running.then(
    () => (ended = true),
    () => (ended = true),
  );
  await job.drain();
  await pass(rigged, () => Promise.resolve(ended));
  await over;
  await running;
  const status = await job.status();
  await job.close();
  return status;
}

const landed = (made: World): readonly number[] =>
  ((made.tables['clicks']?.visible ?? []) as readonly Row[]).map(({ n }) => n);
const refused = (made: World): readonly Record<string, unknown>[] =>
  (made.tables['rejected']?.visible ?? []) as readonly Record<string, unknown>[];

describe('a job over aggregates', () => {
  it('lands every event in its order, and counts events, not records', async () => {
    const rigged = rig();
    sixty(rigged.made);
    const { nodes, splits } = await drained(rigged.start(), rigged);
    expect(landed(rigged.made)).toEqual(numbers(0, 60, isGood));
    expect(rigged.made.tables['counted']?.visible).toMatchObject([{ n: 54 }]);
    expect(nodes.find(({ id }) => id === 'clicks')).toMatchObject({
      in: 60,
      passed: 60,
      rejected: 0,
    });
    expect(nodes.find(({ id }) => id === 'valid')).toMatchObject({
      in: 60,
      passed: 54,
      rejected: 6,
    });
    expect(splits.find(({ path }) => path === 'kinesis')).toMatchObject({ position: '17', lag: 0 });
  });

  it('tells the events of one record apart where they are refused: each is a row with its own place', async () => {
    const rigged = rig();
    const junk = Buffer.from([0xff, 0x00]);
    send(rigged.made, aggregate([junk, ...eventsOf(6, 9), junk]), { value: junk });
    const { nodes } = await drained(rigged.start(), rigged);
    expect(landed(rigged.made)).toEqual([6, 8]);
    expect(refused(rigged.made).map(({ id, code, position }) => [id, code, position])).toEqual([
      ['kinesis/shard-0/1:0', 'undecodable-record', '1:0'],
      ['kinesis/shard-0/1:4', 'undecodable-record', '1:4'],
      ['kinesis/shard-0/2', 'undecodable-record', '2'],
      ['e7', 'schema-violation', '1:2'],
    ]);
    expect(nodes.find(({ id }) => id === 'clicks')).toMatchObject({
      in: 6,
      passed: 3,
      rejected: 3,
    });
  });

  it('refuses an aggregate that was altered as one record, and goes on', async () => {
    const rigged = rig();
    const { value } = aggregate(eventsOf(0, 3));
    value[value.length - 1] = (value.at(-1) ?? 0) ^ 1;
    send(rigged.made, { value }, aggregate(eventsOf(3, 5)));
    await drained(rigged.start(), rigged);
    expect(landed(rigged.made)).toEqual([3, 4]);
    expect(refused(rigged.made)).toMatchObject([
      {
        id: 'kinesis/shard-0/1',
        code: 'undecodable-record',
        data_encoding: 'base64',
        data: Buffer.from(value).toString('base64'),
      },
    ]);
  });

  it('drains to the end of the record that was last at the call, and no further', async () => {
    const rigged = rig();
    sixty(rigged.made);
    const job = rigged.start();
    await job.open();
    const running = job.run();
    await job.drain();
    send(rigged.made, aggregate(eventsOf(60, 70)));
    let ended = false;
    const over = running.then(() => (ended = true));
    await pass(rigged, () => Promise.resolve(ended));
    await over;
    await job.close();
    expect(landed(rigged.made)).toEqual(numbers(0, 60, isGood));
    await drained(rigged.start(), rigged);
    expect(landed(rigged.made)).toEqual(numbers(0, 70, isGood));
    expect(rigged.made.tables['counted']?.visible).toMatchObject([{ n: 54 }, { n: 9 }]);
  });

  it('gives each event once, to tables and to state, when it is killed at any step and started again', async () => {
    const calm = rig();
    sixty(calm.made);
    await drained(calm.start(), calm);
    const steps = calm.made.actions.length;
    expect(steps).toBeGreaterThan(20);
    for (let at = 1; at < steps; at++) {
      const rigged = rig();
      sixty(rigged.made);
      let step = 0;
      rigged.made.crash = () => {
        if (++step === at) throw new SluiceError('worker-ended', `killed at step ${at}`);
      };
      await drained(rigged.start(), rigged).catch((thrown: unknown) =>
        expect((thrown as SluiceError).code).toBe('worker-ended'),
      );
      expect(step, `killed at step ${at}`).toBeGreaterThanOrEqual(at);
      await drained(rigged.start(), rigged);
      expect(landed(rigged.made), `killed at step ${at}`).toEqual(numbers(0, 60, isGood));
      expect(rigged.made.tables['counted']?.visible, `killed at step ${at}`).toMatchObject([
        { n: 54 },
      ]);
      expect(refused(rigged.made).length, `killed at step ${at}`).toBe(6);
    }
  });

  it('reads them from the embedded streams, among events as they are', async () => {
    const root = mkdtempSync(join(tmpdir(), 'sluice-aggregates-'));
    const streams = await openEmbeddedStreams({
      root,
      streams: [streamConfig('a', 'b')],
      local: { kinesisShards: 1, kafkaPartitions: 1, retentionMaxBytes: 1e9, retentionMaxMs: 1e9 },
      clock: systemClock,
    });
    try {
      const writer = streams.writer('kinesis');
      for (let from = 0; from < 400; from += 40) {
        const records = eventsOf(from, from + 39).map((value) => ({
          key: 'one-key',
          value: [value],
        }));
        const outcomes = await writer.write('a/b', [
          { key: 'one-key', value: encodeAggregate(records) },
          { key: 'one-key', value: eventsOf(from + 39, from + 40) },
        ]);
        expect(outcomes.map(({ kind }) => kind)).toEqual(['applied', 'applied']);
      }
      const rigged = rig((made) => ({
        ...made.connectors,
        readers: () =>
          Promise.resolve(streams.handles('a/b').map((handle) => embeddedReader(handle))),
      }));
      const { nodes } = await drained(
        rigged.start({ turnBounds: { maxRecords: 100, maxBytes: 1e6 } }),
        rigged,
      );
      expect(landed(rigged.made)).toEqual(numbers(0, 400, isGood));
      expect(nodes.find(({ id }) => id === 'clicks')).toMatchObject({ in: 400, passed: 400 });
    } finally {
      await streams.close();
      rmSync(root, { recursive: true, force: true });
    }
  });
});

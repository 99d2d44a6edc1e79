/**
 * What real streams lose before a topology has read it, and how the topology goes on: records that
 * a Kafka partition keeps no more, and streams of both routes that were deleted and created again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKafkaReader } from '../../../deploy/streams/kafka/kafka-reader.ts';
import { createKafkaWriter } from '../../../deploy/streams/kafka/kafka-writer.ts';
import { createKinesisReader } from '../../../deploy/streams/kinesis/kinesis-reader.ts';
import { createKinesisWriter } from '../../../deploy/streams/kinesis/kinesis-writer.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import type { RecordReader } from '../../../schemas/ports/record-reader.ts';
import type { RecordWriter } from '../../../schemas/ports/record-writer.ts';
import type { JobStatus, StartFrom } from '../../../topology/index.ts';
import { createJob, schemaOf, stream, table, topology } from '../../../topology/index.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { KafkaServer } from '../../servers/kafka.ts';
import { startKafka } from '../../servers/kafka.ts';
import type { KinesisServer } from '../../servers/kinesis.ts';
import { startKinesis, testCredentials } from '../../servers/kinesis.ts';
import { event, memoryBlobs, world } from '../../topology/support.ts';

const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/any-row',
  type: 'object',
  properties: { id: { type: 'string' } },
});
const ids = topology('ids', { version: 1, owner: 'a/b' }, (t) => {
  t.source('events', stream('a/b'))
    .map((e) => ({ id: e.id }))
    .sinkTo('rows', table('rows', anyRow));
});

interface Running {
  status(): Promise<JobStatus>;
  /** The status once it is so. */
  until(holds: (status: JobStatus) => boolean): Promise<JobStatus>;
  skip(split: string, to: string): Promise<string>;
  stop(): Promise<void>;
}

interface Rig {
  readonly write: (from: number, to: number) => Promise<void>;
  start(from?: StartFrom): Promise<Running>;
  /** The numbers of the events that became rows, in the order of the rows. */
  rows(): readonly number[];
  readonly refused: () => readonly { readonly code: string }[];
  readonly splits: () => Promise<readonly string[]>;
  readonly reader: () => RecordReader;
}

/** `make` gives a reader on the stream as it is then. */
function rigOf(make: () => RecordReader, writer: () => RecordWriter): Rig {
  const blobs = memoryBlobs();
  const made = world({});
  return {
    reader: make,
    async write(from, to) {
      const using = writer();
      const texts = Array.from({ length: to - from }, (_, n) => ({
        key: 'k',
        value: [event(String(from + n), { n: from + n }).value],
      }));
      // A topic that was created just now is not known everywhere.
      for (let tries = 0; ; tries++) {
        const outcomes = await using.write('a/b', texts);
        if (outcomes.every(({ kind }) => kind === 'applied')) break;
        if (tries > 100 || outcomes.some(({ kind }) => kind === 'applied'))
          throw new Error(JSON.stringify(outcomes[0]));
        await sleep(50);
      }
      await using.close();
    },
    async start(from) {
      const connectors = { ...made.connectors, readers: async () => [make()] };
      const job = createJob({
        topology: ids,
        blobs,
        connectors,
        clock: systemClock,
        random: systemRandom,
        checkpointIntervalMs: 100,
        from,
      });
      await job.open();
      const running = job.run();
      running.catch(() => undefined);
      return {
        status: () => job.status(),
        async until(holds) {
          for (;;) {
            const status = await job.status();
            if (holds(status)) return status;
            await sleep(50);
          }
        },
        skip: (split, to) => job.skip({ split, to }),
        async stop() {
          job.stop();
          await running;
          await job.close();
        },
      };
    },
    rows: () =>
      (made.tables['rows']?.visible ?? []).map((row) => Number((row as { id: string }).id)),
    refused: () => (made.tables['rejected']?.visible ?? []) as readonly { code: string }[],
    async splits() {
      const reader = make();
      const splits = await reader.splits();
      await reader.close();
      return splits.map(({ id }) => id);
    },
  };
}

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, n) => from + n);
const hasRows = (rig: Rig, count: number) => (): boolean => rig.rows().length >= count;

describe.skipIf(javaMissing() !== undefined)('of a Kafka topic', { timeout: 120_000 }, () => {
  let server: KafkaServer;
  let topics = 0;
  const connection = () => ({ brokers: [server.plain], tls: false, clientId: 'test' });

  beforeAll(async () => {
    server = await startKafka({ keys: { AKIDUNUSED: 'secret' } });
  }, 240_000);
  afterAll(() => server.stop());

  async function rigOn(partitions = 1): Promise<Rig & { readonly topic: string }> {
    const topic = `lost-${topics++}`;
    await server.createTopic(topic, partitions);
    const writer = () =>
      createKafkaWriter({
        connection: connection(),
        clock: systemClock,
        topics: new Map([['a/b', topic]]),
      });
    return {
      topic,
      ...rigOf(() => createKafkaReader({ connection: connection(), topic }), writer),
    };
  }

  it('what is not kept any more is counted, and skipped to the oldest that is', async () => {
    const rig = await rigOn();
    await rig.write(0, 5);
    const run = await rig.start();
    await run.until(hasRows(rig, 5));
    await run.stop();
    await rig.write(5, 25);
    await server.deleteRecords(rig.topic, 0, 20);
    const again = await rig.start();
    const { losses, splits } = await again.until(({ losses: { total } }) => total > 0);
    expect(losses).toMatchObject({
      total: 1,
      records: 15,
      last: [{ kind: 'trimmed', after: '4', before: '20', records: 15 }],
    });
    const [split] = splits;
    expect(
      (await again.until(({ splits: [first] }) => first?.failure !== undefined)).splits[0]?.failure,
    ).toContain(`sluice skip ids 'events kafka ${split?.split}' --to oldest`);
    expect(await again.skip(`events kafka ${split?.split}`, 'oldest')).toMatch(
      /records that are no longer kept, after 4 up to 19/,
    );
    await again.until(hasRows(rig, 10));
    await again.stop();
    expect(rig.rows()).toEqual([...range(0, 5), ...range(20, 25)]);
    expect(rig.refused()).toMatchObject([{ code: 'skipped' }]);
  });

  it('what is gone of a partition of which nothing was read is counted by where it began', async () => {
    const rig = await rigOn();
    const run = await rig.start();
    await run.until(
      ({ checkpoint, splits }) => (checkpoint?.id ?? 0) > 1 && splits[0]?.hearing === 'caught-up',
    );
    await run.stop();
    await rig.write(0, 9);
    await server.deleteRecords(rig.topic, 0, 4);
    const again = await rig.start('oldest');
    await again.until(hasRows(rig, 5));
    expect((await again.status()).losses).toMatchObject({
      total: 1,
      records: 4,
      last: [{ after: null, before: '4' }],
    });
    expect((await again.status()).skipped).toMatchObject([
      { kind: 'start', after: null, to: '3', from: 'oldest' },
    ]);
    await again.stop();
    expect(rig.rows()).toEqual(range(4, 9));
  });

  it.each([
    ['latest', [25, 26]],
    ['a time', [22, 23, 24, 25, 26]],
  ] as const)('what is not kept any more is left behind by a start from %s', async (from, rest) => {
    const rig = await rigOn();
    await rig.write(0, 5);
    const run = await rig.start();
    await run.until(hasRows(rig, 5));
    await run.stop();
    await rig.write(5, 22);
    await sleep(20);
    const at = Date.now();
    await rig.write(22, 25);
    await server.deleteRecords(rig.topic, 0, 20);
    const again = await rig.start(from === 'latest' ? 'latest' : at);
    await again.until(({ skipped }) => skipped.length > 0);
    await rig.write(25, 27);
    await again.until(hasRows(rig, 5 + rest.length));
    await again.stop();
    expect(rig.rows()).toEqual([...range(0, 5), ...rest]);
  });

  it('whose log lost its end is read on from there, and what went is a loss of its own kind', async () => {
    const rig = await rigOn();
    await rig.write(0, 3);
    await rig.write(3, 10);
    const run = await rig.start();
    await run.until(hasRows(rig, 10));
    await server.kill();
    server.cut(rig.topic, 0);
    await server.restart();
    const { losses } = await run.until(({ losses: { total } }) => total > 0);
    await rig.write(10, 14);
    await run.until(hasRows(rig, 14));
    await run.stop();
    expect(losses).toMatchObject({
      ...{ total: 1, records: 0, uncounted: 1 },
      last: [{ kind: 'truncated', after: '9', before: '3', records: null }],
    });
    expect(rig.rows()).toEqual(range(0, 14));
    expect(rig.refused()).toMatchObject([{ code: 'records-lost' }]);
  });

  it('that was deleted and created again, what was not read is lost, and its new records are read', async () => {
    const rig = await rigOn(2);
    await rig.write(0, 5);
    const run = await rig.start();
    await run.until(hasRows(rig, 5));
    await run.stop();
    const before = await rig.splits();
    await rig.write(5, 9);
    await server.deleteTopic(rig.topic);
    await server.createTopic(rig.topic, 1);
    await rig.write(9, 12);
    const again = await rig.start();
    await again.until(hasRows(rig, 8));
    const { losses } = await again.status();
    await again.stop();
    expect(rig.rows()).toEqual([...range(0, 5), ...range(9, 12)]);
    expect(losses).toMatchObject({ total: 2, records: 0, uncounted: 2 });
    expect(losses.last.map(({ kind, split }) => [kind, split])).toEqual(
      before.map((id) => ['gone', id]),
    );
    expect(rig.refused()).toMatchObject([{ code: 'records-lost' }, { code: 'records-lost' }]);
  });
});

describe('of a Kinesis stream', { timeout: 120_000 }, () => {
  let server: KinesisServer;
  let streams = 0;

  beforeAll(async () => {
    Object.assign(process.env, testCredentials);
    server = await startKinesis();
  }, 60_000);
  afterAll(() => server.stop());

  async function rigOn(shards: number): Promise<Rig & { readonly name: string }> {
    const name = `lost-${streams++}`;
    await server.createStream(name, shards);
    const { endpoint } = server;
    const writer = () => createKinesisWriter({ endpoint, streams: new Map([['a/b', name]]) });
    return {
      name,
      ...rigOf(
        () =>
          createKinesisReader({
            endpoint,
            streamName: name,
            clock: systemClock,
            random: systemRandom,
          }),
        writer,
      ),
    };
  }

  it.each([true, false])(
    'that was deleted and created again, what was not read is lost, and its new records are read (stopped: %s)',
    async (stopped) => {
      const rig = await rigOn(3);
      await rig.write(0, 5);
      const run = await rig.start();
      await run.until(hasRows(rig, 5));
      await run.until(
        ({ checkpoint, uncommittedRows }) => (checkpoint?.id ?? 0) > 1 && uncommittedRows === 0,
      );
      if (stopped) await run.stop();
      // The server tells shards of two streams apart by the second in which they were made.
      await sleep(1_100);
      await server.deleteStream(rig.name);
      await server.createStream(rig.name, 1);
      await rig.write(9, 12);
      const then = stopped ? await rig.start() : run;
      await then.until(hasRows(rig, 8));
      // The new records may be there before the shards are listed again.
      await then.until(({ losses: { total } }) => total >= 3);
      const { losses } = await then.status();
      await then.stop();
      expect(rig.rows()).toEqual([...range(0, 5), ...range(9, 12)]);
      expect(losses.total).toBe(3);
      expect(losses.last.map(({ kind, split }) => `${split.slice(-1)} ${kind}`).sort()).toEqual([
        '0 replaced',
        '1 gone',
        '2 gone',
      ]);
      expect(rig.refused().filter(({ code }) => code === 'records-lost')).toHaveLength(3);
    },
  );

  it.each([
    ['latest', [5, 6]],
    ['oldest', [0, 1, 2, 3, 4, 5, 6]],
    ['a time', [3, 4, 5, 6]],
  ] as const)('a topology that never ran begins where it is told to: %s', async (from, rest) => {
    const rig = await rigOn(1);
    await rig.write(0, 3);
    await sleep(20);
    const at = Date.now();
    await rig.write(3, 5);
    const run = await rig.start(from === 'a time' ? at : from);
    await run.until(({ splits: [split] }) => split?.hearing === 'caught-up');
    await rig.write(5, 7);
    await run.until(hasRows(rig, rest.length));
    await run.stop();
    expect(rig.rows()).toEqual(rest);
  });
});

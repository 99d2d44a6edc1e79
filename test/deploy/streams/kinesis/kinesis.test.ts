/**
 * The small route on a real server: writer and reader by their contracts, shards that are split and
 * merged in mid-stream, and what a network and a busy stream do.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createKinesisReader } from '../../../../deploy/streams/kinesis/kinesis-reader.ts';
import { createKinesisWriter } from '../../../../deploy/streams/kinesis/kinesis-writer.ts';
import { kinesisReadIntervalMs } from '../../../../schemas/config/services.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../../schemas/kernel/random.ts';
import { limits } from '../../../../schemas/limits.ts';
import type { RecordReader } from '../../../../schemas/ports/record-reader.ts';
import type { RecordWriter } from '../../../../schemas/ports/record-writer.ts';
import { recordReaderContract } from '../../../contract/record-reader.ts';
import type { StreamHarness } from '../../../contract/record-stream.ts';
import { readAll, readNow, recordStreamContract } from '../../../contract/record-stream.ts';
import { recordWriterContract } from '../../../contract/record-writer.ts';
import { saying } from '../../../said.ts';
import type { Fault, FaultProxy } from '../../../servers/fault-proxy.ts';
import { pass, startFaultProxy } from '../../../servers/fault-proxy.ts';
import type { KinesisServer } from '../../../servers/kinesis.ts';
import { startKinesis, testCredentials } from '../../../servers/kinesis.ts';

let server: KinesisServer;
let proxy: FaultProxy;
let streams = 0;

beforeAll(async () => {
  Object.assign(process.env, testCredentials);
  server = await startKinesis();
  proxy = await startFaultProxy(server.endpoint);
}, 60_000);

afterAll(async () => {
  await proxy.close();
  await server.stop();
});

interface Rig {
  readonly name: string;
  readonly writer: RecordWriter;
  readonly reader: (tell?: (news: string) => void) => RecordReader;
  close(): Promise<void>;
}

/** Reads and writes through the proxy. */
async function rigOf(shards: number): Promise<Rig> {
  const name = `stream-${streams++}`;
  await server.createStream(name, shards);
  const { endpoint } = proxy;
  const writer = createKinesisWriter({ endpoint, streams: new Map([['a/b', name]]) });
  const readers: RecordReader[] = [];
  return {
    name,
    writer,
    reader: (tell) => {
      const made = createKinesisReader({
        endpoint,
        streamName: name,
        clock: systemClock,
        random: systemRandom,
        readEveryMs: kinesisReadIntervalMs,
        idleReadEveryMs: kinesisReadIntervalMs,
        ...(tell === undefined ? {} : { tell }),
      });
      readers.push(made);
      return made;
    },
    async close() {
      proxy.decide = () => pass;
      await writer.close();
      for (const reader of readers) await reader.close();
    },
  };
}

async function harness(): Promise<StreamHarness> {
  const rig = await rigOf(2);
  // It counts UTF-16 units, Kinesis characters.
  return {
    path: 'kinesis',
    stream: 'a/b',
    writer: rig.writer,
    reader: () => rig.reader(),
    close: () => rig.close(),
    longestKey: 'é'.repeat(limits.partitionKeyMaxChars),
  };
}

recordWriterContract('the Kinesis writer on kinesis-local', harness);
recordReaderContract('the Kinesis reader on kinesis-local', harness);
describe('Kinesis, written and read back', () => recordStreamContract(harness));

const bounds = { maxRecords: 1_000, maxBytes: 1_000_000 };

async function put(writer: RecordWriter, texts: readonly string[]): Promise<void> {
  const outcomes = await writer.write(
    'a/b',
    texts.map((text) => ({ key: text, value: [Buffer.from(text)] })),
  );
  expect(outcomes.map(({ kind }) => kind)).toEqual(texts.map(() => 'applied'));
}

const range = (from: number, to: number): readonly string[] =>
  Array.from({ length: to - from }, (_, n) => `e${from + n}`);
const textsIn = (
  all: ReadonlyMap<string, readonly { readonly text: string }[]>,
): readonly string[] => [...all.values()].flatMap((records) => records.map(({ text }) => text));

async function within(shards: number, run: (rig: Rig) => Promise<void>): Promise<void> {
  const rig = await rigOf(shards);
  try {
    await run(rig);
  } finally {
    await rig.close();
  }
}

describe('shards', () => {
  it('that are split and merged end where they end, and their children have the rest: each record once', () =>
    within(2, async ({ name, writer, reader }) => {
      await put(writer, range(0, 40));
      await server.splitShard(name);
      await put(writer, range(40, 80));
      await server.mergeShards(name);
      await put(writer, range(80, 120));
      const asked = reader();
      const splits = await asked.splits();
      const parents = new Map(splits.map((split) => [split.id, split.parents]));
      // Two at first; one of them split in two; then two merged into one.
      expect(splits).toHaveLength(5);
      expect([...parents.values()].map(({ length }) => length).sort((a, b) => a - b)).toEqual([
        0, 0, 1, 1, 2,
      ]);
      for (const [at, { parents: before }] of splits.entries()) {
        for (const parent of before)
          expect(splits.findIndex(({ id }) => id === parent)).toBeLessThan(at);
      }
      const all = await readAll(asked);
      expect([...textsIn(all)].sort()).toEqual([...range(0, 120)].sort());
      const closed = new Set([...parents.values()].flat());
      for (const { id } of splits) {
        const last = all.get(id)?.at(-1)?.position;
        expect((await readNow(asked, id, last, bounds)).ended, id).toBe(closed.has(id));
      }
    }));
});

const answer = (body: string): Fault => ({
  kind: 'answer',
  status: 400,
  body,
  contentType: 'application/x-amz-json-1.1',
});

describe('through a bad network', () => {
  it('a read whose connection is cut, or whose answer is lost, is an error that can be tried again, and repeats nothing', () =>
    within(1, async ({ writer, reader }) => {
      await put(writer, range(0, 10));
      const asked = reader();
      const [{ id } = { id: '' }] = await asked.splits();
      const first = await readNow(asked, id, undefined, { ...bounds, maxRecords: 10 });
      await put(writer, range(10, 20));
      for (const kind of ['reset', 'lost-reply'] as const) {
        proxy.decide = ({ operation }) => (operation === 'GetRecords' ? { kind } : pass);
        await expect(
          readNow(asked, id, first.records.at(-1)?.position, bounds),
        ).rejects.toMatchObject({
          code: 'stream-unreachable',
          retryable: true,
        });
        proxy.decide = () => pass;
      }
      const rest = await readNow(asked, id, first.records.at(-1)?.position, bounds);
      expect(rest.records.map(({ value }) => Buffer.from(value).toString())).toEqual(range(10, 20));
    }));

  it('an iterator that has expired is replaced by one that goes on where it was', () =>
    within(1, async ({ writer, reader }) => {
      await put(writer, range(0, 5));
      const told: string[] = [];
      const asked = reader((news) => told.push(news));
      const [{ id } = { id: '' }] = await asked.splits();
      const first = await readNow(asked, id, undefined, bounds);
      await put(writer, range(5, 9));
      let calls = 0;
      const body = JSON.stringify({
        __type: 'ExpiredIteratorException',
        message: 'Iterator expired.',
      });
      proxy.decide = ({ operation }) =>
        operation === 'GetRecords' && calls++ === 0 ? answer(body) : pass;
      const rest = await readNow(asked, id, first.records.at(-1)?.position, bounds);
      expect(rest.records.map(({ value }) => Buffer.from(value).toString())).toEqual(range(5, 9));
      expect(told).toEqual(['iterator-expired']);
    }));

  it('a shard that gives no more for the moment is asked again later, and nothing is an error', () =>
    within(1, async ({ writer, reader }) => {
      await put(writer, range(0, 5));
      const told: string[] = [];
      const asked = reader((news) => told.push(news));
      const [{ id } = { id: '' }] = await asked.splits();
      let calls = 0;
      const body = JSON.stringify({
        __type: 'ProvisionedThroughputExceededException',
        message: 'Rate exceeded for shard',
      });
      proxy.decide = ({ operation }) =>
        operation === 'GetRecords' && calls++ < 2 ? answer(body) : pass;
      const { records } = await readNow(asked, id, undefined, bounds);
      expect(records).toHaveLength(5);
      expect(told).toEqual(['throttled', 'throttled']);
    }));

  it('of a write in which some records are refused only those are, and the others are in the stream', () =>
    within(1, async ({ writer, reader }) => {
      proxy.decide = () => ({ kind: 'refuse-records', every: 3 });
      const outcomes = await writer.write(
        'a/b',
        range(0, 9).map((text) => ({ key: text, value: [Buffer.from(text)] })),
      );
      expect(
        outcomes.map((outcome) =>
          outcome.kind === 'refused' ? [outcome.code, outcome.retryable] : outcome.kind,
        ),
      ).toEqual(
        range(0, 9).map((_, n) => (n % 3 === 2 ? ['throughput-exceeded', true] : 'applied')),
      );
      proxy.decide = () => pass;
      expect(textsIn(await readAll(reader()))).toEqual(['e0', 'e1', 'e3', 'e4', 'e6', 'e7']);
    }));

  it('a write whose answer is lost is unknown, and what it wrote is there', () =>
    within(1, async ({ writer, reader }) => {
      proxy.decide = ({ operation }) =>
        operation === 'PutRecords' ? { kind: 'lost-reply' } : pass;
      const [outcome] = await writer.write('a/b', [{ key: 'k', value: [Buffer.from('there')] }]);
      expect(outcome?.kind).toBe('unknown');
      proxy.decide = () => pass;
      expect(textsIn(await readAll(reader()))).toEqual(['there']);
    }));
});

describe('what is missing is named', () => {
  const reader = (endpoint: string): RecordReader =>
    createKinesisReader({
      endpoint,
      streamName: 'no-such',
      clock: systemClock,
      random: systemRandom,
    });

  it('a stream that is not there', async () => {
    await expect(reader(server.endpoint).splits()).rejects.toMatchObject({
      code: 'stream-missing',
      message: saying({ names: ['no-such'] }),
    });
  });

  it('a permission', async () => {
    const body = JSON.stringify({
      __type: 'AccessDeniedException',
      message: 'no identity-based policy allows it',
    });
    proxy.decide = () => answer(body);
    await expect(reader(proxy.endpoint).splits()).rejects.toMatchObject({
      code: 'stream-denied',
      message: saying({ names: ['no-such'] }),
      fix: expect.stringContaining('kinesis:ListShards') as string,
    });
    proxy.decide = () => pass;
  });

  it('an endpoint that does not answer', async () => {
    await expect(reader('http://127.0.0.1:1').splits()).rejects.toMatchObject({
      code: 'stream-unreachable',
      retryable: true,
    });
  });
});

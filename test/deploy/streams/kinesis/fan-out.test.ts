/**
 * Enhanced fan-out against a loopback server of our own that speaks the documented bytes (HTTP/2,
 * an event stream): no stand-in has it.
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { consumerName } from '../../../../deploy/streams/kinesis/fan-out-client.ts';
import { createKinesisReader } from '../../../../deploy/streams/kinesis/kinesis-reader.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../../schemas/kernel/random.ts';
import type { ReadResult, RecordReader } from '../../../../schemas/ports/record-reader.ts';
import { testCredentials } from '../../../servers/kinesis.ts';
import type { KinesisLoopback, LoopbackSubscription } from '../../../servers/kinesis-loopback.ts';
import { startKinesisLoopback } from '../../../servers/kinesis-loopback.ts';

const shard = 'shardId-000000000000';
const bounds = { maxRecords: 1_000, maxBytes: 1_000_000 };
let server: KinesisLoopback;
const readers: RecordReader[] = [];

beforeAll(() => void Object.assign(process.env, testCredentials));
afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.close();
  await server.close();
});

function readerOf(consumer = 'sluice-orders', tell?: (news: string) => void): RecordReader {
  const options = {
    endpoint: server.endpoint,
    streamName: 'loopback',
    clock: systemClock,
    random: systemRandom,
    consumer,
  };
  const reader = createKinesisReader({ ...options, ...(tell === undefined ? {} : { tell }) });
  readers.push(reader);
  return reader;
}

async function subscription(consumer = 'sluice-orders'): Promise<LoopbackSubscription> {
  for (;;) {
    const found = [...server.subscriptions].find((open) => open.consumer.includes(`/${consumer}:`));
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/**
 * Reads until there are records or an end; what there is is sent again and again, as Kinesis does.
 */
async function said(reader: RecordReader, after: string | undefined): Promise<ReadResult> {
  const sending = setInterval(() => {
    for (const open of server.subscriptions) open.send();
  }, 200);
  try {
    for (;;) {
      const result = await reader.read(shard, after, bounds);
      if (result.records.length > 0 || result.behindMs === 0) return result;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  } finally {
    clearInterval(sending);
  }
}

const textsOf = ({ records }: ReadResult): readonly string[] =>
  records.map(({ value }) => Buffer.from(value).toString());
const called = (operation: string): number =>
  server.calls.filter((call) => call.operation === operation).length;

describe('a topology with a consumer of its own', () => {
  it('registers it once, is sent what comes, and asks for nothing that others share', async () => {
    server = await startKinesisLoopback([shard]);
    server.put(shard, ['a', 'b']);
    const reader = readerOf();
    expect((await reader.splits()).map(({ id }) => id)).toEqual([shard]);
    const first = await said(reader, undefined);
    expect(textsOf(first)).toEqual(['a', 'b']);
    const after = first.records.at(-1)?.position;
    const quiet = await said(reader, after);
    expect(quiet).toMatchObject({ records: [], ended: false, behindMs: 0 });
    server.put(shard, ['c']);
    expect(textsOf(await said(reader, after))).toEqual(['c']);
    expect(called('GetRecords') + called('GetShardIterator')).toBe(0);
    expect(called('SubscribeToShard')).toBe(1);
    const other = readerOf('sluice-clicks');
    const theirs = other.read(shard, undefined, bounds);
    (await subscription('sluice-clicks')).send();
    expect(textsOf(await theirs)).toEqual(['a', 'b', 'c']);
    expect([...server.consumers.keys()]).toEqual(['sluice-orders', 'sluice-clicks']);
  });

  it('reads on behind its position when the subscription is over, is cut, or fails, and repeats nothing', async () => {
    server = await startKinesisLoopback([shard]);
    const reader = readerOf();
    let after: string | undefined;
    for (const [n, end] of (['end', 'cut', 'fail', 'end'] as const).entries()) {
      server.put(shard, [`e${n}`]);
      const reading = (async (): Promise<ReadResult> => {
        for (;;) {
          const result = await reader.read(shard, after, bounds).catch((thrown: unknown) => {
            expect(thrown).toMatchObject({ code: 'stream-unreachable', retryable: true });
            return undefined;
          });
          if (result !== undefined && result.records.length > 0) return result;
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      })();
      const events = await subscription();
      events.send();
      const found = await reading;
      expect(textsOf(found)).toEqual([`e${n}`]);
      after = found.records.at(-1)?.position;
      if (end === 'fail') events.fail('InternalFailureException', 'of a moment');
      else events[end]();
      while (server.subscriptions.has(events))
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(called('SubscribeToShard')).toBe(4);
  });

  it('waits while another process has the shard by the same consumer, and is not failing', async () => {
    server = await startKinesisLoopback([shard]);
    server.put(shard, ['a']);
    const before = readerOf();
    void before.read(shard, undefined, bounds).catch(() => undefined);
    await subscription();
    const told: string[] = [];
    const reader = readerOf('sluice-orders', (news) => told.push(news));
    expect(await reader.read(shard, undefined, bounds)).toMatchObject({
      records: [],
      inconclusive: true,
    });
    expect(told).toEqual(['throttled']);
    await before.close();
    while (server.subscriptions.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(textsOf(await said(reader, undefined))).toEqual(['a']);
  });

  it('is at the end of a shard that takes no more', async () => {
    server = await startKinesisLoopback([shard]);
    server.put(shard, ['a']);
    const [own] = server.shards;
    if (own !== undefined) own.closed = true;
    const reader = readerOf();
    const waiting = reader.read(shard, undefined, bounds);
    (await subscription()).send();
    expect(await waiting).toMatchObject({ ended: true });
  });

  it('does not take what lay in the connection for the end', async () => {
    server = await startKinesisLoopback([shard]);
    server.put(shard, ['a']);
    const reader = readerOf();
    const waiting = reader.read(shard, undefined, bounds);
    const events = await subscription();
    events.send();
    const { records } = await waiting;
    events.send();
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await reader.read(shard, records.at(-1)?.position, bounds)).behindMs).toBe(1);
  });

  it('says which permission is missing', async () => {
    server = await startKinesisLoopback([shard]);
    server.refuse = ({ operation }) =>
      operation === 'RegisterStreamConsumer'
        ? { type: 'AccessDeniedException', message: 'no' }
        : undefined;
    await expect(readerOf().read(shard, undefined, bounds)).rejects.toMatchObject({
      code: 'stream-denied',
      message: expect.stringMatching(/kinesis:RegisterStreamConsumer/) as string,
    });
  });
});

it('a consumer has a name that Kinesis takes', () => {
  expect(consumerName('orders')).toBe('sluice-orders');
  expect(consumerName(`über/${'x'.repeat(200)}`)).toMatch(/^sluice-_ber_x{116}$/);
});

/**
 * What a topology takes of a shard that others read as well: the calls that a loopback server
 * counts, in time that is moved by hand, and throttling, which is waited for.
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createKinesisReader } from '../../../../deploy/streams/kinesis/kinesis-reader.ts';
import { kinesisReadMaxRecords } from '../../../../deploy/streams/kinesis/kinesis-source-client.ts';
import { manualClock } from '../../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../../schemas/kernel/random.ts';
import type { ReadResult, RecordReader } from '../../../../schemas/ports/record-reader.ts';
import { testCredentials } from '../../../servers/kinesis.ts';
import type { KinesisLoopback } from '../../../servers/kinesis-loopback.ts';
import { startKinesisLoopback } from '../../../servers/kinesis-loopback.ts';

const shard = 'shardId-000000000000';
const tick = 50;
let server: KinesisLoopback;
let reader: RecordReader;

beforeAll(() => void Object.assign(process.env, testCredentials));
afterEach(async () => {
  await reader.close();
  await server.close();
});

interface Rig {
  readonly told: string[];
  /** Reads on as a source does, for so long; gives what the reads gave. */
  readonly readFor: (ms: number, maxRecords?: number) => Promise<readonly ReadResult[]>;
  readonly reads: () => number;
}

async function rigOf(
  rates: { readonly readEveryMs?: number; readonly idleReadEveryMs?: number } = {},
): Promise<Rig> {
  server = await startKinesisLoopback([shard]);
  const clock = manualClock(Date.now());
  const told: string[] = [];
  const tell = (news: string): void => void told.push(news);
  reader = createKinesisReader({
    endpoint: server.endpoint,
    streamName: 'loopback',
    clock,
    random: seededRandom(1),
    tell,
    ...rates,
  });
  let after: string | undefined;
  return {
    told,
    reads: () => server.calls.filter(({ operation }) => operation === 'GetRecords').length,
    async readFor(ms, maxRecords = 10_000) {
      const results: ReadResult[] = [];
      for (let passed = 0; passed < ms; passed += tick) {
        const result = await reader.read(shard, after, { maxRecords, maxBytes: 1e8 });
        after = result.records.at(-1)?.position ?? after;
        results.push(result);
        clock.advance(tick);
      }
      return results;
    },
  };
}

const texts = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `e${n}`);
const recordsIn = (results: readonly ReadResult[]): number =>
  results.reduce((sum, { records }) => sum + records.length, 0);
const throttling = {
  type: 'ProvisionedThroughputExceededException',
  message: 'Rate exceeded for shard',
};

describe('a shard', () => {
  it('is read once a second while there is nothing, and four times a second while there is more', async () => {
    const { readFor, reads } = await rigOf();
    await readFor(10_000);
    expect(reads()).toBe(10);
    // Three answers' worth: each but the last says that there is more.
    server.put(shard, texts(2 * kinesisReadMaxRecords + 1), Date.now() - 60_000);
    expect(recordsIn(await readFor(2_000))).toBe(2 * kinesisReadMaxRecords + 1);
    const found = server.calls.filter(({ operation }) => operation === 'GetRecords').length - 10;
    expect(found).toBeGreaterThanOrEqual(3);
    expect(found).toBeLessThanOrEqual(5);
  });

  it('is never read more often than is set, whatever there is', async () => {
    const { readFor, reads } = await rigOf({ readEveryMs: 500, idleReadEveryMs: 5_000 });
    server.put(shard, texts(6 * kinesisReadMaxRecords), Date.now() - 60_000);
    await readFor(2_000);
    expect(reads()).toBe(4);
    await readFor(1_000);
    expect(reads()).toBe(6);
    await readFor(20_000);
    expect(reads()).toBeLessThanOrEqual(6 + 4);
    expect(reader.slowMs).toBe(12_000);
  });

  it('that is throttled is asked more and more seldom, says so, fails nothing, and is read on when it is over', async () => {
    const { readFor, reads, told } = await rigOf();
    server.put(shard, texts(5));
    server.refuse = ({ operation }) => (operation === 'GetRecords' ? throttling : undefined);
    const results = await readFor(60_000);
    expect(results.every(({ inconclusive }) => inconclusive)).toBe(true);
    expect(results.at(-1)?.waitsFor).toMatch(
      /throttled: Kinesis gives a shard 5 reads and 2 MB a second/,
    );
    expect(reads()).toBeLessThan(30);
    expect(told.length).toBe(reads());
    const times = reads();
    server.refuse = () => undefined;
    const after = await readFor(20_000);
    expect(recordsIn(after)).toBe(5);
    expect(after.at(-1)?.waitsFor).toBeUndefined();
    expect(reads()).toBeGreaterThan(times);
  });
});

it('a list of shards, and an iterator, that are throttled are asked for again', async () => {
  server = await startKinesisLoopback([shard]);
  server.put(shard, ['a']);
  const clock = manualClock(Date.now());
  reader = createKinesisReader({
    endpoint: server.endpoint,
    streamName: 'loopback',
    clock,
    random: seededRandom(1),
  });
  let refusals = 0;
  server.refuse = () =>
    refusals++ < 4 ? { type: 'LimitExceededException', message: 'Rate exceeded' } : undefined;
  const listed = reader.splits();
  let done = false;
  void listed.finally(() => {
    done = true;
  });
  for (; !done; await new Promise((resolve) => setImmediate(resolve))) clock.advance(100);
  expect((await listed).map(({ id }) => id)).toEqual([shard]);
  refusals = 0;
  let records = 0;
  for (let reads = 0; reads < 2_000 && records === 0; reads++) {
    records = (await reader.read(shard, undefined, { maxRecords: 10, maxBytes: 1_000 })).records
      .length;
    clock.advance(100);
  }
  expect(records).toBe(1);
});

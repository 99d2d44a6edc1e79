/**
 * What Kinesis removes before it is read, and says nothing of: on a loopback server that does as
 * its documentation says, and, for streams that were created again, on kinesis-local.
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createKinesisReader } from '../../../../deploy/streams/kinesis/kinesis-reader.ts';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../../schemas/kernel/random.ts';
import type { ReadKnown, RecordReader } from '../../../../schemas/ports/record-reader.ts';
import { testCredentials } from '../../../servers/kinesis.ts';
import type { KinesisLoopback } from '../../../servers/kinesis-loopback.ts';
import { startKinesisLoopback } from '../../../servers/kinesis-loopback.ts';

const hourMs = 3_600_000;
const shard = 'shardId-000000000000';
const bounds = { maxRecords: 1_000, maxBytes: 1_000_000 };
let server: KinesisLoopback;
const readers: RecordReader[] = [];

beforeAll(() => {
  Object.assign(process.env, testCredentials);
});

afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.close();
  await server.close();
});

/** `aheadMs`: how much later it is for the reader than for the server. */
async function readerOn(aheadMs = 0): Promise<RecordReader> {
  const clock: Clock = { ...systemClock, now: () => Date.now() + aheadMs };
  const reader = createKinesisReader({
    endpoint: server.endpoint,
    streamName: 'loopback',
    clock,
    random: systemRandom,
  });
  readers.push(reader);
  return reader;
}

async function textsOf(
  reader: RecordReader,
  after?: string,
  known: ReadKnown = {},
): Promise<readonly string[]> {
  for (;;) {
    const { records, inconclusive } = await reader.read(shard, after, bounds, known);
    if (inconclusive !== true) return records.map(({ value }) => Buffer.from(value).toString());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const positionOf = (index: number): string => String(server.shards[0]?.records[index]?.position);
const operations = (): readonly string[] => server.calls.map(({ operation }) => operation);

describe('a position whose record is not kept any more', () => {
  it('is refused once what came behind it may be gone, and named with the oldest that is there', async () => {
    server = await startKinesisLoopback([shard]);
    server.put(shard, ['a', 'b', 'c', 'd', 'e']);
    const after = positionOf(1);
    server.trim(shard, 3);
    const reader = await readerOn(25 * hourMs);
    await expect(textsOf(reader, after, { readToMs: Date.now() })).rejects.toMatchObject({
      code: 'position-trimmed',
    });
    expect(await reader.oldest(shard)).toEqual({ position: positionOf(0), counts: false });
    // And again, as long as nobody has said where to go on.
    await expect(textsOf(reader, after, { readToMs: Date.now() })).rejects.toMatchObject({
      code: 'position-trimmed',
    });
    expect(await textsOf(reader, undefined)).toEqual(['d', 'e']);
  });

  it('is gone on from as long as nothing that came behind it can be', async () => {
    server = await startKinesisLoopback([shard]);
    server.put(shard, ['a', 'b', 'c']);
    const after = positionOf(1);
    server.trim(shard, 2);
    expect(await textsOf(await readerOn(23 * hourMs), after, { readToMs: Date.now() })).toEqual([
      'c',
    ]);
    expect(operations()).not.toContain('DescribeStreamSummary');
    // A stream that keeps records for longer is asked how long.
    server.retentionHours = 48;
    expect(await textsOf(await readerOn(25 * hourMs), after, { readToMs: Date.now() })).toEqual([
      'c',
    ]);
    expect(operations()).toContain('DescribeStreamSummary');
  });

  it('and is there still costs nothing but a look, whatever the hour', async () => {
    server = await startKinesisLoopback([shard]);
    server.put(shard, ['a', 'b', 'c']);
    const reader = await readerOn(25 * hourMs);
    const known = { readToMs: Date.now() };
    expect(await textsOf(reader, positionOf(0), known)).toEqual(['b', 'c']);
    expect(await textsOf(reader, positionOf(2), known)).toEqual([]);
    server.put(shard, ['d']);
    expect(await textsOf(reader, positionOf(2), known)).toEqual(['d']);
  });

  it('of a shard of which nothing was read is as old as what is known of it', async () => {
    server = await startKinesisLoopback([shard]);
    server.put(shard, ['a', 'b']);
    await expect(
      textsOf(await readerOn(25 * hourMs), undefined, { readToMs: Date.now() }),
    ).rejects.toMatchObject({
      code: 'position-trimmed',
    });
    expect(await textsOf(await readerOn(25 * hourMs), undefined)).toEqual(['a', 'b']);
  });

  it('is asked for with a permission that is named when it is missing', async () => {
    server = await startKinesisLoopback([shard]);
    server.put(shard, ['a']);
    server.refuse = ({ operation }) =>
      operation === 'DescribeStreamSummary'
        ? { type: 'AccessDeniedException', message: 'no policy allows it' }
        : undefined;
    await expect(
      textsOf(await readerOn(25 * hourMs), positionOf(0), { readToMs: Date.now() }),
    ).rejects.toMatchObject({
      code: 'stream-denied',
      message: expect.stringMatching(/kinesis:DescribeStreamSummary/) as string,
      retryable: true,
    });
  });
});

describe('a shard that begins elsewhere', () => {
  it('begins with what comes, and leaves nothing out when its iterator ends before anything came', async () => {
    server = await startKinesisLoopback([shard]);
    server.put(shard, ['old'], Date.now() - hourMs);
    const reader = await readerOn();
    const known = { from: 'latest' } as const;
    expect(await textsOf(reader, undefined, known)).toEqual([]);
    server.put(shard, ['new']);
    let calls = 0;
    server.refuse = ({ operation }) =>
      operation === 'GetRecords' && calls++ === 0
        ? { type: 'ExpiredIteratorException', message: 'Iterator expired.' }
        : undefined;
    expect(await textsOf(reader, undefined, known)).toEqual(['new']);
  });

  it('begins with what arrived at a time', async () => {
    server = await startKinesisLoopback([shard]);
    const nowMs = Date.now();
    server.put(shard, ['a'], nowMs - 2 * hourMs);
    server.put(shard, ['b', 'c'], nowMs - hourMs);
    expect(await textsOf(await readerOn(), undefined, { from: nowMs - hourMs })).toEqual([
      'b',
      'c',
    ]);
  });
});

describe('a shard that is not there any more', () => {
  it('is told from one whose records are gone', async () => {
    server = await startKinesisLoopback([shard, 'shardId-000000000001']);
    server.put(shard, ['a']);
    const reader = await readerOn();
    expect(await textsOf(reader)).toEqual(['a']);
    server.shards.shift();
    await expect(textsOf(reader, '1002')).rejects.toMatchObject({ code: 'split-gone' });
  });
});

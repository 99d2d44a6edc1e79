/**
 * The Flink job reads a Kinesis stream (kinesis-local) as the engine does: each record once, with all
 * its parts, while shards are split and merged, calls are throttled, and the job stops with a
 * savepoint and continues with another parallelism.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { cbor } from '@smithy/core/cbor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtJob } from '../../../deploy/flink/jar.ts';
import { createKinesisReader } from '../../../deploy/streams/kinesis/kinesis-reader.ts';
import { createKinesisWriter } from '../../../deploy/streams/kinesis/kinesis-writer.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import { encodeAggregate } from '../../../schemas/kpl.ts';
import type { IncomingRecord } from '../../../schemas/ports/record.ts';
import { unfoldingReader } from '../../../topology/runtime/unfold.ts';
import { readNow } from '../../contract/record-stream.ts';
import type { Fault, FaultProxy } from '../../servers/fault-proxy.ts';
import { pass, startFaultProxy } from '../../servers/fault-proxy.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { KinesisServer } from '../../servers/kinesis.ts';
import { startKinesis, testCredentials } from '../../servers/kinesis.ts';
import { isFull } from './full.ts';
import type { Emitted } from './source-run.ts';
import { SourceRun } from './source-run.ts';

/** Kinds of topology/operators/batch.ts, and of the job. */
const [begin, end, raw, heard, reads] = [5, 6, 9, 10, 11] as const;

interface RawRecord {
  readonly split: string;
  readonly position: string;
  readonly part?: number;
  readonly key?: string;
  readonly text?: string;
  readonly value?: string;
  readonly arrivedAtMs: number;
}

/** What a record is, whoever read it. */
type Seen = readonly [position: string, part: number, key: string, value: string, at: number];

/** The SDK for Java speaks CBOR. */
const refused = (code: string): Fault => ({
  kind: 'answer',
  status: 400,
  body: cbor.serialize({ __type: code, message: code }),
  contentType: 'application/x-amz-cbor-1.1',
});

const readBounds = { maxRecords: 10_000, maxBytes: 1e8 };

const seenHere = (one: IncomingRecord): Seen => [
  one.position,
  one.part ?? -1,
  one.key,
  Buffer.from(one.value).toString('base64'),
  one.arrivedAtMs,
];
const seenThere = ({ position, part, key, text, value, arrivedAtMs }: RawRecord): Seen => [
  position,
  part ?? -1,
  key ?? '',
  text === undefined ? (value ?? '') : Buffer.from(text).toString('base64'),
  arrivedAtMs,
];

const recordsOf = (emitted: readonly Emitted[]): readonly RawRecord[] =>
  emitted.flatMap(({ kind, value }) => (kind === raw ? [value as RawRecord] : []));

describe.skipIf(!isFull || javaMissing() !== undefined)('a Kinesis stream on Flink', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-flink-kinesis-'));
  const runs: SourceRun[] = [];
  let server: KinesisServer;
  let proxy: FaultProxy;
  let streams = 0;

  beforeAll(async () => {
    Object.assign(process.env, testCredentials);
    [server] = await Promise.all([startKinesis(), builtJob({ harness: true })]);
    proxy = await startFaultProxy(server.endpoint);
  }, 600_000);
  afterAll(async () => {
    for (const one of runs) await one.kill();
    await proxy?.close();
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  async function createStream(shards: number): Promise<string> {
    const name = `flink-${streams++}`;
    await server.createStream(name, shards);
    return name;
  }

  async function run(
    stream: string,
    parallelism: number,
    more: { readonly from?: unknown; readonly savepoint?: string } = {},
  ): Promise<SourceRun> {
    const started = await SourceRun.start({
      sources: {
        clicks: {
          ...{ connector: 'kinesis', stream, endpoint: proxy.endpoint },
          region: testCredentials.AWS_REGION,
          ...(more.from === undefined ? {} : { from: more.from }),
          ...{ readEveryMs: 200, idleReadEveryMs: 200, discoveryMs: 1_000 },
        },
      },
      ...{ dir, parallelism, env: testCredentials, savepoint: more.savepoint },
    });
    runs.push(started);
    return started;
  }

  /** Writes events of several kinds of records; gives how many events. */
  async function write(stream: string, from: number, to: number): Promise<number> {
    const writer = createKinesisWriter({
      endpoint: server.endpoint,
      streams: new Map([['a/b', stream]]),
    });
    const event = (n: number) => ({
      key: `key-${n}`,
      value: [Buffer.from(`{"n":${n},"text":"é"}`)],
    });
    const aggregate = (n: number, each: number) =>
      encodeAggregate(Array.from({ length: each }, (_, k) => event(n * 100 + k)));
    let events = 0;
    for (let n = from; n < to; n++) {
      const { key } = event(n);
      const outcomes = await writer.write('a/b', [
        event(n),
        { key, value: aggregate(n, 3) },
        { key, value: [gzipSync(Buffer.concat(aggregate(n, 2)))] },
        // No text, and no aggregate.
        { key, value: [Buffer.from([0xff, n])] },
      ]);
      expect(outcomes.map(({ kind }) => kind)).toEqual(Array(4).fill('applied'));
      events += 7;
    }
    await writer.close();
    return events;
  }

  /** By shard what the engine reads. */
  async function readHere(stream: string): Promise<Map<string, readonly Seen[]>> {
    const options = { endpoint: server.endpoint, streamName: stream };
    const own = { clock: systemClock, random: systemRandom };
    const every = { readEveryMs: 20, idleReadEveryMs: 20 };
    const reader = unfoldingReader(
      createKinesisReader({ ...options, ...own, ...every }),
      'a/b',
      undefined,
    );
    const read = new Map<string, Seen[]>();
    for (const { id } of await reader.splits()) {
      const seen: Seen[] = [];
      for (let after: string | undefined; ; ) {
        const { records } = await readNow(reader, id, after, readBounds);
        if (records.length === 0) break;
        seen.push(...records.map(seenHere));
        after = records.at(-1)?.position;
      }
      read.set(id, seen);
    }
    await reader.close();
    return read;
  }

  it('is read once, whole, parents before their children, also with faults and after a savepoint', {
    timeout: 240_000,
  }, async () => {
    const stream = await createStream(2);
    let written = await write(stream, 0, 10);
    let calls = 0;
    const faults = [
      ...['ProvisionedThroughputExceededException', undefined, 'ExpiredIteratorException'],
      ...[undefined, 'InternalFailure'],
    ];
    proxy.decide = ({ operation }) => {
      if (operation !== 'GetRecords') return pass;
      const fault = faults[calls++];
      return fault === undefined ? pass : refused(fault);
    };
    const first = await run(stream, 2);
    await first.records('clicks', written);
    await server.splitShard(stream);
    written += await write(stream, 10, 20);
    await first.records('clicks', written);
    const savepoint = await first.stop();
    // What is written meanwhile, and a merge that nobody saw.
    await server.mergeShards(stream);
    const later = await write(stream, 20, 30);
    const second = await run(stream, 1, { savepoint });
    await second.records('clicks', later);
    // The shard that was split, and its children, which were merged, end when their own children
    // have begun.
    const ends = (): number =>
      [...first.emitted('clicks'), ...second.emitted('clicks')]
        .flat()
        .filter(({ kind }) => kind === end).length;
    while (ends() < 3) await sleep(50);
    await second.stop();
    expect(ends()).toBe(3);
    expect(calls).toBeGreaterThan(faults.length);
    // Of these only the last is a failure.
    expect(first.log.match(/.*tried again$/gm)).toEqual([
      expect.stringMatching(/stream-unreachable: .*InternalFailure/),
    ]);

    const emitted = [...first.emitted('clicks'), ...second.emitted('clicks')];
    const there = new Map<string, Seen[]>();
    for (const record of emitted.flatMap(recordsOf))
      there.set(record.split, [...(there.get(record.split) ?? []), seenThere(record)]);
    const here = await readHere(stream);
    for (const [split, seen] of here) expect(there.get(split) ?? [], split).toEqual(seen);
    expect([here.size, there.size]).toEqual([5, 5]);
    // Both readers had a shard of their own, and a shard's children stayed with it.
    expect(first.emitted('clicks').map((one) => recordsOf(one).length > 0)).toEqual([true, true]);
    for (const reader of emitted) expectOrder(reader);
    const begun = emitted.flat().filter(({ kind }) => kind === begin);
    const parents = new Set(
      begun.map(({ value }) => (value as { readonly parents: readonly string[] }).parents.length),
    );
    expect(parents).toEqual(new Set([0, 1, 2]));
  });

  /** Of one reader: what is said of shards stands before and behind their records. */
  function expectOrder(emitted: readonly Emitted[]): void {
    const open = new Set<string>();
    const passed = new Set<string>();
    for (const { kind, value } of emitted) {
      if (kind === begin) {
        const { split, parents } = value as { readonly split: string; readonly parents: string[] };
        open.add(split);
        for (const parent of parents) passed.add(parent);
      }
      if (kind === end) {
        expect(passed.has(value as string)).toBe(true);
        open.delete(value as string);
      }
      if (kind !== raw) continue;
      const key = `clicks kinesis ${(value as RawRecord).split}`;
      expect([open.has(key), passed.has(key)]).toEqual([true, false]);
    }
  }

  it('begins behind the positions that it is given, and a reader without a shard is idle', {
    timeout: 120_000,
  }, async () => {
    const stream = await createStream(1);
    await write(stream, 0, 4);
    const [[shard, all] = ['', []]] = await readHere(stream);
    const [position = ''] = all[9] ?? [];
    const expected = all.filter(([at]) => BigInt(at) > BigInt(position));
    proxy.decide = () => pass;
    const started = await run(stream, 2, { from: { positions: { [shard]: position } } });
    await started.records('clicks', expected.length);
    await started.emits('clicks', heard, 1);
    while (!started.emitted('clicks').every((one) => one.some(({ kind }) => kind === reads)))
      await sleep(50);
    const emitted = started.emitted('clicks');
    expect(emitted.flatMap(recordsOf).map(seenThere)).toEqual(expected);
    const key = `clicks kinesis ${shard}`;
    const place = 'clicks kinesis';
    const said = (of: number) =>
      emitted.map((one) => one.flatMap(({ kind, value }) => (kind === of ? [value] : [])));
    expect(said(reads)).toEqual([[{ place, splits: [key] }], [{ place, splits: [] }]]);
    const [hears = [], none] = said(heard);
    expect([hears.length > 0, none]).toEqual([true, []]);
    for (const one of hears) expect(Object.keys(one as object)).toEqual([key]);
    await started.kill();
  });

  it('whose position is no longer kept fails with what is lost', { timeout: 120_000 }, async () => {
    const stream = await createStream(1);
    await write(stream, 0, 1);
    proxy.decide = ({ operation }) =>
      operation === 'GetShardIterator' ? refused('InvalidArgumentException') : pass;
    const positions = { 'shardId-000000000000': '4959033827149025660800' };
    const started = await run(stream, 1, { from: { positions } });
    expect(await started.failure()).toMatch(
      /position-trimmed: Kinesis stream 'flink-\d+': shard shardId-000000000000: the record at the last read position 4959033827149025660800 is no longer kept/,
    );
    expect(recordsOf(started.emitted('clicks').flat())).toEqual([]);
  });
});

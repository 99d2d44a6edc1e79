/**
 * Each setting of a Kinesis source does on Flink what its page says: in one job of two tasks, with a
 * source for each, on kinesis-local. Of one stream the two shards, which two tasks read, are merged
 * meanwhile.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cbor } from '@smithy/core/cbor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtJob } from '../../../deploy/flink/jar.ts';
import { createKinesisWriter } from '../../../deploy/streams/kinesis/kinesis-writer.ts';
import type { Asked, FaultProxy } from '../../servers/fault-proxy.ts';
import { pass, startFaultProxy } from '../../servers/fault-proxy.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { KinesisServer } from '../../servers/kinesis.ts';
import { startKinesis, testCredentials } from '../../servers/kinesis.ts';
import { SourceRun } from './source-run.ts';

/** Kinds of topology/operators/batch.ts. */
const [begin, end, raw, heard] = [5, 6, 9, 10] as const;
const hourMs = 3_600_000;
const first = 'shardId-000000000000';

interface RawRecord {
  readonly split: string;
  readonly position: string;
  readonly text: string;
}

interface Begun {
  readonly split: string;
  readonly parents: readonly string[];
}

/** The SDK for Java speaks CBOR. */
const bodyOf = ({ body }: Asked): Readonly<Record<string, unknown>> =>
  cbor.deserialize(body) as Readonly<Record<string, unknown>>;

describe.skipIf(javaMissing() !== undefined)('the settings of a Kinesis source on Flink', () => {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-flink-kinesis-places-'));
  let server: KinesisServer;
  /** In front of the sources `paced` and `trimmed`. */
  let paced: FaultProxy;
  let trimmed: FaultProxy;
  let run: SourceRun | undefined;
  beforeAll(async () => {
    Object.assign(process.env, testCredentials);
    [server] = await Promise.all([startKinesis(), builtJob({ harness: true })]);
    [paced, trimmed] = await Promise.all([
      startFaultProxy(server.endpoint, { keep: true }),
      startFaultProxy(server.endpoint),
    ]);
    const gone = cbor.serialize({ __type: 'InvalidArgumentException', message: 'no such number' });
    const contentType = 'application/x-amz-cbor-1.1';
    trimmed.decide = (asked) =>
      asked.operation === 'GetShardIterator' &&
      bodyOf(asked)['ShardIteratorType'] === 'AFTER_SEQUENCE_NUMBER'
        ? { kind: 'answer', status: 400, body: gone, contentType }
        : pass;
  }, 600_000);
  afterAll(async () => {
    await run?.kill();
    await paced?.close();
    await trimmed?.close();
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Records `n` from `from` until before `to`, over all shards. */
  async function write(stream: string, from: number, to: number): Promise<void> {
    const streams = new Map([['shop/clicks', stream]]);
    const writer = createKinesisWriter({ endpoint: server.endpoint, streams });
    const records = Array.from({ length: to - from }, (_, i) => ({
      key: `key-${from + i}`,
      value: [Buffer.from(`{"n":${from + i}}`)],
    }));
    const outcomes = await writer.write('shop/clicks', records);
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['applied']));
    await writer.close();
  }

  const recordsOf = (source: string): readonly RawRecord[] =>
    (run?.emitted(source) ?? [])
      .flat()
      .flatMap(({ kind, value }) => (kind === raw ? [value as RawRecord] : []));
  const numbersOf = (source: string): readonly number[] =>
    recordsOf(source).map(({ text }) => (JSON.parse(text) as { readonly n: number }).n);
  const below = (count: number): readonly number[] => Array.from({ length: count }, (_, n) => n);

  async function start(since: string): Promise<SourceRun> {
    const kinesis = { connector: 'kinesis', endpoint: server.endpoint };
    const own = { ...kinesis, region: testCredentials.AWS_REGION, stream: 'starts' };
    const quick = { readEveryMs: 200, idleReadEveryMs: 200, discoveryMs: 1_000 };
    // No such number was ever given: what is behind it is what the server makes of it.
    const positions = { [first]: '4959033827149025660800' };
    return SourceRun.start({
      sources: {
        latest: { ...own, ...quick, from: 'latest' },
        since: { ...own, ...quick, from: since },
        trimmed: {
          ...{ ...own, ...quick, endpoint: trimmed.endpoint },
          ...{ from: { positions }, whenTrimmed: 'oldest' },
        },
        // Two records of a call, until the end is found; then none for an hour.
        paced: {
          ...{ ...own, ...quick, endpoint: paced.endpoint },
          ...{ readMaxRecords: 2, idleReadEveryMs: hourMs },
        },
        // One call, and none for an hour.
        once: { ...own, ...quick, readMaxRecords: 2, readEveryMs: hourMs },
        merged: { ...own, ...quick, stream: 'merged' },
      },
      ...{ dir, parallelism: 2 },
      // The streams are in another region than the job.
      env: { ...testCredentials, AWS_REGION: 'eu-west-1' },
    });
  }

  it('hold, also while shards of two tasks are merged', { timeout: 120_000 }, async () => {
    await server.createStream('starts', 1);
    await server.createStream('merged', 2);
    await write('starts', 0, 4);
    await sleep(20);
    const since = new Date().toISOString();
    await sleep(20);
    // The server says how far behind a read is by the times of records.
    await write('starts', 4, 5);
    await write('merged', 0, 20);
    run = await start(since);
    await run.emits('latest', heard, 1);
    await run.records('since', 1);
    await run.records('paced', 5);
    await run.records('trimmed', 5);
    await run.records('merged', 20);
    await run.emits('once', raw, 2);

    await write('starts', 5, 7);
    await server.mergeShards('merged');
    await write('merged', 20, 30);
    await run.records('latest', 2);
    await run.records('since', 3);
    await run.records('trimmed', 7);
    await run.records('merged', 30);
    await run.emits('merged', end, 2);
    expect(numbersOf('latest')).toEqual([5, 6]);
    expect(numbersOf('since')).toEqual([4, 5, 6]);
    expect(numbersOf('trimmed')).toEqual(below(7));
    expect(run.log).toContain('it continues with the oldest record that is kept');
    expectMerged();
    // It lists its shards each second, not each half a minute.
    while (paced.asked.filter(({ operation }) => operation === 'ListShards').length < 4)
      await sleep(50);
    expect(numbersOf('paced')).toEqual(below(5));
    expect(numbersOf('once')).toEqual([0, 1]);
    const reads = paced.asked.filter(({ operation }) => operation === 'GetRecords');
    expect(reads.map((one) => bodyOf(one)['Limit'])).toEqual([2, 2, 2]);
    await run.stop();
  });

  /** Each record once, of the child behind the ends of both parents, on a task of one of them. */
  function expectMerged(): void {
    const tasks = run?.emitted('merged') ?? [];
    expect(numbersOf('merged').toSorted((a, b) => a - b)).toEqual(below(30));
    const key = (shard: string): string => `merged kinesis ${shard}`;
    const begun = tasks.map((task) =>
      task.flatMap(({ kind, value }) => (kind === begin ? [value as Begun] : [])),
    );
    const parents = [first, 'shardId-000000000001'].map(key);
    const child = begun.flat().find((one) => one.parents.length > 0);
    expect(child?.parents.toSorted()).toEqual(parents);
    // Each task had one parent; one of them has the child, behind all records of its own.
    const hasChild = begun.map((task) => task.some(({ split }) => split === child?.split));
    const withChild = hasChild.indexOf(true);
    expect(begun.map((task) => task.length)).toEqual(withChild === 0 ? [2, 1] : [1, 2]);
    for (const task of tasks) {
      const kinds = task.map(({ kind }) => kind);
      // A parent ends when its child has begun, wherever that is.
      expect(kinds.filter((kind) => kind === end)).toHaveLength(1);
      expect(kinds.lastIndexOf(begin)).toBeLessThan(kinds.indexOf(end));
    }
    const splits = tasks[withChild]?.flatMap(({ kind, value }) =>
      kind === raw ? [key((value as RawRecord).split)] : [],
    );
    const at = splits?.indexOf(child?.split ?? '') ?? -1;
    expect(at).toBeGreaterThan(0);
    expect(new Set(splits?.slice(at))).toEqual(new Set([child?.split]));
  }
});

/**
 * Kinesis and Kafka stand-ins on segment logs, behind the ports that the real ones share: shards
 * with sequence numbers for the small route, partitions with offsets for the large one.
 *
 * Layout: `<root>/<team>/<app>/kinesis/shardId-000000000000/*.log` and
 * `.../kafka/partition-0/*.log`. Invariants:
 * 1. The number of splits of a stream is what its folder has; configuration decides only when it is
 *    made, so no key moves.
 * 2. `<root>` has one owner, who holds its lock; so has each split's folder, wherever a link leads.
 */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Frame } from '../../../ingest/segment-log/frame.ts';
import type { OpenLogFile } from '../../../ingest/segment-log/log-file.ts';
import { makeDirectory } from '../../../ingest/segment-log/segment.ts';
import { SegmentLog } from '../../../ingest/segment-log/segment-log.ts';
import { SegmentReader } from '../../../ingest/segment-log/segment-reader.ts';
import type { LocalConfig, StreamConfig } from '../../../schemas/config.ts';
import { assert, present } from '../../../schemas/kernel/assert.ts';
import { mebi } from '../../../schemas/kernel/bytes.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import type { RefusedCode } from '../../../schemas/kernel/error-codes.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { lockFolder } from '../../../schemas/kernel/folder-lock.ts';
import { limits } from '../../../schemas/limits.ts';
import type { OutgoingRecord, Route } from '../../../schemas/ports/record.ts';
import { routes } from '../../../schemas/ports/record.ts';
import type { ReadBounds, RecordReader } from '../../../schemas/ports/record-reader.ts';
import type { RecordWriter, WriteOutcome } from '../../../schemas/ports/record-writer.ts';
import { offsetOf, positionOf, splitName, splitOf, splitsAmong } from './embedded-splits.ts';

/** Embedded log: a segment is closed at this size. */
const segmentMaxBytes = 64 * mebi;
assert(
  limits.kafkaRecordMaxBytes + limits.recordHeadMaxBytes <= segmentMaxBytes,
  'the largest record fits a segment',
);

/** What a thread needs to read one route of one stream; structured-clonable. */
export interface EmbeddedStreamHandle {
  readonly route: Route;
  readonly splits: readonly {
    readonly id: string;
    readonly dir: string;
    readonly end: SharedArrayBuffer;
  }[];
}

export interface EmbeddedStreams {
  writer(route: Route): RecordWriter;
  handles(stream: string): readonly EmbeddedStreamHandle[];
  close(): Promise<void>;
}

export interface EmbeddedStreamsOptions {
  readonly root: string;
  readonly streams: readonly StreamConfig[];
  readonly local: Pick<
    LocalConfig,
    'kinesisShards' | 'kafkaPartitions' | 'retentionMaxBytes' | 'retentionMaxMs'
  >;
  readonly clock: Clock;
  readonly segmentMaxBytes?: number;
  readonly openFile?: OpenLogFile;
}

interface EmbeddedPath {
  readonly handle: EmbeddedStreamHandle;
  readonly logs: readonly SegmentLog[];
}

/** Opens every stream's logs. Throws `SluiceError` `stream-corrupt`, `folder-in-use`. */
export async function openEmbeddedStreams(
  options: EmbeddedStreamsOptions,
): Promise<EmbeddedStreams> {
  await makeDirectory(options.root);
  const lock = await lockFolder(options.root);
  const opened = new Map<string, EmbeddedPath>();
  const closeAll = async (): Promise<void> => {
    for (const { logs } of opened.values()) for (const log of logs) await log.close();
    lock.release();
  };
  try {
    for (const stream of options.streams) {
      for (const route of routes)
        opened.set(`${route} ${stream.name}`, await openRoute(options, stream, route));
    }
  } catch (thrown) {
    await closeAll();
    throw thrown;
  }
  return {
    writer: (route) => embeddedWriter(route, (stream) => opened.get(`${route} ${stream}`)),
    handles: (stream) =>
      routes.map(
        (route) =>
          present(opened.get(`${route} ${stream}`), `the embedded stream ${stream}`).handle,
      ),
    close: closeAll,
  };
}

async function openRoute(
  options: EmbeddedStreamsOptions,
  stream: StreamConfig,
  route: Route,
): Promise<EmbeddedPath> {
  const root = join(options.root, stream.team, stream.app, route);
  await makeDirectory(root);
  const existing = splitsAmong(route, await readdir(root));
  const count = route === 'kinesis' ? options.local.kinesisShards : options.local.kafkaPartitions;
  const names =
    existing.length > 0
      ? existing
      : Array.from({ length: count }, (_, index) => splitName(route, index));
  const logs: SegmentLog[] = [];
  const splits: EmbeddedStreamHandle['splits'][number][] = [];
  try {
    for (const id of names) {
      const dir = join(root, id);
      const end = new SharedArrayBuffer(8);
      const shared = new BigInt64Array(end);
      const log = await SegmentLog.open({
        dir,
        clock: options.clock,
        segmentMaxBytes: options.segmentMaxBytes ?? segmentMaxBytes,
        pendingMaxBytes: limits.logPendingMaxBytes,
        retentionMaxBytes: options.local.retentionMaxBytes,
        retentionMaxMs: options.local.retentionMaxMs,
        publish: (durableEnd) => void Atomics.store(shared, 0, BigInt(durableEnd)),
        ...(options.openFile === undefined ? {} : { openFile: options.openFile }),
      });
      logs.push(log);
      splits.push({ id, dir, end });
    }
  } catch (thrown) {
    for (const log of logs) await log.close();
    throw thrown;
  }
  return { handle: { route, splits }, logs };
}

const recordMaxBytes: Readonly<Record<Route, number>> = {
  kinesis: limits.kinesisRecordMaxBytes,
  kafka: limits.kafkaRecordMaxBytes,
};

function embeddedWriter(
  route: Route,
  find: (stream: string) => EmbeddedPath | undefined,
): RecordWriter {
  const missing = (stream: string): string => `there is no embedded stream '${stream}'`;
  const underWay = new Set<Promise<unknown>>();
  let closed = false;
  return {
    route,
    describe(stream) {
      const found = find(stream);
      if (found === undefined)
        return Promise.reject(new SluiceError('stream-missing', missing(stream)));
      return Promise.resolve({
        recordMaxBytes: recordMaxBytes[route],
        splits: found.handle.splits.map((split) => split.id),
      });
    },
    write(stream, records) {
      if (closed)
        return Promise.resolve(records.map(() => refused('closed', 'the writer is closed', true)));
      const found = find(stream);
      if (found === undefined)
        return Promise.resolve(
          records.map(() => refused('stream-missing', missing(stream), false)),
        );
      const writing = writeTo(route, found, records).finally(() => underWay.delete(writing));
      underWay.add(writing);
      return writing;
    },
    async close() {
      closed = true;
      await Promise.all(underWay);
    },
  };
}

/** The splits commit beside each other; outcomes keep the order of the records. */
async function writeTo(
  route: Route,
  { handle, logs }: EmbeddedPath,
  records: readonly OutgoingRecord[],
): Promise<readonly WriteOutcome[]> {
  const outcomes: WriteOutcome[] = [];
  const bySplit: number[][] = logs.map(() => []);
  for (const [index, record] of records.entries()) {
    const problem = problemOf(route, record);
    if (problem !== undefined) outcomes[index] = problem;
    else bySplit[splitOf(route, record.key, logs.length)]?.push(index);
  }
  await Promise.all(
    bySplit.map(async (indices, nth) => {
      if (indices.length === 0) return;
      const split = present(handle.splits[nth], 'a split').id;
      const outcome = await present(logs[nth], 'a log').append(
        indices.map((index) => records[index] as OutgoingRecord),
      );
      for (const [at, index] of indices.entries()) {
        if (outcome.kind === 'applied')
          outcomes[index] = {
            kind: 'applied',
            split,
            position: positionOf(route, outcome.firstOffset + at),
          };
        else
          outcomes[index] =
            outcome.kind === 'unknown' ? outcome : refused(outcome.code, outcome.message, true);
      }
    }),
  );
  return outcomes;
}

function refused(code: RefusedCode, message: string, retryable: boolean): WriteOutcome {
  return { kind: 'refused', code, message, retryable };
}

function problemOf(route: Route, record: OutgoingRecord): WriteOutcome | undefined {
  let bytes = Buffer.byteLength(record.key);
  for (const piece of record.value) bytes += piece.length;
  for (const [name, text] of Object.entries(record.headers ?? {}))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(text);
  if (record.key === '' || [...record.key].length > limits.partitionKeyMaxChars) {
    return refused(
      'key-invalid',
      `a partition key has 1 to ${limits.partitionKeyMaxChars} characters`,
      false,
    );
  }
  if (route === 'kinesis' && record.headers !== undefined) {
    return refused('headers-not-supported', 'a Kinesis record has no headers', false);
  }
  if (bytes > recordMaxBytes[route]) {
    return refused(
      'record-too-large',
      `the record has ${bytes} bytes; at most ${recordMaxBytes[route]} are taken`,
      false,
    );
  }
  return undefined;
}

/** A reader of one route of one stream, in any thread of the process that writes it. */
export function embeddedReader(handle: EmbeddedStreamHandle): RecordReader {
  const { route } = handle;
  const readers = new Map(
    handle.splits.map((split) => {
      const shared = new BigInt64Array(split.end);
      return [
        split.id,
        new SegmentReader(split.dir, () => Number(Atomics.load(shared, 0))),
      ] as const;
    }),
  );
  const of = (split: string): SegmentReader => present(readers.get(split), `the split ${split}`);
  const nextOf = (after: string): number => offsetOf(route, after) + 1;
  return {
    route,
    splits: () => Promise.resolve(handle.splits.map(({ id }) => ({ id, parents: [] }))),
    async read(split, after, bounds) {
      const reader = of(split);
      const oldest = after === undefined ? await readOldest(reader, bounds) : undefined;
      const frames = oldest?.frames ?? (await reader.read(nextOf(after as string), bounds));
      const records = frames.map((frame) => ({
        key: frame.key,
        value: frame.value,
        position: positionOf(route, frame.offset),
        arrivedAtMs: frame.atMs,
        ...(frame.headers === undefined ? {} : { headers: frame.headers }),
      }));
      return {
        records,
        ended: false,
        ...(oldest === undefined ? {} : { begins: positionOf(route, oldest.start) }),
      };
    },
    latest(split) {
      const end = of(split).durableEnd;
      return Promise.resolve(end === 0 ? undefined : positionOf(route, end - 1));
    },
    async lag(split, after) {
      const reader = of(split);
      return reader.durableEnd - (after === undefined ? await reader.start() : nextOf(after));
    },
    oldest: async (split) => ({
      position: positionOf(route, await of(split).start()),
      counts: true,
    }),
    async positionAt(split, from) {
      const { dir, end } = present(
        handle.splits.find(({ id }) => id === split),
        `the split ${split}`,
      );
      const durableEnd = Number(Atomics.load(new BigInt64Array(end), 0));
      // A reader of its own: those of one must not overlap.
      const reader = new SegmentReader(dir, () => durableEnd);
      try {
        const [first, next] = from === 'latest' ? [0, durableEnd] : await firstSince(reader, from);
        return next === first ? undefined : positionOf(route, next - 1);
      } finally {
        await reader.close();
      }
    },
    async close() {
      for (const reader of readers.values()) await reader.close();
    },
  };
}

const searchBounds: ReadBounds = { maxRecords: 10_000, maxBytes: 4 * mebi };

/**
 * The oldest offset that is kept, and the first of a record that arrived at `atMs` or later; the
 * next one where none did.
 */
async function firstSince(
  reader: SegmentReader,
  atMs: number,
): Promise<readonly [first: number, next: number]> {
  const { start, frames } = await readOldest(reader, searchBounds);
  for (let read = frames, next = start; ; read = await reader.read(next, searchBounds)) {
    const found = read.find((frame) => frame.atMs >= atMs);
    next = found?.offset ?? next + read.length;
    if (found !== undefined || read.length === 0) return [start, next];
  }
}

/** From the oldest kept record on, also when retention takes it just then. */
async function readOldest(
  reader: SegmentReader,
  bounds: ReadBounds,
): Promise<{ readonly start: number; readonly frames: readonly Frame[] }> {
  for (;;) {
    const start = await reader.start();
    try {
      return { start, frames: await reader.read(start, bounds) };
    } catch (thrown) {
      if (
        !(thrown instanceof SluiceError) ||
        thrown.code !== 'position-trimmed' ||
        (await reader.start()) === start
      )
        throw thrown;
    }
  }
}

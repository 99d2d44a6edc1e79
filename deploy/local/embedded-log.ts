/**
 * Kinesis and Kafka stand-ins on segment logs, behind the ports that the real ones share: shards with sequence numbers for the small path,
 * partitions with offsets for the large one.
 *
 * Layout: `<root>/<team>/<app>/kinesis/shardId-000000000000/*.log` and `.../kafka/partition-0/*.log`.
 * Invariant: the number of splits of a stream is what its folder has; configuration decides only when it is made, so no key moves.
 */
import { hash } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { OpenLogFile } from '../../ingest/segment-log/log-file.ts';
import { SegmentLog } from '../../ingest/segment-log/segment-log.ts';
import { SegmentReader } from '../../ingest/segment-log/segment-reader.ts';
import type { LocalConfig, StreamConfig } from '../../schemas/config.ts';
import { present } from '../../schemas/kernel/assert.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { OutgoingRecord, Path } from '../../schemas/ports/record.ts';
import { paths } from '../../schemas/ports/record.ts';
import type { RecordReader } from '../../schemas/ports/record-reader.ts';
import type { RecordWriter, WriteOutcome } from '../../schemas/ports/record-writer.ts';

/** What a thread needs to read one path of one stream; structured-clonable. */
export interface EmbeddedStreamHandle {
  readonly path: Path;
  readonly splits: readonly { readonly id: string; readonly dir: string; readonly end: SharedArrayBuffer }[];
}

export interface EmbeddedStreams {
  writer(path: Path): RecordWriter;
  handles(stream: string): readonly EmbeddedStreamHandle[];
  close(): Promise<void>;
}

export interface EmbeddedStreamsOptions {
  readonly root: string;
  readonly streams: readonly StreamConfig[];
  readonly local: Pick<LocalConfig, 'kinesisShards' | 'kafkaPartitions' | 'retentionMaxBytes' | 'retentionMaxMs'>;
  readonly clock: Clock;
  readonly segmentMaxBytes?: number;
  readonly openFile?: OpenLogFile;
}

interface EmbeddedPath {
  readonly handle: EmbeddedStreamHandle;
  readonly logs: readonly SegmentLog[];
}

/** Sequence numbers are far above 2^53, as Kinesis' are: code that takes them for numbers breaks here first. */
const sequencePrefix = '49650000000000000000';
const offsetDigits = 20;

function positionOf(path: Path, offset: number): string {
  return path === 'kafka' ? String(offset) : sequencePrefix + String(offset).padStart(offsetDigits, '0');
}

function offsetOf(path: Path, position: string): number {
  return Number(path === 'kafka' ? position : position.slice(sequencePrefix.length));
}

/** Opens every stream's logs. Throws `SluiceError` `stream-corrupt`. */
export async function openEmbeddedStreams(options: EmbeddedStreamsOptions): Promise<EmbeddedStreams> {
  const opened = new Map<string, EmbeddedPath>();
  try {
    for (const stream of options.streams) {
      for (const path of paths) opened.set(`${path} ${stream.name}`, await openPath(options, stream, path));
    }
  } catch (thrown) {
    for (const { logs } of opened.values()) for (const log of logs) await log.close();
    throw thrown;
  }
  return {
    writer: (path) => embeddedWriter(path, (stream) => opened.get(`${path} ${stream}`)),
    handles: (stream) => paths.map((path) => present(opened.get(`${path} ${stream}`), `the embedded stream ${stream}`).handle),
    async close() {
      for (const { logs } of opened.values()) for (const log of logs) await log.close();
    },
  };
}

async function openPath(options: EmbeddedStreamsOptions, stream: StreamConfig, path: Path): Promise<EmbeddedPath> {
  const root = join(options.root, stream.team, stream.app, path);
  await mkdir(root, { recursive: true });
  const existing = (await readdir(root)).sort();
  const count = path === 'kinesis' ? options.local.kinesisShards : options.local.kafkaPartitions;
  const names = existing.length > 0 ? existing : Array.from({ length: count }, (_, index) => splitName(path, index));
  const logs: SegmentLog[] = [];
  const splits: EmbeddedStreamHandle['splits'][number][] = [];
  for (const id of names) {
    const dir = join(root, id);
    const end = new SharedArrayBuffer(8);
    const shared = new BigInt64Array(end);
    const log = await SegmentLog.open({
      dir,
      clock: options.clock,
      segmentMaxBytes: options.segmentMaxBytes ?? limits.segmentMaxBytes,
      pendingMaxBytes: limits.logPendingMaxBytes,
      retentionMaxBytes: options.local.retentionMaxBytes,
      retentionMaxMs: options.local.retentionMaxMs,
      publish: (durableEnd) => void Atomics.store(shared, 0, BigInt(durableEnd)),
      ...(options.openFile === undefined ? {} : { openFile: options.openFile }),
    });
    logs.push(log);
    splits.push({ id, dir, end });
  }
  return { handle: { path, splits }, logs };
}

function splitName(path: Path, index: number): string {
  return path === 'kinesis' ? `shardId-${String(index).padStart(12, '0')}` : `partition-${String(index).padStart(4, '0')}`;
}

const recordMaxBytes: Readonly<Record<Path, number>> = { kinesis: limits.kinesisRecordMaxBytes, kafka: limits.kafkaRecordMaxBytes };

function embeddedWriter(path: Path, find: (stream: string) => EmbeddedPath | undefined): RecordWriter {
  const required = (stream: string): EmbeddedPath => {
    const found = find(stream);
    if (found === undefined) throw new SluiceError('stream-missing', `there is no embedded stream '${stream}'`);
    return found;
  };
  return {
    path,
    describe(stream) {
      return Promise.resolve({ recordMaxBytes: recordMaxBytes[path], splits: required(stream).handle.splits.map((split) => split.id) });
    },
    async write(stream, records) {
      const { handle, logs } = required(stream);
      const outcomes: WriteOutcome[] = [];
      const bySplit: number[][] = logs.map(() => []);
      for (const [index, record] of records.entries()) {
        const problem = problemOf(path, record);
        if (problem !== undefined) outcomes[index] = problem;
        else bySplit[splitOf(path, record.key, logs.length)]?.push(index);
      }
      await Promise.all(
        bySplit.map(async (indices, split) => {
          if (indices.length === 0) return;
          const log = present(logs[split], 'a log');
          const outcome = await log.append(indices.map((index) => records[index] as OutgoingRecord));
          for (const [nth, index] of indices.entries()) {
            outcomes[index] =
              outcome.kind === 'applied'
                ? {
                    kind: 'applied',
                    split: present(handle.splits[split], 'a split').id,
                    position: positionOf(path, outcome.firstOffset + nth),
                  }
                : { kind: 'refused', code: outcome.code, message: outcome.message, retryable: true };
          }
        }),
      );
      return outcomes;
    },
    close: () => Promise.resolve(),
  };
}

function problemOf(path: Path, record: OutgoingRecord): WriteOutcome | undefined {
  const bytes = record.value.reduce((sum, piece) => sum + piece.length, 0) + Buffer.byteLength(record.key);
  const refuse = (code: string, message: string): WriteOutcome => ({ kind: 'refused', code, message, retryable: false });
  if (record.key === '' || [...record.key].length > limits.partitionKeyMaxChars) {
    return refuse('key-invalid', `a partition key has 1 to ${limits.partitionKeyMaxChars} characters`);
  }
  if (path === 'kinesis' && record.headers !== undefined) return refuse('headers-not-supported', 'a Kinesis record has no headers');
  if (bytes > recordMaxBytes[path])
    return refuse('record-too-large', `the record has ${bytes} bytes; at most ${recordMaxBytes[path]} are taken`);
  return undefined;
}

/** Kinesis: MD5 of the key over even hash ranges. Kafka: the Java client's default partitioner. */
function splitOf(path: Path, key: string, count: number): number {
  if (path === 'kafka') return (murmur2(Buffer.from(key)) & 0x7fffffff) % count;
  return Math.floor((Number.parseInt(hash('md5', key, 'hex').slice(0, 8), 16) * count) / 4_294_967_296);
}

/** org.apache.kafka.common.utils.Utils.murmur2 */
export function murmur2(data: Uint8Array): number {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ data.length;
  const whole = data.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    let k = (data[i] as number) | ((data[i + 1] as number) << 8) | ((data[i + 2] as number) << 16) | ((data[i + 3] as number) << 24);
    k = Math.imul(k, m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const rest = data.length & 3;
  if (rest === 3) h ^= (data[whole + 2] as number) << 16;
  if (rest >= 2) h ^= (data[whole + 1] as number) << 8;
  if (rest >= 1) h = Math.imul(h ^ (data[whole] as number), m);
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}

/** A reader of one path of one stream, in any thread of the process that writes it. */
export function embeddedReader(handle: EmbeddedStreamHandle): RecordReader {
  const { path } = handle;
  const readers = new Map(
    handle.splits.map((split) => {
      const shared = new BigInt64Array(split.end);
      return [split.id, new SegmentReader(split.dir, () => Number(Atomics.load(shared, 0)))] as const;
    }),
  );
  const of = (split: string): SegmentReader => present(readers.get(split), `the split ${split}`);
  const nextOf = (after: string | undefined): number => (after === undefined ? 0 : offsetOf(path, after) + 1);
  return {
    path,
    splits: () => Promise.resolve(handle.splits.map(({ id }) => ({ id, parents: [] }))),
    async read(split, after, bounds) {
      const reader = of(split);
      const from = after === undefined ? await reader.start() : nextOf(after);
      const frames = await reader.read(from, bounds);
      const records = frames.map((frame) => ({
        key: frame.key,
        value: frame.value,
        position: positionOf(path, frame.offset),
        arrivedAtMs: frame.atMs,
        ...(frame.headers === undefined ? {} : { headers: frame.headers }),
      }));
      return { records, ended: false };
    },
    latest(split) {
      const end = of(split).durableEnd;
      return Promise.resolve(end === 0 ? undefined : positionOf(path, end - 1));
    },
    lag: (split, after) => Promise.resolve(of(split).durableEnd - nextOf(after)),
    async close() {
      for (const reader of readers.values()) await reader.close();
    },
  };
}

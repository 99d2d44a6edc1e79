/**
 * What a benchmark of the engine alone runs on: records that lie ready in memory, and a sink that
 * counts rows.
 */
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { RecordReader } from '../../schemas/ports/record-reader.ts';
import type { Sink } from '../../topology/nodes/sink.ts';

export interface MemoryReaderOptions {
  /** Records of one read; default: as many as asked for. */
  readonly batchRows?: number;
  /** Before each read, with the number of records before it. */
  readonly onRead?: (from: number) => void;
}

/** A stream of one split that has all of `records`. */
export function memoryReader(
  records: readonly IncomingRecord[],
  { batchRows = Number.POSITIVE_INFINITY, onRead }: MemoryReaderOptions = {},
): RecordReader {
  return {
    route: 'kinesis',
    splits: () => Promise.resolve([{ id: 'shard-0', parents: [] }]),
    read: (_split, after, { maxRecords }) => {
      const from = Number(after ?? 0);
      onRead?.(from);
      const to = from + Math.min(maxRecords, batchRows);
      return Promise.resolve({ records: records.slice(from, to), ended: false });
    },
    latest: () => Promise.resolve(String(records.length)),
    lag: (_split, after) => Promise.resolve(records.length - Number(after ?? 0)),
    oldest: () => Promise.resolve({ position: '1', counts: true }),
    positionAt: () => Promise.resolve(undefined),
    close: () => Promise.resolve(),
  };
}

/** Gives `count` the rows of each batch, and keeps none. */
export function countingSink(count: (rows: number) => void): Sink {
  return {
    open: () => Promise.resolve(),
    write: ({ length }) => {
      count(length);
      return Promise.resolve([]);
    },
    prepare: () => Promise.resolve({}),
    commit: () => Promise.resolve(),
    pendingRows: () => 0,
    close: () => Promise.resolve(),
  };
}

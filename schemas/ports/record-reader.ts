/**
 * Where topologies take records from: one stream of one path. One contract suite (test/contract/record-reader.ts) runs
 * against every adapter. Flow is pulled: nothing is read that was not asked for.
 *
 * Invariants:
 * 1. A split's records come in the order of their positions, each once for the same `after`.
 * 2. Only records that are durable in the stream are returned: a position that was read never names another record later.
 */
import type { IncomingRecord, Path, Split } from './record.ts';

export interface ReadBounds {
  readonly maxRecords: number;
  /** At least one record is returned even when it alone is larger. */
  readonly maxBytes: number;
}

export interface ReadResult {
  readonly records: readonly IncomingRecord[];
  /** True once the split is closed and everything in it was returned. */
  readonly ended: boolean;
  /**
   * How long before this read what comes next had arrived, in ms; 0 when there was nothing more. Given by adapters whose stream says so
   * (Kinesis' MillisBehindLatest), and required where `latest` cannot be asked.
   */
  readonly behindMs?: number;
  /** Without records: the end of the split was not seen, because it was not asked (throttled, paced) or had only what is no record. */
  readonly inconclusive?: true;
  /**
   * Without records: up to here there is none after `after`. What is there is no record (markers of transactions, what was broken off, what compaction
   * took), and `after` may be this position from then on.
   */
  readonly reached?: string;
  /** Without records, and inconclusive: what the split waits for that the stream itself holds back, as a sentence. */
  readonly waitsFor?: string;
}

export interface RecordReader {
  readonly path: Path;
  /** All splits that can be read now, parents before children. A parent that retention took is in neither the list nor `parents`. */
  splits(): Promise<readonly Split[]>;
  /**
   * The records after position `after` (from the oldest kept one when undefined), possibly none; it does not wait for more.
   * Throws `SluiceError` `position-trimmed` when retention took records that were not read yet,
   * `stream-corrupt` when stored bytes are damaged, `codec-unreadable` when they are compressed in a way that cannot be read here,
   * `stream-unreachable` (retryable) when the stream cannot be asked.
   */
  read(split: string, after: string | undefined, bounds: ReadBounds): Promise<ReadResult>;
  /** The newest position of a split that can be read now, undefined while it is empty; null where it cannot be asked: then reads say when they are at the end. */
  latest(split: string): Promise<string | undefined | null>;
  /** Records after `after` that can be read now; for lag. Adapters that cannot count return undefined. */
  lag(split: string, after: string | undefined): Promise<number | undefined>;
  close(): Promise<void>;
}

/** Orders two positions of one split: negative when `a` is before `b`. Positions are decimal digits of any length. */
export function comparePositions(a: string, b: string): number {
  const left = a.replace(/^0+(?=\d)/, '');
  const right = b.replace(/^0+(?=\d)/, '');
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

/**
 * Where topologies take records from: one stream on one route. One contract suite
 * (test/contract/record-reader.ts) runs against every adapter. Flow is pulled: nothing is read that
 * was not asked for.
 *
 * Invariants:
 * 1. A split's records come in the order of their positions, each once for the same `after`.
 * 2. Only records that are durable in the stream are returned: a position that was read never names
 *    another record later.
 */
import type { IncomingRecord, Route, Split } from './record.ts';

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
   * How long before this read what comes next had arrived, in ms; 0 when there was nothing more.
   * Given by adapters whose stream says so (Kinesis' MillisBehindLatest), and required where
   * `latest` cannot be asked.
   */
  readonly behindMs?: number;
  /**
   * Without records: the end of the split was not seen, because it was not asked (throttled, paced)
   * or had only what is not a record.
   */
  readonly inconclusive?: true;
  /**
   * Without records: up to here there is none after `after`. What is there is not a record (markers
   * of transactions, what was broken off, what compaction took), and `after` may be this position
   * from then on.
   */
  readonly reached?: string;
  /**
   * Without records, and inconclusive: what the split waits for that the stream itself holds back,
   * as a sentence.
   */
  readonly waitsFor?: string;
  /**
   * Of a read from the oldest record: its position, or that of the next one while there is none.
   * Absent where the stream cannot tell.
   */
  readonly begins?: string;
}

/**
 * Where reading begins that does not begin with the oldest record: what comes from now on, or what
 * arrived from a time on, epoch ms.
 */
export type ReadFrom = 'latest' | number;

/** What is known of a split beside a position. */
export interface ReadKnown {
  /**
   * Epoch ms: all that had arrived by then was read. Streams that do not say what they removed are
   * asked by it.
   */
  readonly readToMs?: number | undefined;
  /**
   * Of a split without a position, in place of its oldest record; only where `positionAt` gives
   * null.
   */
  readonly from?: ReadFrom | undefined;
}

export interface OldestKept {
  /**
   * Of the oldest record, or of the next one while there is none; undefined where that is not
   * known.
   */
  readonly position: string | undefined;
  /**
   * Whether positions follow each other one by one, so that what is between two of them is known by
   * its number.
   */
  readonly counts: boolean;
}

export interface RecordReader {
  readonly route: Route;
  /**
   * How long an answer that says something may take before a split counts as slow; default
   * `limits.readSlowMs`.
   */
  readonly slowMs?: number;
  /**
   * All splits that can be read now, parents before children. A parent that retention took is in
   * neither the list nor `parents`.
   */
  splits(): Promise<readonly Split[]>;
  /**
   * The records after position `after` (from the oldest kept one when undefined), possibly none; it
   * does not wait for more. Throws `SluiceError` `position-trimmed` when retention took records
   * that were not read yet, or may have, `position-truncated` when the split ends before `after`,
   * so that it lost its end, `stream-corrupt` when stored bytes are damaged,
   * `codec-unreadable` when they are compressed in a way that cannot be read here,
   * `stream-unreachable` (retryable) when the stream cannot be asked.
   */
  read(
    split: string,
    after: string | undefined,
    bounds: ReadBounds,
    known?: ReadKnown,
  ): Promise<ReadResult>;
  /**
   * The newest position of a split that can be read now, undefined while it is empty; null where it
   * cannot be asked: then reads say when they are at the end.
   */
  latest(split: string): Promise<string | undefined | null>;
  /**
   * Records after `after` that can be read now; for lag. Adapters that cannot count return
   * undefined.
   */
  lag(split: string, after: string | undefined): Promise<number | undefined>;
  /** The oldest record that is kept: what lies between a position and it is lost. */
  oldest(split: string): Promise<OldestKept>;
  /**
   * The position after which what `from` names begins, undefined where that is the oldest record;
   * null where only a read can begin there.
   */
  positionAt(split: string, from: ReadFrom): Promise<string | undefined | null>;
  close(): Promise<void>;
}

/**
 * Orders two positions of one split: negative when `a` is before `b`. Positions are decimal digits
 * of any length.
 */
export function comparePositions(a: string, b: string): number {
  const left = a.replace(/^0+(?=\d)/, '');
  const right = b.replace(/^0+(?=\d)/, '');
  if (left.length !== right.length) return left.length - right.length;
  return left < right ? -1 : left > right ? 1 : 0;
}

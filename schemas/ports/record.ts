/**
 * Records: framed bytes on a stream. What a Kinesis stream and a Kafka topic have in common, and
 * nothing else.
 */

/**
 * The two ways an event can take. `kinesis` is the small route, `kafka` the large one, also where
 * the embedded log stands for both.
 */
export type Route = 'kinesis' | 'kafka';

export const routes: readonly Route[] = ['kinesis', 'kafka'];

export interface OutgoingRecord {
  /** Ordering key: at most `partitionKeyMaxChars` characters, never empty. */
  readonly key: string;
  /**
   * The value's bytes in pieces, in order. A writer copies them before its promise resolves and
   * never keeps them.
   */
  readonly value: readonly Uint8Array[];
  /** Kafka headers; a Kinesis writer refuses a record that has any. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface IncomingRecord {
  readonly key: string;
  readonly value: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * The record's own place in its split: a sequence number or an offset, as decimal digits (larger
   * than 2^53 is usual).
   */
  readonly position: string;
  /** Of a record that is one of several in an aggregate: its number. They share the position. */
  readonly part?: number;
  /** Of a record that points to its data: why that cannot be had, as a sentence. */
  readonly unresolved?: string;
  /** When the stream took the record, epoch ms. */
  readonly arrivedAtMs: number;
}

/** A shard or a partition, as read by one reader. */
export interface Split {
  /** Stable: `shardId-000000000000`, `partition-0`, or `partition-0-` and the id of its topic. */
  readonly id: string;
  /** Shards that must be read to their end before this one. Empty for partitions. */
  readonly parents: readonly string[];
  /**
   * What it is called in the checkpoints of earlier versions: where there is no position under its
   * own name, that name's is its position.
   */
  readonly formerly?: string;
  /**
   * Where its stream says so: a position before all of its own. One that was read and is before it
   * was of another split of that name.
   */
  readonly begins?: string;
  /** Parents that are no longer listed. */
  readonly goneParents?: readonly string[];
}

export interface RecordPlace {
  readonly split: string;
  readonly position: string;
}

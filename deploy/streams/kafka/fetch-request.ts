/**
 * Fetch as the source sends it, and what comes back, with the batches of records as bytes. kafkajs'
 * own decoder gives records and hides what is between them: batches that hold none any more, where
 * one ends, whose transaction it is of. It fails as a whole of one batch, and takes a codec that it
 * does not know for none. Pure; kafka-fetcher.ts sends it.
 * https://kafka.apache.org/protocol#The_Messages_Fetch
 *
 * Invariants:
 * 1. Only what is committed is asked for (`read_committed`): an answer ends before the first
 *    transaction that is still open.
 * 2. A partition's error is its own.
 */
import { AnswerReader, errorOfCode } from './answer-reader.ts';

export const fetchKey = 1;

/** Of brokers from 2.3 on; those from 0.11 on have the older one. Zstandard is sent from 10 on. */
export type FetchVersion = 4 | 11;

export const fetchVersionOf = (maxVersion: number): FetchVersion => (maxVersion >= 11 ? 11 : 4);

/** As in requests: `READ_COMMITTED`. */
export const readCommitted = 1;

export interface FetchWanted {
  readonly partition: number;
  readonly offset: bigint;
  readonly maxBytes: number;
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  /** Its first record's. */
  readonly first: bigint;
}

export interface FetchedPartition {
  readonly partition: number;
  /** Undefined where there is none. */
  readonly error: Error | undefined;
  /** The offset that the next record will get. */
  readonly highWatermark: bigint;
  /** Where the first transaction that is still open begins; the high watermark when none is. */
  readonly lastStable: bigint;
  /** That were broken off and have records in the answer. */
  readonly aborted: readonly AbortedTransaction[];
  /** Whole batches, and possibly a part of one more. */
  readonly batches: Buffer;
}

/** It waits for nothing. `maxBytes`: of the whole answer. */
export function encodeFetch(
  version: FetchVersion,
  topic: string,
  wanted: readonly FetchWanted[],
  maxBytes: number,
): Buffer {
  const isNew = version === 11;
  const name = Buffer.from(topic);
  return Buffer.concat([
    // Of no replica; at most 0 ms and at least 0 bytes; no session.
    int32(-1, 0, 0, maxBytes),
    Buffer.of(readCommitted),
    ...(isNew ? [int32(0, -1)] : []),
    int32(1),
    int16(name.length),
    name,
    int32(wanted.length),
    ...wanted.flatMap(({ partition, offset, maxBytes: most }) => [
      int32(partition),
      ...(isNew ? [int32(-1), int64(offset), int64(-1n)] : [int64(offset)]),
      int32(most),
    ]),
    // No topics to forget, no rack.
    ...(isNew ? [int32(0), int16(0)] : []),
  ]);
}

/** Throws a RangeError when it ends too soon, and an error with a `type` when all of it failed. */
export function decodeFetch(version: FetchVersion, payload: Buffer): readonly FetchedPartition[] {
  const isNew = version === 11;
  const read = new AnswerReader(payload);
  // For how long the client was throttled: kafkajs sees to that.
  read.skip(4);
  if (isNew) {
    const code = read.int16();
    if (code !== 0) throw errorOfCode(code);
    read.skip(4);
  }
  return read
    .array(() => {
      read.string();
      return read.array(() => partitionOf(read, isNew));
    })
    .flat();
}

function partitionOf(read: AnswerReader, isNew: boolean): FetchedPartition {
  const partition = read.int32();
  const code = read.int16();
  const highWatermark = read.int64();
  const lastStable = read.int64();
  // Where the log begins, which `bounds` asks for.
  if (isNew) read.skip(8);
  const aborted = read.array(() => ({ producerId: read.int64(), first: read.int64() }));
  // The replica that is nearer.
  if (isNew) read.skip(4);
  const batches = read.bytes(Math.max(0, read.int32()));
  return {
    partition,
    error: code === 0 ? undefined : errorOfCode(code),
    highWatermark,
    lastStable,
    aborted,
    batches,
  };
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [n, value] of values.entries()) bytes.writeInt32BE(value, 4 * n);
  return bytes;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

/**
 * Batches of records as Kafka stores and sends them, and the records of one. Pure.
 * https://kafka.apache.org/documentation/#recordbatch,
 * https://kafka.apache.org/documentation/#record
 *
 * Invariants:
 * 1. A batch says where it ends, whether records are left in it or not: compaction takes records
 *    out of the middle and the end, and keeps empty batches.
 * 2. What is cut at the end of an answer is not a batch.
 */
import type { IncomingRecord } from '../../../schemas/ports/record.ts';

export interface RecordBatch {
  /** Kafka's magic; of others than `currentForm` only the offset is known. */
  readonly form: number;
  /** Offsets of the first and the last record that it was written with. */
  readonly first: bigint;
  readonly last: bigint;
  /** By its number: https://kafka.apache.org/documentation/#recordbatch, attributes 0 to 2. */
  readonly codec: number;
  readonly producerId: bigint;
  readonly isTransactional: boolean;
  /** It has a marker of how a transaction ended, and no record. */
  readonly isControl: boolean;
  readonly count: number;
  /** Epoch ms: of the first record, or of all when the broker wrote the time. */
  readonly timestampMs: number;
  readonly isLogTime: boolean;
  /** As they were written, possibly compressed. */
  readonly records: Buffer;
}

const headBytes = 61;
/** Behind the offset and the length. */
const lengthAt = 12;
const magicAt = 16;
/** Of all clients from 0.11 on. */
export const currentForm = 2;
/** Of what says that it ends before it begins: nothing after it can be found. */
export const damagedForm = -1;

export function* batchesIn(bytes: Buffer): Generator<RecordBatch, undefined> {
  for (let at = 0; at + magicAt < bytes.length; ) {
    const end = at + lengthAt + bytes.readInt32BE(at + 8);
    if (end > bytes.length) return;
    if (end <= at + magicAt) {
      const first = bytes.readBigInt64BE(at);
      yield { form: damagedForm, first, last: first, ...unknown, records: bytes };
      return;
    }
    yield batchOf(bytes.subarray(at, end));
    at = end;
  }
}

function batchOf(bytes: Buffer): RecordBatch {
  const form = bytes.readInt8(magicAt);
  const first = bytes.readBigInt64BE();
  const isKnown = form === currentForm && bytes.length >= headBytes;
  if (!isKnown) return { form, first, last: first, ...unknown, records: bytes };
  const attributes = bytes.readInt16BE(21);
  const isLogTime = (attributes & 0x08) !== 0;
  return {
    form,
    first,
    last: first + BigInt(bytes.readInt32BE(23)),
    codec: attributes & 0x07,
    producerId: bytes.readBigInt64BE(43),
    isTransactional: (attributes & 0x10) !== 0,
    isControl: (attributes & 0x20) !== 0,
    count: bytes.readInt32BE(57),
    timestampMs: Number(bytes.readBigInt64BE(isLogTime ? 35 : 27)),
    isLogTime,
    records: bytes.subarray(headBytes),
  };
}

const unknown = {
  codec: 0,
  producerId: -1n,
  isTransactional: false,
  isControl: false,
  count: 0,
  timestampMs: 0,
  isLogTime: false,
};

/**
 * Whether the marker of a control batch says that the transaction was broken off.
 * https://kafka.apache.org/documentation/#controlbatch
 */
export function isAbortMarker({ count, records }: RecordBatch): boolean {
  if (count === 0) return false;
  const read = new FieldReader(records);
  read.number();
  read.skip(1);
  read.number();
  read.number();
  const key = read.bytes();
  return key !== undefined && key.length >= 4 && key.readInt16BE(2) === 0;
}

/**
 * `records`: as they are when they are not compressed. Throws a RangeError when they are damaged.
 */
export function recordsOf(
  { first, count, timestampMs, isLogTime }: RecordBatch,
  records: Buffer,
  from: bigint,
): IncomingRecord[] {
  const read = new FieldReader(records);
  const all: IncomingRecord[] = [];
  for (let left = count; left > 0; left--) {
    const end = read.number() + read.at;
    read.skip(1);
    const delta = read.number();
    const offset = first + BigInt(read.number());
    // A batch is given whole, and may begin before what was asked for.
    if (offset >= from)
      all.push(recordOf(read, String(offset), isLogTime ? timestampMs : timestampMs + delta));
    read.to(end);
  }
  return all;
}

function recordOf(read: FieldReader, position: string, arrivedAtMs: number): IncomingRecord {
  const key = read.text();
  const value = read.bytes() ?? new Uint8Array(0);
  const headers = headersOf(read);
  return headers === undefined
    ? { key, value, position, arrivedAtMs }
    : { key, value, position, arrivedAtMs, headers };
}

/** One that comes several times counts by its last. */
function headersOf(read: FieldReader): Readonly<Record<string, string>> | undefined {
  const count = read.number();
  if (count <= 0) return undefined;
  const headers: Record<string, string> = {};
  for (let left = count; left > 0; left--) {
    const name = read.text();
    headers[name] = read.text();
  }
  return headers;
}

/** Fields as Protocol Buffers write them: numbers in zigzag, of as many bytes as they need. */
class FieldReader {
  readonly #from: Buffer;
  #at = 0;

  constructor(from: Buffer) {
    this.#from = from;
  }

  get at(): number {
    return this.#at;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  to(at: number): void {
    if (at < this.#at || at > this.#from.length)
      throw new RangeError('a record does not end where it says');
    this.#at = at;
  }

  /** Exact up to 2^53: lengths, and differences of offsets and times. */
  number(): number {
    let value = 0;
    for (let scale = 1; scale < 2 ** 64; scale *= 128) {
      const byte = this.#from[this.#at++];
      if (byte === undefined) break;
      value += (byte & 127) * scale;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
    throw new RangeError('the records end too soon');
  }

  /** Of the same memory; undefined for null. */
  bytes(): Buffer | undefined {
    const length = this.number();
    if (length < 0) return undefined;
    const begin = this.#at;
    this.to(begin + length);
    return this.#from.subarray(begin, this.#at);
  }

  /** Null is empty. */
  text(): string {
    const length = this.number();
    if (length <= 0) return '';
    const begin = this.#at;
    this.to(begin + length);
    return this.#from.toString('utf8', begin, this.#at);
  }
}

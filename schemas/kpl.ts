/**
 * Several records in one Kinesis record: the aggregation format of the Kinesis Producer Library
 * (https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md). Magic
 * number, protobuf message, MD5 of the message.
 *
 * Invariants:
 * 1. Decoding returns views into the record, and encoding puts the given pieces between heads: no
 *    byte of a value is copied.
 * 2. Anything but a complete, well-formed aggregate is an ordinary record: `decodeAggregate` never
 *    throws and never returns a part.
 * 3. An aggregate has 1 to `aggregateMaxRecords` records. Readers process them in one turn, so an
 *    aggregate with more is not unpacked.
 */
import { createHash } from 'node:crypto';
import { assert } from './kernel/assert.ts';

/**
 * Events of one aggregated record, which are in one turn whatever its bound: more than events of
 * 66 bytes in a record of 1 MiB.
 */
export const aggregateMaxRecords = 16_384;

export interface AggregatedRecord {
  readonly key: string;
  readonly value: Uint8Array;
}

/**
 * The message: `repeated string partition_key_table = 1; repeated string explicit_hash_key_table =
 * 2; repeated Record records = 3;`.
 */
const keyField = 1;
const recordField = 3;
/**
 * A record in it: `required uint64 partition_key_index = 1; optional uint64 explicit_hash_key_index
 * = 2; required bytes data = 3;`.
 */
const keyIndexField = 1;
const dataField = 3;

/** Wire types: https://protobuf.dev/programming-guides/encoding/#structure */
const varintType = 0;
const fixed64Type = 1;
const bytesType = 2;
const fixed32Type = 5;

const magic = Buffer.from([0xf3, 0x89, 0x9a, 0xc2]);
const digestBytes = 16;
const varintMaxBytes = 10;

/**
 * One value, in pieces, that holds `records` in their order. It has at most 20 bytes more than its
 * values, with 16 for each record, and 6 and the key's own for each different key.
 */
export function encodeAggregate(
  records: readonly { readonly key: string; readonly value: readonly Uint8Array[] }[],
): readonly Uint8Array[] {
  assert(
    records.length > 0 && records.length <= aggregateMaxRecords,
    'an aggregate has 1 to aggregateMaxRecords records',
  );
  const pieces: Uint8Array[] = [];
  const indexes = new Map<string, number>();
  for (const { key, value } of records) {
    let index = indexes.get(key);
    if (index === undefined) {
      index = indexes.size;
      indexes.set(key, index);
    }
    let bytes = 0;
    for (const piece of value) bytes += piece.length;
    pieces.push(recordHead(index, bytes), ...value);
  }
  const table = [...indexes.keys()].map((key) => {
    const text = Buffer.from(key);
    return Buffer.concat([
      Buffer.from([(keyField << 3) | bytesType, ...varint(text.length)]),
      text,
    ]);
  });
  const message = [...table, ...pieces];
  const digest = createHash('md5');
  for (const piece of message) digest.update(piece);
  return [magic, ...message, digest.digest()];
}

/**
 * What stands before a record's data: its own tag and length, its key's index, the data's tag and
 * length.
 */
function recordHead(keyIndex: number, dataBytes: number): Buffer {
  const inner = [
    (keyIndexField << 3) | varintType,
    ...varint(keyIndex),
    (dataField << 3) | bytesType,
    ...varint(dataBytes),
  ];
  return Buffer.from([
    (recordField << 3) | bytesType,
    ...varint(inner.length + dataBytes),
    ...inner,
  ]);
}

function varint(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** The records of an aggregate, in order, as views into `value`; undefined when it is none. */
export function decodeAggregate(value: Uint8Array): readonly AggregatedRecord[] | undefined {
  if (!isFramed(value)) return undefined;
  const keys: string[] = [];
  const parts: { readonly keyIndex: number; readonly data: Uint8Array }[] = [];
  const isWhole = eachField(
    value.subarray(magic.length, value.length - digestBytes),
    (field, content) => {
      if (typeof content === 'number') return true;
      if (field === keyField) keys.push(textOf(content));
      if (field === recordField) {
        const part = partOf(content);
        if (part === undefined) return false;
        parts.push(part);
      }
      return keys.length <= aggregateMaxRecords && parts.length <= aggregateMaxRecords;
    },
  );
  if (!isWhole || parts.length === 0) return undefined;
  const records: AggregatedRecord[] = [];
  for (const { keyIndex, data } of parts) {
    // The table may come behind the records that point into it.
    const key = keys[keyIndex];
    if (key === undefined) return undefined;
    records.push({ key, value: data });
  }
  return records;
}

function isFramed(value: Uint8Array): boolean {
  if (value.length < magic.length + digestBytes) return false;
  for (let i = 0; i < magic.length; i++) if (value[i] !== magic[i]) return false;
  const end = value.length - digestBytes;
  return createHash('md5')
    .update(value.subarray(magic.length, end))
    .digest()
    .equals(value.subarray(end));
}

function partOf(
  message: Uint8Array,
): { readonly keyIndex: number; readonly data: Uint8Array } | undefined {
  let keyIndex: number | undefined;
  let data: Uint8Array | undefined;
  const isWhole = eachField(message, (field, content) => {
    if (field === keyIndexField && typeof content === 'number') keyIndex = content;
    if (field === dataField && typeof content !== 'number') data = content;
    return true;
  });
  return isWhole && keyIndex !== undefined && data !== undefined ? { keyIndex, data } : undefined;
}

function textOf({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('utf8');
}

/**
 * Visits the fields of a protobuf message: numbers, and byte strings as views. Fields of fixed
 * length are passed over: the format has none, a later one might. False when the bytes are no
 * message, or `visit` says so.
 */
function eachField(
  message: Uint8Array,
  visit: (field: number, content: number | Uint8Array) => boolean,
): boolean {
  let at = 0;
  /** The number at `at`, or NaN when there is none. */
  const readVarint = (): number => {
    let value = 0;
    for (let i = 0, unit = 1; i < varintMaxBytes; i++, unit *= 0x80) {
      const byte = message[at++];
      if (byte === undefined) return Number.NaN;
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
    }
    return Number.NaN;
  };
  while (at < message.length) {
    const tag = readVarint();
    const field = Math.floor(tag / 8);
    if (!(field >= 1)) return false;
    switch (tag % 8) {
      case varintType: {
        const number = readVarint();
        if (Number.isNaN(number) || !visit(field, number)) return false;
        break;
      }
      case bytesType: {
        const length = readVarint();
        if (!(at + length <= message.length)) return false;
        const start = at;
        at += length;
        if (!visit(field, message.subarray(start, at))) return false;
        break;
      }
      case fixed64Type:
        at += 8;
        break;
      case fixed32Type:
        at += 4;
        break;
      default:
        return false;
    }
  }
  return at === message.length;
}

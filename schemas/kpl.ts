/**
 * Several records in one Kinesis record: the aggregation format of the Kinesis Producer Library
 * (https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md). Magic number, protobuf message, MD5 of the message.
 *
 * Invariants:
 * 1. What is decoded are views into the record: no byte is copied.
 * 2. What is no whole, well-formed aggregate is an ordinary record: `decodeAggregate` never throws and never gives a part.
 */
import { createHash } from 'node:crypto';

export interface AggregatedRecord {
  readonly key: string;
  readonly value: Uint8Array;
}

const magic = Buffer.from([0xf3, 0x89, 0x9a, 0xc2]);
const digestBytes = 16;
/** Protobuf tags: field number and wire type (2: length-delimited, 0: varint). */
const keyTag = 0x0a;
const recordTag = 0x1a;
const keyIndexTag = 0x08;
const dataTag = 0x1a;

/** One value, in pieces, that holds `records` in their order. */
export function encodeAggregate(
  records: readonly { readonly key: string; readonly value: readonly Uint8Array[] }[],
): readonly Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const keys = new Map<string, number>();
  for (const { key } of records) {
    if (keys.has(key)) continue;
    keys.set(key, keys.size);
    const text = Buffer.from(key);
    pieces.push(Buffer.concat([header(keyTag, text.length), text]));
  }
  for (const { key, value } of records) {
    const index = varint(keys.get(key) ?? 0);
    const bytes = value.reduce((sum, piece) => sum + piece.length, 0);
    const inner = Buffer.concat([Buffer.from([keyIndexTag]), index, header(dataTag, bytes)]);
    pieces.push(Buffer.concat([header(recordTag, inner.length + bytes), inner]), ...value);
  }
  const digest = createHash('md5');
  for (const piece of pieces) digest.update(piece);
  return [magic, ...pieces, digest.digest()];
}

/** The records of an aggregate, in order; undefined when `value` is none. */
export function decodeAggregate(value: Uint8Array): readonly AggregatedRecord[] | undefined {
  if (value.length <= magic.length + digestBytes) return undefined;
  for (let i = 0; i < magic.length; i++) if (value[i] !== magic[i]) return undefined;
  const message = value.subarray(magic.length, value.length - digestBytes);
  if (
    !createHash('md5')
      .update(message)
      .digest()
      .equals(value.subarray(value.length - digestBytes))
  )
    return undefined;
  const keys: string[] = [];
  const found: { keyIndex: number; value: Uint8Array }[] = [];
  const whole = walk(message, (field, piece) => {
    if (field === 1) keys.push(Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('utf8'));
    if (field !== 3) return true;
    let keyIndex = -1;
    let data: Uint8Array | undefined;
    const well = walk(
      piece,
      (inner, bytes) => {
        if (inner === 3) data = bytes;
        return true;
      },
      (inner, number) => {
        if (inner === 1) keyIndex = number;
      },
    );
    if (!well || data === undefined) return false;
    found.push({ keyIndex, value: data });
    return true;
  });
  if (!whole || found.length === 0) return undefined;
  const records: AggregatedRecord[] = [];
  for (const { keyIndex, value: data } of found) {
    const key = keys[keyIndex];
    if (key === undefined) return undefined;
    records.push({ key, value: data });
  }
  return records;
}

/** Visits the fields of a protobuf message. False when it is none, or a visitor says so. */
function walk(
  message: Uint8Array,
  bytesField: (field: number, bytes: Uint8Array) => boolean,
  numberField?: (field: number, value: number) => void,
): boolean {
  let at = 0;
  while (at < message.length) {
    const tag = readVarint(message, at);
    if (tag === undefined) return false;
    at = tag.end;
    const field = Math.floor(tag.value / 8);
    const next = readVarint(message, at);
    if (next === undefined) return false;
    if (tag.value % 8 === 0) {
      numberField?.(field, next.value);
      at = next.end;
    } else if (tag.value % 8 === 2) {
      const end = next.end + next.value;
      if (end > message.length || !bytesField(field, message.subarray(next.end, end))) return false;
      at = end;
    } else return false;
  }
  return true;
}

function readVarint(bytes: Uint8Array, start: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  // Five groups of seven bits: more than a record can be long.
  for (let i = 0; i < 5; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: start + i + 1 };
  }
  return undefined;
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

function header(tag: number, length: number): Buffer {
  return Buffer.concat([Buffer.from([tag]), varint(length)]);
}

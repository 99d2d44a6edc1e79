/**
 * A row of a join at rest, as bytes: the length of its key, the bytes of its key, and those of its
 * value in a checkpoint. A row that comes out of a checkpoint is put to rest as it is.
 *
 * Invariant: whether the row is matched is one digit of these bytes, which may be of before: a row
 * that is written takes another one (`valueBytesOf`).
 */
import { bufferOf } from '../../../schemas/kernel/buffer-of.ts';
import type { Identity } from '../../nodes/sink.ts';
import { mostBytesOf, textOf, writeText } from '../../state/entry-text.ts';
import { freeze } from '../../state/freeze.ts';

/** JSON of it is the value of an entry. */
export type EncodedRow = readonly [matched: 0 | 1, value: unknown, identity?: Identity];

/** A row as an object; its value is frozen. */
export interface LiveRow {
  /** The text of its key. */
  readonly key: string;
  readonly value: unknown;
  /** Undefined out of checkpoints of before it was kept. */
  readonly identity: Identity | undefined;
}

const lengthBytes = 4;
/** Where the digit is in the text, `[0,...]`. */
const matchedAt = 1;
const zero = 0x30;
/** A larger buffer is not kept. */
const keptMaxBytes = 1_024 * 1_024;

export function encodedRow({ value, identity }: LiveRow, isMatched: boolean): EncodedRow {
  const matched = isMatched ? 1 : 0;
  return identity === undefined ? [matched, value] : [matched, value, identity];
}

/** Makes records in one buffer; what it returns holds until the next call. */
export class RowRecords {
  #buffer = Buffer.alloc(0);

  /** `text`: the JSON of an `EncodedRow`. */
  ofText(key: string, text: string): Uint8Array {
    const buffer = this.#room(lengthBytes + mostBytesOf(key) + mostBytesOf(text));
    const at = this.#putKey(buffer, key);
    return buffer.subarray(0, at + writeText(buffer, at, text));
  }

  /** `value`: the bytes of such a text. */
  ofBytes(key: string, value: Uint8Array): Uint8Array {
    const buffer = this.#room(lengthBytes + mostBytesOf(key) + value.length);
    const at = this.#putKey(buffer, key);
    buffer.set(value, at);
    return buffer.subarray(0, at + value.length);
  }

  /** The value of a record for a checkpoint; a view of `record` where that says the same. */
  valueBytesOf(record: Uint8Array, isMatched: boolean): Uint8Array {
    const value = record.subarray(valueAt(record));
    const digit = zero + (isMatched ? 1 : 0);
    if (value[matchedAt] === digit) return value;
    const buffer = this.#room(value.length);
    buffer.set(value);
    buffer[matchedAt] = digit;
    return buffer.subarray(0, value.length);
  }

  #putKey(buffer: Buffer, key: string): number {
    const length = writeText(buffer, lengthBytes, key);
    buffer.writeUInt32LE(length, 0);
    return lengthBytes + length;
  }

  #room(bytes: number): Buffer {
    if (bytes <= this.#buffer.length) return this.#buffer;
    const buffer = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * this.#buffer.length));
    if (buffer.length <= keptMaxBytes) this.#buffer = buffer;
    return buffer;
  }
}

/** Of the bytes of an `EncodedRow`. */
export function isMatchedIn(value: Uint8Array): boolean {
  return value[matchedAt] !== zero;
}

export function keyOf(record: Uint8Array): string {
  return textOf(record.subarray(lengthBytes, valueAt(record)));
}

export function rowOf(record: Uint8Array): LiveRow {
  const [, value, identity] = JSON.parse(textOf(record.subarray(valueAt(record)))) as EncodedRow;
  return { key: keyOf(record), value: freeze(value), identity };
}

function valueAt(record: Uint8Array): number {
  return lengthBytes + bufferOf(record).readUInt32LE(0);
}

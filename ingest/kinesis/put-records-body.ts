/**
 * The body of a PutRecords request, built once from the records' pieces: base64 and JSON written straight into one buffer, byte for byte what
 * the SDK's own serialiser makes of the same records. Its walk over 500 records is what this replaces; no value is looked into.
 * https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
 *
 * Invariants:
 * 1. The body has exactly the length that was computed for it.
 * 2. A buffer is lent to one request at a time, and comes back only when its request was answered: until then it may still be on its way out.
 */
import { quoteJson } from '../../schemas/json-quote.ts';
import { assert, present } from '../../schemas/kernel/assert.ts';
import type { OutgoingRecord } from '../../schemas/ports/record.ts';
import { base64Length, writeBase64 } from './base64.ts';

export interface BodyPool {
  /** A buffer of at least `bytes`. */
  lend(bytes: number): Buffer;
  giveBack(buffer: Buffer): void;
}

/** Sizes are rounded up to this, so that bodies of about one size share their buffers. */
const stepBytes = 262_144;

/** Large buffers are mapped and zeroed by the system each time they are made; a few are kept. */
export function createBodyPool(keptMax: number): BodyPool {
  const free: Buffer[] = [];
  return {
    lend(bytes) {
      const at = free.findIndex((buffer) => buffer.length >= bytes);
      if (at >= 0) return present(free.splice(at, 1)[0], 'a free buffer');
      return Buffer.allocUnsafeSlow(Math.ceil(bytes / stepBytes) * stepBytes);
    },
    giveBack(buffer) {
      if (free.length >= keptMax) free.shift();
      free.push(buffer);
    },
  };
}

const recordStart = '{"Data":"';
const keyStart = '","PartitionKey":';
const betweenRecords = '},{"Data":"';

/** Bytes of a record's value. */
export function valueBytes(record: OutgoingRecord): number {
  let bytes = 0;
  for (const piece of record.value) bytes += piece.length;
  return bytes;
}

/** Writes the body into a buffer of `pool`. The first is the body, a view into the second, which is to be given back. `records` is not empty. */
export function encodePutRecords(
  stream: string,
  records: readonly OutgoingRecord[],
  pool: BodyPool,
): { readonly body: Buffer; readonly lent: Buffer } {
  const start = '{"Records":[';
  const end = `}],"StreamName":${JSON.stringify(stream)}}`;
  const keys: string[] = [];
  let length = start.length + end.length + recordStart.length + (records.length - 1) * betweenRecords.length;
  for (const record of records) {
    const key = keyStart + quoteJson(record.key);
    const bytes = valueBytes(record);
    keys.push(key);
    length += base64Length(bytes) + Buffer.byteLength(key);
  }
  const lent = pool.lend(length);
  let at = lent.write(start + recordStart, 0, 'latin1');
  for (const [index, record] of records.entries()) {
    if (index > 0) at += lent.write(betweenRecords, at, 'latin1');
    at = writeBase64(record.value, lent, at);
    at += lent.write(keys[index] as string, at, 'utf8');
  }
  at += lent.write(end, at, 'utf8');
  assert(at === length, 'the body has the length that was computed');
  return { body: lent.subarray(0, length), lent };
}

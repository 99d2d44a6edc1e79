/**
 * The body of a PutRecords request, built once from the records' pieces. In CBOR (RFC 8949), which
 * Kinesis takes besides JSON and which the AWS SDK for Java always sends it: the bytes of an event
 * go out as they are. In JSON they would be base64, a third more to encode, to hash for the
 * signature and to send. Content type and target are those of the JSON protocol with `cbor` for
 * `json`. https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
 *
 * Invariants:
 * 1. The body has exactly the length that was computed for it.
 * 2. A buffer is lent to one request at a time, and comes back only when its request was answered:
 *    until then it may still be on its way out.
 */
import { assert, present } from '../../../schemas/kernel/assert.ts';
import type { OutgoingRecord } from '../../../schemas/ports/record.ts';

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

export const putRecordsType = 'application/x-amz-cbor-1.1';

/** CBOR major types (RFC 8949, section 3.1), in the upper three bits of a head. */
const majorBytes = 2 << 5;
const majorText = 3 << 5;
const majorArray = 4 << 5;

/** A map of two: the records, whose array follows. */
const start = Buffer.from('\xa2\x67Records', 'latin1');
/** A map of two: the data, whose bytes follow. */
const recordStart = Buffer.from('\xa2\x64Data', 'latin1');
const keyStart = Buffer.from('\x6cPartitionKey', 'latin1');
const streamStart = Buffer.from('\x6aStreamName', 'latin1');

/** Bytes of a record's value. */
export function valueBytes(record: OutgoingRecord): number {
  let bytes = 0;
  for (const piece of record.value) bytes += piece.length;
  return bytes;
}

/**
 * Writes the body into a buffer of `pool`. The first is the body, a view into the second, which is
 * to be given back. `records` is not empty.
 */
export function encodePutRecords(
  stream: string,
  records: readonly OutgoingRecord[],
  pool: BodyPool,
): { readonly body: Buffer; readonly lent: Buffer } {
  let length = start.length + headBytes(records.length) + streamStart.length + textBytes(stream);
  for (const record of records) {
    const bytes = valueBytes(record);
    length +=
      recordStart.length + headBytes(bytes) + bytes + keyStart.length + textBytes(record.key);
  }
  const lent = pool.lend(length);
  let at = writeHead(lent, put(lent, 0, start), majorArray, records.length);
  for (const record of records) {
    at = writeHead(lent, put(lent, at, recordStart), majorBytes, valueBytes(record));
    for (const piece of record.value) at = put(lent, at, piece);
    at = writeText(lent, put(lent, at, keyStart), record.key);
  }
  at = writeText(lent, put(lent, at, streamStart), stream);
  assert(at === length, 'the body has the length that was computed');
  return { body: lent.subarray(0, length), lent };
}

function put(target: Buffer, at: number, bytes: Uint8Array): number {
  target.set(bytes, at);
  return at + bytes.length;
}

function textBytes(text: string): number {
  const bytes = Buffer.byteLength(text);
  return headBytes(bytes) + bytes;
}

function writeText(target: Buffer, at: number, text: string): number {
  const from = writeHead(target, at, majorText, Buffer.byteLength(text));
  return from + target.write(text, from, 'utf8');
}

/** Bytes of the head of an item whose length, or count of items, is `value`. */
function headBytes(value: number): number {
  if (value < 24) return 1;
  if (value < 0x1_00) return 2;
  return value < 0x1_00_00 ? 3 : 5;
}

function writeHead(target: Buffer, at: number, major: number, value: number): number {
  if (value < 24) return target.writeUInt8(major | value, at);
  if (value < 0x1_00) return target.writeUInt8(value, target.writeUInt8(major | 24, at));
  if (value < 0x1_00_00) return target.writeUInt16BE(value, target.writeUInt8(major | 25, at));
  return target.writeUInt32BE(value, target.writeUInt8(major | 26, at));
}

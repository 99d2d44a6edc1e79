/**
 * A histogram of a report, which may come from anybody: it takes no more memory and time than one
 * that `sluice load` wrote. Pure.
 *
 * The form is HdrHistogram's V2, compressed, in base64
 * (https://github.com/HdrHistogram/HdrHistogram, `encodeIntoCompressedByteBuffer`).
 *
 * Invariant: the library is given only what has the digits of a load's histograms, values of at most
 * an hour or so, and no more counts than such values have.
 */
import { inflateSync } from 'node:zlib';
import type { Histogram } from 'hdr-histogram-js';
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { mebi } from '../../schemas/kernel/bytes.ts';

/** Of a load: 3 digits, and microseconds up to an hour. */
export const histogramDigits = 3;
export const highestUs = 3_600_000_000;
/** Of one histogram as text, and inflated: one with every count it can have has some 250 kB. */
export const histogramMaxChars = mebi;
const inflatedMaxBytes = mebi;

const compressedHead = 8;
/** Cookie, length of the counts, offset, digits, lowest, highest, ratio. */
const plainHead = 40;
const compressedCookie = 0x1c849304;
/** 2,048 counts for the lowest values, and 1,024 for each doubling up to twice the highest. */
const countsMax = 2_048 + 1_024 * 32;
/** The 9th byte of a number has 8 bits, the others 7. */
const numberMaxBytes = 9;

/** Throws `Error` saying what is wrong with it. */
export function readHistogram(text: string): Histogram {
  if (text.length > histogramMaxChars)
    throw new Error(`it has more than ${histogramMaxChars} characters`);
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length < compressedHead || (bytes.readInt32BE(0) & ~0xf0) !== compressedCookie)
    throw new Error('it is not a histogram of version 2');
  const end = compressedHead + bytes.readInt32BE(4);
  const plain = inflateSync(bytes.subarray(compressedHead, end), {
    maxOutputLength: inflatedMaxBytes,
  });
  requireOfLoad(plain);
  return decodeFromCompressedBase64(bytes.toString('base64'));
}

function requireOfLoad(plain: Buffer): void {
  if (plain.length < plainHead) throw new Error('it is cut off');
  const digits = plain.readInt32BE(12);
  const [lowest, highest] = [plain.readBigInt64BE(16), plain.readBigInt64BE(24)];
  if (digits !== histogramDigits || lowest !== 1n)
    throw new Error(`it has ${digits} digits from ${lowest} on, not ${histogramDigits} from 1 on`);
  // One that grows with its values ends where a power of two does.
  if (highest < 2n || highest > 2n * BigInt(highestUs))
    throw new Error(`its highest value is ${highest}, not from 2 to ${2 * highestUs}`);
  const length = plain.readInt32BE(4);
  if (length < 0 || length > plain.length - plainHead) throw new Error('its counts are cut off');
  if (countsIn(plain.subarray(plainHead, plainHead + length)) > countsMax)
    throw new Error(`it has more than ${countsMax} counts`);
}

/** Counts, and zeros that are left out: a negative number stands for as many. */
function countsIn(numbers: Uint8Array): number {
  let counts = 0;
  for (let at = 0; at < numbers.length; ) {
    let [value, unit] = [0, 1];
    for (let nth = 1; ; nth++) {
      const byte = numbers[at++];
      if (byte === undefined) throw new Error('its counts are cut off');
      const isLast = byte < 0x80 || nth === numberMaxBytes;
      value += (nth === numberMaxBytes ? byte : byte & 0x7f) * unit;
      unit *= 0x80;
      if (isLast) break;
    }
    counts += value % 2 === 1 ? (value + 1) / 2 : 1;
    if (value > Number.MAX_SAFE_INTEGER) throw new Error('it has a count above 2^53 - 1');
  }
  return counts;
}

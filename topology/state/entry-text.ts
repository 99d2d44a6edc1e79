/**
 * The texts of entries as bytes, and back.
 *
 * Invariant: two texts have the same bytes if and only if they are equal. UTF-8 has no bytes for a
 * lone half of a surrogate pair, which JSON may hold (`"\ud800"`): a text with one is written as
 * UTF-16 behind a byte that no UTF-8 has.
 */
import { bufferOf } from '../../schemas/kernel/buffer-of.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { isWellFormed } from '../../schemas/kernel/well-formed.ts';

const nothing = new Uint8Array(0);
const utf16Mark = 0xff;
/** A loop writes so many characters sooner than a call into the runtime does. */
const loopMaxChars = 48;
/** Of a longer text it pays to count. */
const uncountedMaxChars = 8_192;

/** At least what the bytes of `text` take. */
export function mostBytesOf(text: string): number {
  if (text.length > uncountedMaxChars && isWellFormed(text)) return Buffer.byteLength(text);
  return text.length * 3 + 1;
}

/** Writes `text` at `at`, where `mostBytesOf` it are free; says how many bytes it took. */
export function writeText(target: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length <= loopMaxChars) {
    let n = 0;
    for (; n < length; n++) {
      const unit = text.charCodeAt(n);
      if (unit > 0x7f) break;
      target[at + n] = unit;
    }
    if (n === length) return length;
  }
  const written = target.write(text, at, 'utf8');
  if (written === length || isWellFormed(text)) return written;
  target[at] = utf16Mark;
  return 1 + target.write(text, at + 1, 'utf16le');
}

/** The bytes of a key or value, which is bytes or a text. */
export function bytesOfPart(part: string | Uint8Array): Uint8Array {
  if (typeof part !== 'string') return part;
  const bytes = Buffer.allocUnsafe(mostBytesOf(part));
  return bytes.subarray(0, writeText(bytes, 0, part));
}

/** The text whose bytes these are. */
export function textOf(bytes: Uint8Array = nothing): string {
  const buffer = bufferOf(bytes);
  return bytes[0] === utf16Mark ? buffer.toString('utf16le', 1) : buffer.toString('utf8');
}

/**
 * A value as JSON. Throws `SluiceError` `state-unwritable` naming the node whose state has no text.
 */
export function jsonOf(node: string, value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch (cause) {
    throw new SluiceError(
      'state-unwritable',
      `the state of '${node}' cannot be written as JSON: ${messageOf(cause)}`,
      {
        cause,
        fix: `keep only JSON in the state of '${node}': no BigInt, and no object that contains itself`,
      },
    );
  }
}

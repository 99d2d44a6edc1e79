/**
 * The text of a key that a user function returned for an element; different keys have different
 * texts.
 *
 * Invariant: a key is exact. A whole number beyond 2^53 cannot be a key, because JSON.parse returns
 * the same value for its neighbors; nor can a number of the event that a double cannot hold as it
 * was written, in any part of the key.
 */
import { pointerTo } from '../../schemas/json-pointer.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Key } from '../../schemas/kernel/key.ts';
import { encodeKey } from '../../schemas/kernel/key.ts';
import type { Origin, Provenance } from '../nodes/sink.ts';

/** A key that stands for several. */
export class InexactKeyError extends SluiceError {
  /** JSON pointer into the event's data, where the number is found there. */
  readonly pointer: string | null;

  constructor(why: string, pointer: string | null) {
    super('invalid-key', `a key must be exact, but ${why}: send it as text`);
    this.pointer = pointer;
  }
}

/** Throws `SluiceError` `invalid-key`. */
export function keyTextOf(key: unknown, origin: Provenance | undefined): string {
  const text = encodeKey(key as Key);
  if (origin?.inexact !== undefined) checkWritten(key as Key, origin.inexact);
  if (typeof key !== 'string') checkWhole(key as Key, origin);
  return text;
}

const partsOf = (key: Key): readonly unknown[] =>
  Array.isArray(key) ? (key as readonly unknown[]) : [key];

function checkWhole(key: Key, origin: Provenance | undefined): void {
  if (typeof key === 'number') rejectLarge(key, origin);
  else if (Array.isArray(key))
    for (const part of key as readonly unknown[])
      if (typeof part === 'number') rejectLarge(part, origin);
}

function rejectLarge(part: number, origin: Provenance | undefined): void {
  if (!Number.isInteger(part) || Number.isSafeInteger(part)) return;
  const place =
    origin === undefined || origin.derived !== undefined
      ? undefined
      : pointerTo(JSON.parse(Buffer.from(origin.data).toString('utf8')), (found) => found === part);
  throw new InexactKeyError(
    `the number ${part} is beyond 2^53, where different numbers become equal`,
    place ?? null,
  );
}

/** Fewer digits are also those of numbers that are exact. */
const tellingDigits = 15;

function checkWritten(key: Key, numbers: NonNullable<Origin['inexact']>): void {
  for (const part of partsOf(key)) {
    for (const { pointer, text, value } of numbers) {
      const written = String(value);
      const made =
        typeof part === 'string' &&
        written.replaceAll(/\D/g, '').length >= tellingDigits &&
        part.includes(written);
      if (part !== value && !made) continue;
      throw new InexactKeyError(
        `the number ${shown(text)} at '${pointer}' of the event's data is held as ${written}`,
        pointer,
      );
    }
  }
}

const shownMaxChars = 40;
const shown = (text: string): string =>
  text.length <= shownMaxChars ? text : `${text.slice(0, shownMaxChars)}...`;

/**
 * The text of a key that a user function gave for an element, in which no two keys are merged.
 *
 * Invariant: a key is exact. A whole number beyond 2^53 is none, as JSON.parse gives neighbors as the same; nor is what was made of a number of the event
 * that a double does not hold as it was written, in any part of the key.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Key } from '../../schemas/kernel/key.ts';
import { encodeKey } from '../../schemas/kernel/key.ts';
import type { Origin } from '../graph/sink.ts';

/** Throws `SluiceError` `invalid-key`. */
export function keyTextOf(key: unknown, origin: Origin | undefined): string {
  const text = encodeKey(key as Key);
  if (typeof key !== 'string') checkWhole(key as Key);
  if (origin?.inexact !== undefined) checkWritten(key as Key, origin.inexact);
  return text;
}

const partsOf = (key: Key): readonly unknown[] => (Array.isArray(key) ? (key as readonly unknown[]) : [key]);

function checkWhole(key: Key): void {
  if (typeof key === 'number') refuseLarge(key);
  else if (Array.isArray(key)) for (const part of key as readonly unknown[]) if (typeof part === 'number') refuseLarge(part);
}

function refuseLarge(part: number): void {
  if (!Number.isInteger(part) || Number.isSafeInteger(part)) return;
  throw inexact(`the number ${part} is beyond 2^53, where several numbers become one`);
}

/** Fewer digits are also those of numbers that are exact. */
const tellingDigits = 15;

function checkWritten(key: Key, numbers: NonNullable<Origin['inexact']>): void {
  for (const part of partsOf(key)) {
    for (const { pointer, text, value } of numbers) {
      const written = String(value);
      const made = typeof part === 'string' && written.replaceAll(/\D/g, '').length >= tellingDigits && part.includes(written);
      if (part !== value && !made) continue;
      throw inexact(`the number ${shown(text)} at '${pointer}' of the event's data is held as ${written}`);
    }
  }
}

const shownMaxChars = 40;
const shown = (text: string): string => (text.length <= shownMaxChars ? text : `${text.slice(0, shownMaxChars)}...`);

function inexact(why: string): SluiceError {
  return new SluiceError('invalid-key', `a key must be exact, but ${why}: send it as text`);
}

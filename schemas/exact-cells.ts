/**
 * Whether the numbers that go into a table's integer and JSON columns are exact. Pure.
 *
 * From 2^53 on, one double represents several whole numbers, so such a number is refused where all
 * its digits would be written. From 1e21 on it is written with a power of ten, which shows that it
 * is rounded. A number that a double cannot hold as the event wrote it is refused too, if the event
 * is known.
 */

import type { InexactNumber } from './inexact-numbers.ts';
import { pointerTo } from './json-pointer.ts';

/** Numbers of the row's event that a double does not hold as they are written. */
export type Inexact = readonly InexactNumber[] | undefined;

/** From there on String writes a power of ten. */
const powerFrom = 1e21;
/** The fewest digits of a whole number beyond 2^53. */
const largeMinDigits = 16;

export function isExactNumber(value: number, inexact: Inexact): boolean {
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < powerFrom)
    return false;
  return inexact === undefined || !inexact.some((number) => number.value === value);
}

/** Where a value of a JSON column has a number that is not exact; `text` is its JSON. */
export function inexactPlace(value: unknown, text: string, inexact: Inexact): string | undefined {
  if (inexact === undefined && !hasLongDigits(text)) return undefined;
  return pointerTo(value, (part) => typeof part === 'number' && !isExactNumber(part, inexact));
}

/** Whether there are so many digits in a row: one of them is at each place that is looked at. */
function hasLongDigits(text: string): boolean {
  for (let at = largeMinDigits - 1; at < text.length; at += largeMinDigits) {
    if (!isDigit(text, at)) continue;
    let start = at;
    while (isDigit(text, start - 1)) start--;
    let end = at + 1;
    while (isDigit(text, end)) end++;
    if (end - start >= largeMinDigits) return true;
  }
  return false;
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code >= 0x30 && code <= 0x39;
}

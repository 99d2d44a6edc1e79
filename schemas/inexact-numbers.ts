/**
 * Numbers that a double cannot hold as they are written in a JSON text (beyond 2^53, too many
 * digits, too large or too small). It works on the text, because the parsed value does not show it.
 * Pure; number-scan.ts finds the few texts that have any.
 *
 * Invariants:
 * 1. A number is exact when the shortest decimal of its double is the one that is written: 0.1,
 *    1e21 and 1.50 are, 0.10000000000000000555 is not.
 * 2. The time is linear in the text.
 */
import { pointerPart } from './json-pointer.ts';

export interface InexactNumber {
  /** JSON pointer into the value. */
  readonly pointer: string;
  /** As it is written. */
  readonly text: string;
  /** What JSON.parse makes of it: infinite where it is beyond the largest double. */
  readonly value: number;
}

export interface JsonLosses {
  readonly inexact: readonly InexactNumber[];
  /** Whether it is nested deeper than `limits.jsonDepthMax`. */
  readonly tooDeep: boolean;
}

/** Whether a double holds the number that is written. */
export function isExact(text: string): boolean {
  const value = Number(text);
  return Number.isFinite(value) && decimalOf(text) === decimalOf(String(value));
}

/**
 * Digits without zeros at their ends, and the power of ten: one text for one number, whatever its
 * sign.
 */
function decimalOf(text: string): string {
  const [mantissa = '', power = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = `${whole.startsWith('-') ? whole.slice(1) : whole}${fraction}`;
  let first = 0;
  while (first < digits.length && digits[first] === '0') first++;
  let last = digits.length;
  while (last > first && digits[last - 1] === '0') last--;
  if (first === last) return '0';
  return `${digits.slice(first, last)}e${Number(power) - fraction.length + digits.length - last}`;
}

const numberAt = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** Every number of a JSON text that is not exact, with its place. */
export function inexactNumbers(text: string): readonly InexactNumber[] {
  const found: InexactNumber[] = [];
  const path: (string | number)[] = [];
  /** Of each open container: whether it is an object, whose next string is a name. */
  const open: { readonly isObject: boolean; isName: boolean }[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    const inside = open.at(-1);
    if (character === '{' || character === '[') {
      open.push({ isObject: character === '{', isName: character === '{' });
      path.push(character === '{' ? '' : 0);
    } else if (character === '}' || character === ']') {
      open.pop();
      path.pop();
    } else if (character === ',' && inside !== undefined) {
      if (inside.isObject) inside.isName = true;
      else path[path.length - 1] = (path.at(-1) as number) + 1;
    } else if (character === '"') {
      const end = endOfString(text, at);
      if (inside?.isName === true)
        path[path.length - 1] = JSON.parse(text.slice(at, end)) as string;
      if (inside !== undefined) inside.isName = false;
      at = end - 1;
    } else if (character === '-' || (character >= '0' && character <= '9')) {
      numberAt.lastIndex = at;
      const [number = character] = numberAt.exec(text) ?? [];
      if (!isExact(number))
        found.push({
          pointer: path.map((part) => `/${pointerPart(String(part))}`).join(''),
          text: number,
          value: Number(number),
        });
      at += number.length - 1;
    }
  }
  return found;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

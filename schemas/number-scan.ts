/**
 * Finds what JSON.parse would silently lose of a text: numbers that a double cannot hold as they
 * are written (beyond 2^53, too many digits, too large or too small), and nesting that is too deep
 * to be written again. It works on the text, because the parsed value does not show it.
 *
 * WebAssembly scans every text, sixteen bytes at a time, and finds nothing in nearly all of them;
 * its findings are checked here. `binary` is number-scan.wat, compiled; a test compiles it again
 * and compares.
 *
 * Invariants:
 * 1. A number is exact when the shortest decimal of its double is the one that is written: 0.1,
 *    1e21 and 1.50 are, 0.10000000000000000555 is not.
 * 2. The time is linear in the text.
 */
import { pointerPart } from './json-pointer.ts';
import { checkJson, isFault } from './json-scan.ts';
import { assert } from './kernel/assert.ts';
import { limits } from './limits.ts';

const binary =
  'AGFzbQEAAAABBwFgAn9/AX8DAgEABQMBAAIGCAF/AEHw/wcLBxECBm1lbW9yeQIABGxvb2sAAAqeAgGbAgICewl/A0AgACABTgRAIwAgDDYCAEF/DwsgAP0ABAAhAiACQSD9D/1QIQ' +
  'MgDCADQfsA/Q/9I/1kaWohDCACQTD9D/1xQQr9D/0m/WQhBCAEIAJBLv0P/SP9ZHIhBSADQeUA/Q/9I/1kIARBAXQgCnJxIQcgBEEPdiEKQX8hCyAFQf//A3MhBkEQIAZoIAZFGyEJ' +
  'IAkgASAAa0oEQCABIABrIQkLIAggCWpBEE4gCUEASnEEQCAAIAlBAWtqIQsLIAZFBEAgCEEQaiEIBSAGQRB0ZyEICyAHBEAgACAHaGohCSALQX9GIAkgC0hyBEAgCSELCwsgC0F/Rw' +
  'RAIwAgDDYCACALQX8gCyABSBsPCyAAQRBqIQAMAAtBfws=';

/**
 * Where the text ends at the latest, with sixteen bytes after it that may be looked at; and where
 * the number of brackets is.
 */
const textMaxBytes = 0x1ffe0;
const opensAt = 0x1fff0;
/**
 * What is looked at again of a text that is longer: more than what a row of digits needs to be met.
 */
const overlapBytes = 32;

/** What is used of it: the types of Node declare the name, and nothing of it that can be made. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
};

const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(binary, 'base64')));
const look = exports['look'] as (at: number, end: number) => number;
const { buffer } = exports['memory'] as { readonly buffer: ArrayBuffer };
const memory = new Uint8Array(buffer);
const opens = new Int32Array(buffer, opensAt, 1);
assert(
  textMaxBytes + 16 <= opensAt && opensAt + 4 <= memory.length,
  'the memory holds a text and a number',
);

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

/** Brackets that the last look met. */
let opened = 0;

/** What JSON.parse loses of a well-formed text; undefined for nearly all. */
export function jsonLosses(bytes: Uint8Array): JsonLosses | undefined {
  const inexact = hasInexact(bytes);
  // A number may be found before all brackets are counted.
  const tooDeep = (inexact || opened > limits.jsonDepthMax) && isTooDeep(bytes);
  const numbers = inexact ? inexactNumbers(textOf(bytes, 0, bytes.length)) : [];
  return numbers.length === 0 && !tooDeep ? undefined : { inexact: numbers, tooDeep };
}

function isTooDeep(bytes: Uint8Array): boolean {
  const checked = checkJson(bytes);
  return isFault(checked) && checked.expected.endsWith('levels of nesting');
}

function hasInexact(bytes: Uint8Array): boolean {
  opened = 0;
  for (let from = 0; ; from += textMaxBytes - overlapBytes) {
    const length = Math.min(bytes.length - from, textMaxBytes);
    memory.set(from === 0 && length === bytes.length ? bytes : bytes.subarray(from, from + length));
    let at = look(0, length);
    opened += opens[0] as number;
    while (at >= 0) {
      const end = endOfNumberBytes(bytes, from + at);
      if (isInexactAt(bytes, from + at, end)) return true;
      if (end - from >= length) break;
      at = look(end - from, length);
      opened += opens[0] as number;
    }
    if (from + length >= bytes.length) return false;
  }
}

const isNumberByte = new Uint8Array(256);
for (const byte of Buffer.from('0123456789.eE+-')) isNumberByte[byte] = 1;
/** What a number follows, with white space between. */
const isBefore = new Uint8Array(256);
for (const byte of Buffer.from(':,[')) isBefore[byte] = 1;
const space = 0x20;

function endOfNumberBytes(bytes: Uint8Array, at: number): number {
  let end = at + 1;
  while (end < bytes.length && isNumberByte[bytes[end] as number] === 1) end++;
  return end;
}

/** Of a place in a string it may say yes, too: who asks looks at the whole text then. */
function isInexactAt(bytes: Uint8Array, at: number, end: number): boolean {
  let start = at;
  while (start > 0 && isNumberByte[bytes[start - 1] as number] === 1) start--;
  let before = start - 1;
  while (before >= 0 && (bytes[before] as number) <= space) before--;
  if (before >= 0 && isBefore[bytes[before] as number] === 0) return false;
  return !isExact(textOf(bytes, start, end));
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
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

/**
 * Finds what JSON.parse would silently lose of a text: numbers that a double cannot hold as they
 * are written (beyond 2^53, too many digits, too large or too small), and nesting that is too deep
 * to be written again. It works on the text, because the parsed value does not show it.
 *
 * WebAssembly scans every text, sixteen bytes at a time, and finds nothing in nearly all of them;
 * its findings are checked here. `binary` is number-scan.wat, compiled; a test compiles it again
 * and compares.
 *
 * Invariant: the time is linear in the text.
 */
import type { JsonLosses } from './inexact-numbers.ts';
import { inexactNumbers, isExact } from './inexact-numbers.ts';
import { isTooDeep } from './json-scan.ts';
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

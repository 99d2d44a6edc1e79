/**
 * Checks that bytes are one well-formed JSON value (RFC 8259) in valid UTF-8, and finds where its parts lie, without materialising anything.
 * Accepts what JSON.parse accepts of the same text, but for nesting beyond `limits.jsonDepthMax`.
 *
 * Invariants:
 * 1. Everything between `start` and `end` is looked at: what is accepted can be spliced into a JSON text and stays one value.
 * 2. Iterative; memory does not grow with the input but for the spans that were asked for.
 * 3. Offsets count bytes from the start of the given array.
 */
import { isUtf8 } from 'node:buffer';
import { limits } from './limits.ts';

export interface JsonFault {
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
}

/** `[start, end)` in bytes. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface JsonMember extends Span {
  /** Decoded: escapes are resolved. */
  readonly name: string;
}

export type ScannedArray = { readonly kind: 'array'; readonly spans: readonly number[] } | { readonly kind: 'other'; readonly span: Span };
export type ScannedObject =
  | { readonly kind: 'object'; readonly members: readonly JsonMember[] }
  | { readonly kind: 'other'; readonly span: Span };

export function isFault(result: object): result is JsonFault {
  return 'expected' in result;
}

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;
const colon = 0x3a;
const minus = 0x2d;
const zero = 0x30;

/** 1 where a byte ends a run of plain string characters: quote, backslash, control characters. */
const stringStop = new Uint8Array(256);
for (let byte = 0; byte < 0x20; byte++) stringStop[byte] = 1;
stringStop[quote] = 1;
stringStop[backslash] = 1;
const isSpace = new Uint8Array(256);
for (const byte of [0x20, 0x09, 0x0a, 0x0d]) isSpace[byte] = 1;
const isDigit = new Uint8Array(256);
for (let byte = zero; byte <= zero + 9; byte++) isDigit[byte] = 1;
const isHex = new Uint8Array(256);
for (const char of '0123456789abcdefABCDEF') isHex[char.charCodeAt(0)] = 1;
const isEscape = new Uint8Array(256);
for (const char of '"\\/bfnrt') isEscape[char.charCodeAt(0)] = 1;

const literals = [Buffer.from('true'), Buffer.from('false'), Buffer.from('null')];

// The state of the scan that runs: plain variables, because a fault object per level would be the larger part of the work.
let faultAt = -1;
let faultExpected = '';
/** Container kinds by depth: 1 object, 0 array. */
const stack = new Uint8Array(limits.jsonDepthMax + 1);

function fail(offset: number, expected: string): number {
  faultAt = offset;
  faultExpected = expected;
  return -1;
}

/** The value without the white space around it, or where it stops being JSON. */
export function checkJson(bytes: Uint8Array, start = 0, end = bytes.length): Span | JsonFault {
  const badByte = utf8Fault(bytes, start, end);
  if (badByte !== undefined) return badByte;
  const from = skipSpace(bytes, start, end);
  const valueEnd = skipValue(bytes, from, end, 0);
  return valueEnd < 0 ? fault(bytes, end) : finish(bytes, from, valueEnd, end);
}

/** The same check; for an array, the spans of its elements as flat pairs. */
export function scanArray(bytes: Uint8Array, start = 0, end = bytes.length): ScannedArray | JsonFault {
  const badByte = utf8Fault(bytes, start, end);
  if (badByte !== undefined) return badByte;
  let at = skipSpace(bytes, start, end);
  if (bytes[at] !== openBracket || at >= end) {
    const checked = checkJson(bytes, at, end);
    return isFault(checked) ? checked : { kind: 'other', span: checked };
  }
  const from = at;
  const spans: number[] = [];
  at = skipSpace(bytes, at + 1, end);
  if (at < end && bytes[at] === closeBracket) at++;
  else {
    for (;;) {
      const valueEnd = skipValue(bytes, at, end, 1);
      if (valueEnd < 0) return fault(bytes, end);
      spans.push(at, valueEnd);
      at = skipSpace(bytes, valueEnd, end);
      if (at < end && bytes[at] === comma) at = skipSpace(bytes, at + 1, end);
      else if (at < end && bytes[at] === closeBracket) break;
      else {
        fail(at, "',' or ']'");
        return fault(bytes, end);
      }
    }
    at++;
  }
  const whole = finish(bytes, from, at, end);
  return isFault(whole) ? whole : { kind: 'array', spans };
}

/** The same check; for an object, its members in order, duplicates as they come. */
export function scanObject(bytes: Uint8Array, start = 0, end = bytes.length): ScannedObject | JsonFault {
  const badByte = utf8Fault(bytes, start, end);
  if (badByte !== undefined) return badByte;
  let at = skipSpace(bytes, start, end);
  if (bytes[at] !== openBrace || at >= end) {
    const checked = checkJson(bytes, at, end);
    return isFault(checked) ? checked : { kind: 'other', span: checked };
  }
  const from = at;
  const members: JsonMember[] = [];
  at = membersOf(bytes, at, end, members);
  if (at < 0) return fault(bytes, end);
  const whole = finish(bytes, from, at, end);
  return isFault(whole) ? whole : { kind: 'object', members };
}

/** Collects the members of the object that opens at `at`; returns the end of the object, or -1. */
function membersOf(bytes: Uint8Array, open: number, end: number, members: JsonMember[]): number {
  let at = skipSpace(bytes, open + 1, end);
  if (at < end && bytes[at] === closeBrace) return at + 1;
  for (;;) {
    const nameEnd = at < end && bytes[at] === quote ? skipString(bytes, at, end) : fail(at, "a member name in '\"'");
    if (nameEnd < 0) return -1;
    const name = textOf(bytes, at, nameEnd);
    at = skipSpace(bytes, nameEnd, end);
    if (at >= end || bytes[at] !== colon) return fail(at, "':'");
    at = skipSpace(bytes, at + 1, end);
    const valueEnd = skipValue(bytes, at, end, 1);
    if (valueEnd < 0) return -1;
    members.push({ name, start: at, end: valueEnd });
    at = skipSpace(bytes, valueEnd, end);
    if (at < end && bytes[at] === comma) at = skipSpace(bytes, at + 1, end);
    else if (at < end && bytes[at] === closeBrace) return at + 1;
    else return fail(at, "',' or '}'");
  }
}

function textOf(bytes: Uint8Array, start: number, end: number): string {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8')) as string;
}

/** The parts of an RFC 6901 pointer, or undefined when it is malformed. */
export function parsePointer(text: string): readonly string[] | undefined {
  if (text === '') return [];
  if (!text.startsWith('/') || /~(?![01])/.test(text)) return undefined;
  return text
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** What `pointer` names within a value that was already checked; of duplicate members the last, as JSON.parse has it. */
export function findPointer(bytes: Uint8Array, span: Span, pointer: readonly string[]): Span | undefined {
  let at: Span = span;
  for (const part of pointer) {
    const first = bytes[at.start];
    if (first === openBrace) {
      const members: JsonMember[] = [];
      membersOf(bytes, at.start, at.end, members);
      const found = members.findLast((member) => member.name === part);
      if (found === undefined) return undefined;
      at = found;
    } else if (first === openBracket) {
      if (!/^(?:0|[1-9]\d*)$/.test(part)) return undefined;
      const scanned = scanArray(bytes, at.start, at.end);
      if (isFault(scanned) || scanned.kind !== 'array') return undefined;
      const start = scanned.spans[2 * Number(part)];
      const end = scanned.spans[2 * Number(part) + 1];
      if (start === undefined || end === undefined) return undefined;
      at = { start, end };
    } else return undefined;
  }
  return { start: at.start, end: at.end };
}

function finish(bytes: Uint8Array, from: number, valueEnd: number, end: number): Span | JsonFault {
  const rest = skipSpace(bytes, valueEnd, end);
  if (rest === end) return { start: from, end: valueEnd };
  fail(rest, 'the end of the text');
  return fault(bytes, end);
}

function fault(bytes: Uint8Array, end: number): JsonFault {
  return { offset: faultAt, expected: faultExpected, found: foundAt(bytes, faultAt, end) };
}

function foundAt(bytes: Uint8Array, at: number, end: number): string {
  const byte = bytes[at];
  if (at >= end || byte === undefined) return 'the end of the text';
  return byte > 0x20 && byte < 0x7f ? `'${String.fromCharCode(byte)}'` : `byte 0x${byte.toString(16).padStart(2, '0')}`;
}

function skipSpace(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isSpace[bytes[at] as number] === 1) at++;
  return at;
}

/** The end of the value that starts at `start`, or -1 with the fault set. `depth` containers are open around it. */
function skipValue(bytes: Uint8Array, start: number, end: number, depth: number): number {
  let at = start;
  let open = depth;
  const floor = depth;
  for (;;) {
    // A value begins at `at`.
    const byte = at < end ? (bytes[at] as number) : -1;
    if (byte === quote) {
      at = skipString(bytes, at, end);
      if (at < 0) return -1;
    } else if (byte === openBrace || byte === openBracket) {
      if (open >= limits.jsonDepthMax) return fail(at, `at most ${limits.jsonDepthMax} levels of nesting`);
      const isObject = byte === openBrace;
      at = skipSpace(bytes, at + 1, end);
      if (at < end && bytes[at] === (isObject ? closeBrace : closeBracket)) at++;
      else {
        stack[open++] = isObject ? 1 : 0;
        if (isObject) {
          at = skipName(bytes, at, end);
          if (at < 0) return -1;
        }
        continue;
      }
    } else if (byte === minus || isDigit[byte] === 1) {
      at = skipNumber(bytes, at, end);
      if (at < 0) return -1;
    } else {
      at = skipLiteral(bytes, at, end);
      if (at < 0) return -1;
    }
    // A value ended at `at`.
    for (;;) {
      if (open === floor) return at;
      at = skipSpace(bytes, at, end);
      const next = at < end ? bytes[at] : -1;
      const isObject = stack[open - 1] === 1;
      if (next === comma) {
        at = skipSpace(bytes, at + 1, end);
        if (isObject) {
          at = skipName(bytes, at, end);
          if (at < 0) return -1;
        }
        break;
      }
      if (next !== (isObject ? closeBrace : closeBracket)) return fail(at, isObject ? "',' or '}'" : "',' or ']'");
      open--;
      at++;
    }
  }
}

/** From a member's name to the start of its value. */
function skipName(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end || bytes[start] !== quote) return fail(start, "a member name in '\"'");
  let at = skipString(bytes, start, end);
  if (at < 0) return -1;
  at = skipSpace(bytes, at, end);
  if (at >= end || bytes[at] !== colon) return fail(at, "':'");
  return skipSpace(bytes, at + 1, end);
}

function skipString(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  for (;;) {
    while (at < end && stringStop[bytes[at] as number] === 0) at++;
    if (at >= end) return fail(end, "'\"' at the end of the string");
    const byte = bytes[at] as number;
    if (byte === quote) return at + 1;
    if (byte !== backslash) return fail(at, 'an escape: control characters are not allowed in strings');
    const escaped = at + 1 < end ? (bytes[at + 1] as number) : -1;
    if (isEscape[escaped] === 1) at += 2;
    else if (escaped === 0x75) {
      for (let digit = at + 2; digit < at + 6; digit++) {
        if (digit >= end || isHex[bytes[digit] as number] !== 1) return fail(digit, 'four hexadecimal digits after \\u');
      }
      at += 6;
    } else return fail(at + 1, 'one of " \\ / b f n r t u after a backslash');
  }
}

function skipNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const digits = (): boolean => {
    const first = at;
    while (at < end && isDigit[bytes[at] as number] === 1) at++;
    return at > first;
  };
  if (bytes[at] === minus) at++;
  if (at < end && bytes[at] === zero) at++;
  else if (!digits()) return fail(at, 'a digit');
  if (at < end && bytes[at] === 0x2e) {
    at++;
    if (!digits()) return fail(at, "a digit after '.'");
  }
  if (at < end && (bytes[at] === 0x65 || bytes[at] === 0x45)) {
    at++;
    if (at < end && (bytes[at] === 0x2b || bytes[at] === minus)) at++;
    if (!digits()) return fail(at, 'a digit in the exponent');
  }
  return at;
}

function skipLiteral(bytes: Uint8Array, start: number, end: number): number {
  for (const literal of literals) {
    if (bytes[start] !== literal[0] || start >= end) continue;
    for (let i = 1; i < literal.length; i++) {
      if (start + i >= end || bytes[start + i] !== literal[i]) return fail(start + i, `'${literal.toString()}'`);
    }
    return start + literal.length;
  }
  return fail(start, 'a JSON value');
}

function utf8Fault(bytes: Uint8Array, start: number, end: number): JsonFault | undefined {
  const view = start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end);
  if (isUtf8(view)) return undefined;
  // Half, and half again: the shortest prefix that is broken ends in the bad byte or in the middle of a character.
  let good = 0;
  let bad = view.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (decodesPrefix(view, middle)) good = middle;
    else bad = middle;
  }
  return { offset: start + bad - 1, expected: 'UTF-8', found: foundAt(view, bad - 1, view.length) };
}

/** Whether the first `length` bytes are UTF-8 that may end inside a character. */
function decodesPrefix(view: Uint8Array, length: number): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(view.subarray(0, length), { stream: true });
    return true;
  } catch {
    return false;
  }
}

/**
 * Skips over JSON values (RFC 8259) without materializing them: the inner loop of every check of a
 * client's bytes. It returns offsets; json-scan.ts decides what to do with a value, and
 * json-utf8.ts checks for UTF-8.
 *
 * Invariants:
 * 1. A skip returns the offset after the value, never beyond `end`, or -1 with the fault noted for
 *    `notedFault`.
 * 2. Every skipped byte was checked: accepted bytes can be spliced into a JSON text and stay one
 *    value.
 * 3. Iterative and without allocation: nesting is bounded by `limits.jsonDepthMax`, never by the
 *    call stack.
 */
import { limits } from './limits.ts';

/** Where a text stops being JSON. */
export interface JsonFault {
  /** In bytes from the start of the given array. */
  readonly offset: number;
  readonly expected: string;
  readonly found: string;
}

/** `[start, end)` in bytes. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export const bytesOfJson = {
  quote: 0x22,
  comma: 0x2c,
  colon: 0x3a,
  openBracket: 0x5b,
  backslash: 0x5c,
  closeBracket: 0x5d,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const;

const { quote, comma, colon, openBracket, backslash, closeBracket, openBrace, closeBrace } =
  bytesOfJson;
const space = 0x20;
const minus = 0x2d;
const zero = 0x30;
const nine = 0x39;

/** 1 where a byte ends a run of plain string characters: quote, backslash, control characters. */
const stringStop = new Uint8Array(256).fill(1, 0, space);
stringStop[quote] = 1;
stringStop[backslash] = 1;
const isHex = tableOf('0123456789abcdefABCDEF');
const isEscape = tableOf('"\\/bfnrt');
const literals = [Buffer.from('true'), Buffer.from('false'), Buffer.from('null')];

// Of the scan that runs. Plain variables, since a scan never waits: an object per step would be the
// larger part of the work.
let faultOffset = -1;
let faultExpected = '';
/** The containers that are open, by depth: 1 an object, 0 an array. */
const isObjectAt = new Uint8Array(limits.jsonDepthMax + 1);

function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}

/** Notes where the text is at fault. Returns -1, for the skip to return. */
export function noteFault(offset: number, expected: string): number {
  faultOffset = offset;
  faultExpected = expected;
  return -1;
}

/** The fault of the skip that returned -1. */
export function notedFault(bytes: Uint8Array, end: number): JsonFault {
  return {
    offset: faultOffset,
    expected: faultExpected,
    found: describeByte(bytes, faultOffset, end),
  };
}

export function describeByte(bytes: Uint8Array, at: number, end: number): string {
  const byte = bytes[at];
  if (at >= end || byte === undefined) return 'the end of the text';
  return byte > space && byte < 0x7f
    ? `'${String.fromCharCode(byte)}'`
    : `byte 0x${byte.toString(16).padStart(2, '0')}`;
}

export function skipSpace(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at] as number;
    if (byte !== space && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    at++;
  }
  return at;
}

/** From the value that starts at `start` to its end. `depth` containers are open around it. */
export function skipValue(bytes: Uint8Array, start: number, end: number, depth: number): number {
  let at = start;
  let open = depth;
  let inObject = false;
  for (;;) {
    // A value begins at `at`. Zero begins none.
    const byte = at < end ? (bytes[at] as number) : 0;
    if (byte === quote) {
      at = skipString(bytes, at, end);
      if (at < 0) return -1;
    } else if (byte === openBrace || byte === openBracket) {
      if (open >= limits.jsonDepthMax)
        return noteFault(at, `at most ${limits.jsonDepthMax} levels of nesting`);
      const isObject = byte === openBrace;
      at = skipSpace(bytes, at + 1, end);
      if (at >= end || bytes[at] !== (isObject ? closeBrace : closeBracket)) {
        inObject = isObject;
        isObjectAt[open++] = isObject ? 1 : 0;
        if (isObject) {
          at = skipName(bytes, at, end);
          if (at < 0) return -1;
        }
        continue;
      }
      at++;
    } else {
      at =
        byte <= nine && (byte >= zero || byte === minus)
          ? skipNumber(bytes, at, end)
          : skipLiteral(bytes, at, end);
      if (at < 0) return -1;
    }
    // A value ended at `at`.
    for (;;) {
      if (open === depth) return at;
      let next = at < end ? (bytes[at] as number) : 0;
      if (next <= space) {
        at = skipSpace(bytes, at, end);
        next = at < end ? (bytes[at] as number) : 0;
      }
      if (next === comma) {
        at++;
        if (at < end && (bytes[at] as number) <= space) at = skipSpace(bytes, at, end);
        if (inObject) {
          at = skipName(bytes, at, end);
          if (at < 0) return -1;
        }
        break;
      }
      if (next !== (inObject ? closeBrace : closeBracket))
        return noteFault(at, inObject ? "',' or '}'" : "',' or ']'");
      at++;
      open--;
      inObject = open > depth && isObjectAt[open - 1] === 1;
    }
  }
}

/** From a member's name to the start of its value. */
function skipName(bytes: Uint8Array, start: number, end: number): number {
  if (start < end && bytes[start] === quote) {
    // Nearly all names are short and have no escapes.
    let at = start + 1;
    while (at < end && stringStop[bytes[at] as number] === 0) at++;
    if (at < end && bytes[at] === quote) return skipColon(bytes, at + 1, end);
  }
  const nameEnd = skipString(bytes, start, end);
  return nameEnd < 0 ? -1 : skipColon(bytes, nameEnd, end);
}

/** From behind a member's name to the start of its value. */
export function skipColon(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  if (at < end && (bytes[at] as number) <= space) at = skipSpace(bytes, at, end);
  if (at >= end || bytes[at] !== colon) return noteFault(at, "':'");
  at++;
  return at < end && (bytes[at] as number) <= space ? skipSpace(bytes, at, end) : at;
}

/** From the quote at `start` to behind the closing one. */
export function skipString(bytes: Uint8Array, start: number, end: number): number {
  if (start >= end || bytes[start] !== quote) return noteFault(start, "a member name in '\"'");
  let at = start + 1;
  for (;;) {
    at = skipPlain(bytes, at, end);
    if (at >= end) return noteFault(end, "'\"' at the end of the string");
    const byte = bytes[at] as number;
    if (byte === quote) return at + 1;
    if (byte !== backslash)
      return noteFault(at, 'an escape: control characters are not allowed in strings');
    at = skipEscape(bytes, at, end);
    if (at < 0) return -1;
  }
}

/**
 * To the first byte that does not stand for itself. Most runs are short; for the others four bytes
 * a round take half the time.
 */
function skipPlain(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const near = at + 16 < end ? at + 16 : end;
  while (at < near && stringStop[bytes[at] as number] === 0) at++;
  if (at < near) return at;
  const last = end - 4;
  while (
    at <= last &&
    ((stringStop[bytes[at] as number] as number) |
      (stringStop[bytes[at + 1] as number] as number) |
      (stringStop[bytes[at + 2] as number] as number) |
      (stringStop[bytes[at + 3] as number] as number)) ===
      0
  ) {
    at += 4;
  }
  while (at < end && stringStop[bytes[at] as number] === 0) at++;
  return at;
}

function skipEscape(bytes: Uint8Array, start: number, end: number): number {
  const escaped = start + 1 < end ? (bytes[start + 1] as number) : 0;
  if (isEscape[escaped] === 1) return start + 2;
  if (escaped !== 0x75) return noteFault(start + 1, 'one of " \\ / b f n r t u after a backslash');
  for (let at = start + 2; at < start + 6; at++) {
    if (at >= end || isHex[bytes[at] as number] !== 1)
      return noteFault(at, 'four hexadecimal digits after \\u');
  }
  return start + 6;
}

function skipNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = bytes[start] === minus ? start + 1 : start;
  if (at < end && bytes[at] === zero) at++;
  else {
    at = skipDigits(bytes, at, end);
    if (at < 0) return noteFault(-1 - at, 'a digit');
  }
  if (at < end && bytes[at] === 0x2e) {
    at = skipDigits(bytes, at + 1, end);
    if (at < 0) return noteFault(-1 - at, "a digit after '.'");
  }
  if (at < end && ((bytes[at] as number) | 0x20) === 0x65) {
    at++;
    if (at < end && (bytes[at] === 0x2b || bytes[at] === minus)) at++;
    at = skipDigits(bytes, at, end);
    if (at < 0) return noteFault(-1 - at, 'a digit in the exponent');
  }
  return at;
}

/** Behind the digits at `start`, or `-1 - start` when there are none. */
function skipDigits(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at] as number;
    if (byte < zero || byte > nine) break;
    at++;
  }
  return at > start ? at : -1 - start;
}

function skipLiteral(bytes: Uint8Array, start: number, end: number): number {
  for (const literal of literals) {
    if (start >= end || bytes[start] !== literal[0]) continue;
    for (let i = 1; i < literal.length; i++) {
      if (start + i >= end || bytes[start + i] !== literal[i])
        return noteFault(start + i, `'${literal.toString()}'`);
    }
    return start + literal.length;
  }
  return noteFault(start, 'a JSON value');
}

/**
 * Checks that bytes are one well-formed JSON value (RFC 8259) in valid UTF-8, and finds the spans
 * of its parts, without materializing anything. It accepts what JSON.parse accepts of the same
 * text, except nesting beyond `limits.jsonDepthMax`.
 *
 * Invariants:
 * 1. Everything between `start` and `end` is checked: accepted bytes can be spliced into a JSON
 *    text and stay one value.
 * 2. Iterative; memory does not grow with the input, except for the requested spans.
 * 3. Offsets count bytes from the start of the given array.
 */
import { endOfValue } from './json-check.ts';
import { decodeName } from './json-pointer.ts';
import type { JsonFault, Span } from './json-skip.ts';
import {
  bytesOfJson,
  describeByte,
  notedFault,
  noteFault,
  skipColon,
  skipSpace,
  skipString,
  skipValue,
} from './json-skip.ts';
import { findBadUtf8 } from './json-utf8.ts';

export { findPointer, parsePointer } from './json-pointer.ts';
export type { JsonFault, Span } from './json-skip.ts';

export interface JsonMember extends Span {
  /** Decoded: escapes are resolved. */
  readonly name: string;
}

export type ScannedArray =
  | { readonly kind: 'array'; readonly spans: readonly number[] }
  | { readonly kind: 'other'; readonly span: Span };
export type ScannedObject =
  | { readonly kind: 'object'; readonly members: readonly JsonMember[] }
  | { readonly kind: 'other'; readonly span: Span };

const { comma, openBracket, closeBracket, openBrace, closeBrace } = bytesOfJson;

export function isFault(result: object): result is JsonFault {
  return 'expected' in result;
}

/** The value without the white space around it, or where it stops being JSON. */
export function checkJson(bytes: Uint8Array, start = 0, end = bytes.length): Span | JsonFault {
  return utf8Fault(bytes, start, end) ?? checkText(bytes, start, end);
}

/** Whether a well-formed text is nested deeper than `limits.jsonDepthMax`. */
export function isTooDeep(bytes: Uint8Array): boolean {
  const checked = checkJson(bytes);
  return isFault(checked) && checked.expected.endsWith('levels of nesting');
}

/**
 * The same check; for an array, the spans of its elements as flat pairs: start of the first, end of
 * the first, start of the second, ...
 */
export function scanArray(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
  most = Number.POSITIVE_INFINITY,
): ScannedArray | JsonFault {
  const broken = utf8Fault(bytes, start, end);
  if (broken !== undefined) return broken;
  const open = skipSpace(bytes, start, end);
  if (open >= end || bytes[open] !== openBracket) return other(checkText(bytes, open, end));
  const spans: number[] = [];
  const whole = finish(bytes, open, collectElements(bytes, open, end, spans, 2 * most), end);
  return isFault(whole) ? whole : { kind: 'array', spans };
}

/**
 * The same check; for an object, its members in order, duplicates as they come. Members past `most`
 * are checked, not kept.
 */
export function scanObject(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
  most = Number.POSITIVE_INFINITY,
): ScannedObject | JsonFault {
  const broken = utf8Fault(bytes, start, end);
  if (broken !== undefined) return broken;
  const open = skipSpace(bytes, start, end);
  if (open >= end || bytes[open] !== openBrace) return other(checkText(bytes, open, end));
  const members: JsonMember[] = [];
  const whole = finish(bytes, open, collectMembers(bytes, open, end, members, most), end);
  return isFault(whole) ? whole : { kind: 'object', members };
}

function utf8Fault(bytes: Uint8Array, start: number, end: number): JsonFault | undefined {
  const bad = findBadUtf8(bytes, start, end);
  return bad < 0
    ? undefined
    : { offset: bad, expected: 'UTF-8', found: describeByte(bytes, bad, end) };
}

function checkText(bytes: Uint8Array, start: number, end: number): Span | JsonFault {
  const from = skipSpace(bytes, start, end);
  const valueEnd = endOfValue(bytes, from, end);
  return finish(bytes, from, valueEnd < 0 ? skipValue(bytes, from, end, 0) : valueEnd, end);
}

/** What was found, once it is known that nothing but white space follows. */
function finish(bytes: Uint8Array, from: number, valueEnd: number, end: number): Span | JsonFault {
  if (valueEnd < 0) return notedFault(bytes, end);
  const rest = skipSpace(bytes, valueEnd, end);
  if (rest === end) return { start: from, end: valueEnd };
  noteFault(rest, 'the end of the text');
  return notedFault(bytes, end);
}

function other(
  checked: Span | JsonFault,
): { readonly kind: 'other'; readonly span: Span } | JsonFault {
  return isFault(checked) ? checked : { kind: 'other', span: checked };
}

/** From the bracket at `open` to behind the array's end, or -1. */
function collectElements(
  bytes: Uint8Array,
  open: number,
  end: number,
  spans: number[],
  most: number,
): number {
  let at = skipSpace(bytes, open + 1, end);
  if (at < end && bytes[at] === closeBracket) return at + 1;
  for (;;) {
    const valueEnd = skipValue(bytes, at, end, 1);
    if (valueEnd < 0) return -1;
    if (spans.length < most) spans.push(at, valueEnd);
    at = skipSpace(bytes, valueEnd, end);
    if (at < end && bytes[at] === comma) at = skipSpace(bytes, at + 1, end);
    else if (at < end && bytes[at] === closeBracket) return at + 1;
    else return noteFault(at, "',' or ']'");
  }
}

/** From the brace at `open` to behind the object's end, or -1. */
function collectMembers(
  bytes: Uint8Array,
  open: number,
  end: number,
  members: JsonMember[],
  most: number,
): number {
  let at = skipSpace(bytes, open + 1, end);
  if (at < end && bytes[at] === closeBrace) return at + 1;
  for (;;) {
    const nameEnd = skipString(bytes, at, end);
    if (nameEnd < 0) return -1;
    const start = skipColon(bytes, nameEnd, end);
    if (start < 0) return -1;
    const valueEnd = skipValue(bytes, start, end, 1);
    if (valueEnd < 0) return -1;
    if (members.length < most)
      members.push({ name: decodeName(bytes, at + 1, nameEnd - 1), start, end: valueEnd });
    at = skipSpace(bytes, valueEnd, end);
    if (at < end && bytes[at] === comma) at = skipSpace(bytes, at + 1, end);
    else if (at < end && bytes[at] === closeBrace) return at + 1;
    else return noteFault(at, "',' or '}'");
  }
}

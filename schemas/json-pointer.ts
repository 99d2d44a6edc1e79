/**
 * JSON pointers (RFC 6901): their parts, what they refer to in a value, and what they refer to in
 * checked bytes, without materializing the value around it.
 *
 * Invariants of what is found in bytes:
 * 1. Reads as JSON.parse does: of members with one name the last counts, and names are compared
 *    with their escapes resolved.
 * 2. Of a batch only the one event's span is looked at, so that the work does not grow with the
 *    batch.
 */
import type { Span } from './json-skip.ts';
import { bytesOfJson, skipColon, skipSpace, skipString, skipValue } from './json-skip.ts';

const { quote, openBracket, backslash, closeBracket, openBrace, closeBrace } = bytesOfJson;
const arrayIndex = /^(?:0|[1-9]\d*)$/;

/** The parts of a pointer, unescaped, or undefined when it is malformed. */
export function parsePointer(text: string): readonly string[] | undefined {
  if (text === '') return [];
  if (!text.startsWith('/') || /~(?![01])/.test(text)) return undefined;
  return text.slice(1).split('/').map(partName);
}

/** The member's name that a part of a pointer stands for. */
export function partName(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}

/** A member's name as a part of a pointer. */
export function pointerPart(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** What `parts` name in a value; undefined when there is no such place. */
export function valueAt(value: unknown, parts: readonly string[]): unknown {
  let at = value;
  for (const part of parts) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[part];
  }
  return at;
}

/** The pointer to the first part of a value, or the value itself, for which `is` says so. */
export function pointerTo(value: unknown, is: (part: unknown) => boolean): string | undefined {
  if (is(value)) return '';
  if (typeof value !== 'object' || value === null) return undefined;
  for (const [name, part] of Object.entries(value)) {
    const place = pointerTo(part, is);
    if (place !== undefined) return `/${pointerPart(name)}${place}`;
  }
  return undefined;
}

/**
 * What `pointer` names within the checked value at `span`, or undefined when there is no such
 * place.
 */
export function findPointer(
  bytes: Uint8Array,
  span: Span,
  pointer: readonly string[],
): Span | undefined {
  let at: Span | undefined = { start: span.start, end: span.end };
  for (const part of pointer) {
    const first = bytes[at.start];
    if (first === openBrace) at = findMember(bytes, at, part);
    else if (first === openBracket && arrayIndex.test(part))
      at = findElement(bytes, at, Number(part));
    else return undefined;
    if (at === undefined) return undefined;
  }
  return at;
}

function findMember(bytes: Uint8Array, object: Span, name: string): Span | undefined {
  const { end } = object;
  let found: Span | undefined;
  let at = skipSpace(bytes, object.start + 1, end);
  while (at < end && bytes[at] === quote) {
    const nameEnd = skipString(bytes, at, end);
    const start = skipColon(bytes, nameEnd, end);
    const valueEnd = skipValue(bytes, start, end, 1);
    if (isName(bytes, at + 1, nameEnd - 1, name)) {
      found = { start, end: valueEnd };
      if (!mayRepeat(bytes, valueEnd, end, name)) return found;
    }
    at = skipSpace(bytes, valueEnd, end);
    if (bytes[at] === closeBrace) break;
    at = skipSpace(bytes, at + 1, end);
  }
  return found;
}

function findElement(bytes: Uint8Array, array: Span, index: number): Span | undefined {
  const { end } = array;
  let at = skipSpace(bytes, array.start + 1, end);
  if (bytes[at] === closeBracket) return undefined;
  for (let i = 0; ; i++) {
    const valueEnd = skipValue(bytes, at, end, 1);
    if (i === index) return { start: at, end: valueEnd };
    at = skipSpace(bytes, valueEnd, end);
    if (bytes[at] === closeBracket) return undefined;
    at = skipSpace(bytes, at + 1, end);
  }
}

/** Whether the raw text of a name, without its quotes, means `name`. */
function isName(bytes: Uint8Array, start: number, end: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const byte = start + i < end ? (bytes[start + i] as number) : quote;
    const code = name.charCodeAt(i);
    if (byte === backslash || code >= 0x80) return decodeName(bytes, start, end) === name;
    if (byte !== code) return false;
  }
  return start + name.length === end;
}

/** A name's text; `start` and `end` lie between its quotes. */
export function decodeName(bytes: Uint8Array, start: number, end: number): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}

/**
 * Whether a member called `name` may come in the rest of the object. Two native searches for it
 * cost a fiftieth of skipping the rest: a name that is written out would be found as it stands, any
 * other way to write it needs a backslash.
 */
function mayRepeat(bytes: Uint8Array, start: number, end: number, name: string): boolean {
  const rest = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start);
  return rest.includes(backslash) || rest.includes(`"${name}"`);
}

/**
 * UTF-8 and base64 without an engine's help. Pure.
 *
 * What is no text (a lone surrogate, wrong bytes) becomes U+FFFD, as in Node's `Buffer`.
 */
const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function toUtf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    const point = code >= 0xd800 && code <= 0xdfff ? 0xfffd : code;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), tail(point));
    else if (point < 0x1_0000) bytes.push(0xe0 | (point >> 12), tail(point >> 6), tail(point));
    else bytes.push(0xf0 | (point >> 18), tail(point >> 12), tail(point >> 6), tail(point));
  }
  return Uint8Array.from(bytes);
}

const tail = (bits: number): number => 0x80 | (bits & 0x3f);

/** What is wrong becomes one U+FFFD for as much of it as could begin a character. */
export function fromUtf8(bytes: ArrayLike<number>): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = readLength(bytes, at);
    text += length > 0 ? String.fromCodePoint(pointAt(bytes, at, length)) : '\ufffd';
    at += Math.abs(length);
  }
  return text;
}

export function isUtf8(bytes: ArrayLike<number>): boolean {
  for (let at = 0; at < bytes.length; ) {
    const length = readLength(bytes, at);
    if (length < 0) return false;
    at += length;
  }
  return true;
}

function pointAt(bytes: ArrayLike<number>, at: number, length: number): number {
  let point = (bytes[at] as number) & (0xff >> (length === 1 ? 0 : length + 1));
  for (let n = 1; n < length; n++) point = (point << 6) | ((bytes[at + n] as number) & 0x3f);
  return point;
}

/** Bytes of the character at a place; negative: of what is none. */
function readLength(bytes: ArrayLike<number>, at: number): number {
  const first = bytes[at] as number;
  const length = lengthOf(first);
  if (length < 2) return length === 1 ? 1 : -1;
  for (let n = 1; n < length; n++) {
    const byte = bytes[at + n] ?? 0;
    const [low, high] = n === 1 ? secondOf(first) : [0x80, 0xbf];
    if (byte < low || byte > high) return -n;
  }
  return length;
}

/** Longer forms than needed, surrogates and what is beyond U+10FFFF show in the second byte. */
function secondOf(first: number): readonly [number, number] {
  if (first === 0xe0) return [0xa0, 0xbf];
  if (first === 0xed) return [0x80, 0x9f];
  if (first === 0xf0) return [0x90, 0xbf];
  return first === 0xf4 ? [0x80, 0x8f] : [0x80, 0xbf];
}

/** Bytes of a character by its first one; 0: none begins so. */
function lengthOf(first: number): number {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

export function toBase64(bytes: ArrayLike<number>): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const left = bytes.length - at;
    const bits = ((bytes[at] as number) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    text += digit(bits >> 18) + digit(bits >> 12);
    text += left > 1 ? digit(bits >> 6) : '=';
    text += left > 2 ? digit(bits) : '=';
  }
  return text;
}

const digit = (bits: number): string => digits.charAt(bits & 0x3f);

/** Also of the form for URLs. */
export function fromBase64(text: string): Uint8Array {
  const bytes: number[] = [];
  let [bits, count] = [0, 0];
  for (const char of text.replaceAll('-', '+').replaceAll('_', '/')) {
    const value = digits.indexOf(char);
    if (value < 0) continue;
    bits = ((bits << 6) | value) & 0xff_ffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push((bits >> count) & 0xff);
  }
  return Uint8Array.from(bytes);
}

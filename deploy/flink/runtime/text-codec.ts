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

export function fromUtf8(bytes: ArrayLike<number>): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] as number;
    const length = lengthOf(first);
    let point = first & (0xff >> (length === 1 ? 0 : length + 1));
    let read = 1;
    while (read < length && ((bytes[at + read] ?? 0) & 0xc0) === 0x80)
      point = (point << 6) | ((bytes[at + read++] as number) & 0x3f);
    const isWhole = length > 0 && read === length && point >= (leastOf[length] ?? 0);
    const isChar = isWhole && point <= 0x10_ffff && !(point >= 0xd800 && point <= 0xdfff);
    text += isChar ? String.fromCodePoint(point) : '\ufffd';
    at += isChar ? length : 1;
  }
  return text;
}

/** Bytes of a character by its first one; 0: none begins so. */
function lengthOf(first: number): number {
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/** The least code point of each length: a longer form of it is wrong. */
const leastOf = [0, 0, 0x80, 0x800, 0x1_0000];

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

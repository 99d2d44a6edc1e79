/**
 * The byte-order mark (U+FEFF, EF BB BF) that some editors and libraries put before a text. RFC
 * 8259, section 8.1, lets a reader ignore it at the start of a body; anywhere else it is not white
 * space, and inside a string it is a character like any other.
 */

/** The bytes without a mark at their start: a view, nothing is copied. */
export function withoutMark(body: Buffer): Buffer {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? body.subarray(3) : body;
}

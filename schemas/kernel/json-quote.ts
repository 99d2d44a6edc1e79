/**
 * Writes a string as JSON text, like `JSON.stringify`. Most strings of an event are plain ASCII,
 * and checking for that costs a third of the call.
 */

/** Printable ASCII without quote and backslash: it stands for itself. */
const plain = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

export function quoteJson(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}

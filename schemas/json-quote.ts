/**
 * A string as JSON text, as `JSON.stringify` writes it. Most strings of an event are plain ASCII,
 * and a look at one costs a third of the call.
 */

/** Printable ASCII without quote and backslash: it stands for itself. */
const plain = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

export function quoteJson(text: string): string {
  return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}

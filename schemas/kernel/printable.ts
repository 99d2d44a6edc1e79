/**
 * Text that is safe for a terminal: characters that could move its cursor, change its colors, or
 * reorder its text are shown as JSON escapes. Tabs and line feeds stay. Inside JSON the result
 * means the same.
 *
 * C0, DEL and C1 (ECMA-48), the line separators and the bidirectional overrides of Unicode (UAX 9,
 * https://trojansource.codes).
 */
const unprintable = /[^\P{Cc}\t\n]|[\u2028-\u202e\u2066-\u2069]/gu;

export function printable(text: string): string {
  return text.replace(
    unprintable,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

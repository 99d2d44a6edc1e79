/**
 * An answer as CSV (RFC 4180, https://www.rfc-editor.org/rfc/rfc4180): a header, a line a row, lines
 * that end with CR LF, UTF-8. Pure.
 *
 * Lists and structs are JSON. NULL is an empty field, an empty text is `""`; a row of one NULL is
 * `""`, as readers skip empty lines.
 *
 * A text that a spreadsheet would run as a formula gets an apostrophe in front
 * (https://owasp.org/www-community/attacks/CSV_Injection), unless values are wanted as they are.
 * Numbers are left alone.
 */
import type { Answer } from '../../enrich/answer.ts';

export interface CsvOptions {
  /** Leave texts that begin like a formula as they are. */
  readonly isExact: boolean;
}

/** What OWASP lists, full-width forms too; a spreadsheet skips spaces before it. */
const formula = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/u;
const plainNumber = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const toQuote = /[",\r\n]|^\s|\s$/;

/** The lines, without the end of the last one. */
export function csvOf({ columns, rows }: Answer, { isExact }: CsvOptions): string {
  const field = (value: unknown): string => {
    if (value === null || value === undefined) return '';
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    return quoted(isExact ? text : guarded(text));
  };
  const line = (values: readonly unknown[]): string => {
    const text = values.map(field).join(',');
    return text === '' ? '""' : text;
  };
  return [columns.map(({ name }) => name), ...rows].map(line).join('\r\n');
}

const guarded = (text: string): string =>
  formula.test(text) && !plainNumber.test(text) ? `'${text}` : text;

const quoted = (text: string): string =>
  text === '' || toQuote.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

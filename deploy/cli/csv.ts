/**
 * An answer as CSV (RFC 4180, https://www.rfc-editor.org/rfc/rfc4180): a header, a line a row, lines
 * that end with CR LF, UTF-8. Pure.
 *
 * Lists and structs are JSON. NULL is an empty field, an empty text is `""`; a row of one NULL is
 * `""`, as readers skip empty lines.
 *
 * A text that a spreadsheet would run as a formula gets an apostrophe in front
 * (https://owasp.org/www-community/attacks/CSV_Injection), unless values are wanted as they are. So
 * does what follows a semicolon, a tab or a line break in a text: many locales begin a cell there.
 * Numbers are left alone.
 */
import type { Answer } from '../../enrich/answer.ts';

export interface CsvOptions {
  /** Leave texts that begin like a formula as they are. */
  readonly isExact: boolean;
}

/**
 * What OWASP lists, full-width forms too. A spreadsheet skips spaces before it, and some skip
 * characters that are not seen.
 */
const formula = /^[\s\p{Cc}\p{Cf}]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/u;
/** Where another cell begins for a spreadsheet that splits there, and reads quotes at its begin only. */
const formulaInside =
  /[;\t\r\n](?=(?:(?![\t\r\n])[\s\p{Cc}\p{Cf}])*[=+\-@\uff1d\uff0b\uff0d\uff20])/gu;
const plainNumber = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const toQuote = /[",;\t\r\n]|^\s|\s$/;

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

const guarded = (text: string): string => {
  const inside = text.replace(formulaInside, "$&'");
  return formula.test(text) && !plainNumber.test(text) ? `'${inside}` : inside;
};

const quoted = (text: string): string =>
  text === '' || toQuote.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

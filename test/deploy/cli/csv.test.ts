/**
 * Answers as CSV: what RFC 4180 reads back is what was asked for, and no spreadsheet runs it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvOf } from '../../../deploy/cli/csv.ts';

/** A reader by the grammar of RFC 4180; a quoted field is told from one that is not. */
function readCsv(
  text: string,
): readonly (readonly { readonly text: string; readonly quoted: boolean }[])[] {
  const rows: { text: string; quoted: boolean }[][] = [[]];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/gy;
  for (;;) {
    const match = field.exec(text);
    if (match === null) throw new Error(`not CSV at ${field.lastIndex}: ${text}`);
    const [, quoted, plain = '', end] = match;
    const value = quoted === undefined ? plain : quoted.replaceAll('""', '"');
    rows.at(-1)?.push({ text: value, quoted: quoted !== undefined });
    if (end === '') return rows;
    if (end === '\r\n') rows.push([]);
  }
}

const answer = (names: readonly string[], rows: readonly (readonly unknown[])[]) => ({
  columns: names.map((name) => ({ name, type: 'VARCHAR' })),
  rows,
  cut: false as const,
});

describe('an answer as CSV', () => {
  it('is read back as it was: texts, numbers, lists and structs, NULL apart from an empty text', () => {
    const value = fc.oneof(
      fc.string({ unit: fc.constantFrom('a', '"', ',', '\r', '\n', ' ', '=', ';', 'é', '\t') }),
      fc.constant(null),
      fc.integer(),
      fc.boolean(),
      fc.array(fc.string(), { maxLength: 3 }),
      fc.record({ k: fc.string() }),
    );
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 4 })
          .chain((width) =>
            fc
              .array(fc.array(value, { minLength: width, maxLength: width }), { maxLength: 6 })
              .map((rows) => ({ width, rows })),
          ),
        ({ width, rows }) => {
          const names = Array.from({ length: width }, (_, n) => `c,${n}`);
          const read = readCsv(csvOf(answer(names, rows), { isExact: true }));
          expect(read[0]?.map(({ text }) => text)).toEqual(names);
          expect(read.length).toBe(rows.length + 1);
          for (const [index, row] of rows.entries())
            for (const [column, cell] of row.entries()) {
              const found = read[index + 1]?.[column];
              const text =
                typeof cell === 'string' ? cell : cell === null ? '' : JSON.stringify(cell);
              expect(found?.text).toBe(text);
              // A row of one NULL is quoted, as readers skip empty lines.
              if (cell === '') expect(found?.quoted).toBe(true);
              if (cell === null) expect(found?.quoted).toBe(width === 1);
            }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('has no field that a spreadsheet would run, in rows and in the header', () => {
    const dangerous = [
      ...['=1+1', '+1-2', '-2+3', '@SUM(A1)', ' =1', '\t1', '\r1', '\n1'],
      ...['\uff1d1', '\uff0b1', '\uff0d1', '\uff201', '+5', '-', '=HYPERLINK("x","y")', '-1,5'],
      // Behind characters that are not seen.
      ...['\u200b=1', '\ufeff=1', '\0=1', '\u202e \u0007-2+3'],
    ];
    const harmless = ['a=1', "'", '-5', '-1.5e3', '1', 'x@y', ' a', '', 'a;b', 'a\tb', 'a;b=1'];
    // Where a semicolon, a tab or a line break begins a cell.
    const inside: readonly (readonly [string, string])[] = [
      ['a;=cmd', "a;'=cmd"],
      ['a; +1;b', "a;' +1;b"],
      ['a\t@SUM(A1)', "a\t'@SUM(A1)"],
      ['a\n=1\r\n-2+3', "a\n'=1\r\n'-2+3"],
      ['a;\uff1d1', "a;'\uff1d1"],
      ['a;\u200d=1', "a;'\u200d=1"],
      ['\t=1', "'\t'=1"],
      ['=1;=2', "'=1;'=2"],
    ];
    const rows = [...dangerous, ...inside.map(([text]) => text), ...harmless].map((text) => [
      text,
      -5,
    ]);
    const guarded = readCsv(csvOf(answer(['=x', 'n'], rows), { isExact: false }));
    expect(guarded.map(([first]) => first?.text)).toEqual([
      "'=x",
      ...dangerous.map((text) => `'${text}`),
      ...inside.map(([, text]) => text),
      ...harmless,
    ]);
    expect(guarded.slice(1).every(([, second]) => second?.text === '-5')).toBe(true);
    const fields = guarded.slice(1).flatMap(([first]) => (first === undefined ? [] : [first]));
    expect(fields.filter(({ text, quoted }) => /[;\t]/.test(text) && !quoted)).toEqual([]);
    const exact = readCsv(csvOf(answer(['=x', 'n'], rows), { isExact: true }));
    expect(exact.map(([first]) => first?.text)).toEqual([
      '=x',
      ...dangerous,
      ...inside.map(([text]) => text),
      ...harmless,
    ]);
  });

  it('takes no longer for a text of many separators than for another one', () => {
    for (const part of ['\t', ';', ' ', '; ', '\0'])
      expect(
        csvOf(answer(['c'], [[part.repeat(300_000)]]), { isExact: false }).length,
      ).toBeGreaterThan(300_000);
  });
});

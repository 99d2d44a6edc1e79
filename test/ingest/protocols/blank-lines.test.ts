/**
 * Blank lines of NDJSON, wherever its chunks are cut.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlankLines } from '../../../ingest/protocols/ndjson/blank-lines.ts';

const isBlank = (line: string): boolean => /^[ \t\r]*$/.test(line);

describe('blank lines', () => {
  it('are taken out and counted, and nothing else, wherever the chunks are cut', () => {
    const piece = fc.constantFrom('{"a":1}', ' 2 ', '\n', '\n', '\n\n\n', '\r\n', ' \t', '"x"');
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }),
        fc.array(fc.nat(30), { maxLength: 10 }),
        (pieces, cuts) => {
          const text = pieces.join('');
          const blanks = new BlankLines();
          let out = '';
          let rest = Buffer.from(text);
          for (const cut of [...cuts, text.length]) {
            for (const kept of blanks.without(rest.subarray(0, cut))) out += kept.toString();
            rest = rest.subarray(cut);
          }
          const ended = text.split('\n').slice(0, -1);
          expect(out.split('\n').filter((line) => !isBlank(line))).toEqual(
            text.split('\n').filter((line) => !isBlank(line)),
          );
          expect(blanks.lines + blanks.blank).toBe(ended.length);
          // Of a blank line that is cut in two the second half may look like the end of a line.
          expect(ended.filter(isBlank).length - blanks.blank).toBeLessThanOrEqual(cuts.length);
        },
      ),
    );
  });

  it('stay what they are around an empty chunk, which begins no line', () => {
    const blanks = new BlankLines();
    const kept = [' 2', '', ' \n\n'].flatMap((part) => blanks.without(Buffer.from(part)));
    expect([Buffer.concat(kept).toString(), blanks.lines, blanks.blank]).toEqual([' 2 \n', 1, 1]);
  });

  it('cost a moment, millions of them as well', () => {
    const blanks = new BlankLines();
    expect(blanks.without(Buffer.alloc(20_000_000, '\n'))).toEqual([]);
    expect([blanks.blank, blanks.lines]).toEqual([20_000_000, 0]);
  });
});

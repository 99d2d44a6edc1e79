import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quoteJson } from '../../../schemas/kernel/json-quote.ts';

describe('a string as JSON text', () => {
  it('is what JSON.stringify writes, for any string', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        (text) => quoteJson(text) === JSON.stringify(text),
      ),
    );
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme-ascii' }),
        (text) => quoteJson(text) === JSON.stringify(text),
      ),
    );
    for (const text of [
      '',
      '"',
      '\\',
      '\u0000',
      '\u001f',
      ' ',
      '~',
      '\u007f',
      '\u2028',
      '\ud800',
      'é',
      'a\n',
    ]) {
      expect(quoteJson(text)).toBe(JSON.stringify(text));
    }
  });
});

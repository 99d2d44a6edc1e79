/**
 * Texts as bytes: any text comes back, and no two have the same bytes. Two users `\ud800` and
 * `\ud801` were one, as UTF-8 has neither.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOfPart, mostBytesOf, textOf, writeText } from '../../../topology/state/entry-text.ts';

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 100 }),
  fc.string({ maxLength: 100 }),
  fc
    .array(fc.constantFrom('\ud800', '\ud801', '\udc00', 'x', '\u00ff', '\ufffd'), {
      maxLength: 100,
    })
    .map((units) => units.join('')),
);

describe('a text', () => {
  it('comes back from its bytes, and other texts have other bytes', () => {
    fc.assert(
      fc.property(anyText, anyText, (one, other) => {
        expect(textOf(bytesOfPart(one))).toBe(one);
        expect(Buffer.compare(bytesOfPart(one), bytesOfPart(other)) === 0).toBe(one === other);
      }),
      { numRuns: 2_000 },
    );
    expect(bytesOfPart('\ud800')).not.toEqual(bytesOfPart('\ud801'));
  });

  it('is UTF-8 where that has it', () => {
    for (const text of ['', 'key', 'a'.repeat(100), '\u00e9', '\ud83d\ude00'.repeat(9)])
      expect(Buffer.from(bytesOfPart(text)).toString('hex')).toBe(
        Buffer.from(text).toString('hex'),
      );
  });

  it('takes no more room than was said, however long it is, and none of what is around it', () => {
    for (const text of [
      '\u20ac'.repeat(20_000),
      '\ud800'.repeat(20_000),
      'x'.repeat(8_193),
      '\ud800',
    ]) {
      const most = mostBytesOf(text);
      const around = Buffer.alloc(most + 8, 0x2a);
      const written = writeText(around, 4, text);
      expect(written).toBeLessThanOrEqual(most);
      expect(textOf(around.subarray(4, 4 + written))).toBe(text);
      expect([around.subarray(0, 4), around.subarray(4 + most)]).toEqual([
        Buffer.alloc(4, 0x2a),
        Buffer.alloc(4, 0x2a),
      ]);
    }
  });
});

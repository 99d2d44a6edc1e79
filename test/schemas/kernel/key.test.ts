import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Key, KeyPart } from '../../../schemas/kernel/key.ts';
import { decodeKey, encodeKey } from '../../../schemas/kernel/key.ts';

const part = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
);
const plain = (key: KeyPart): KeyPart => (key === 0 ? 0 : key);

describe('the text of a key', () => {
  it('of a tuple is what JSON.stringify writes, for any parts', () => {
    fc.assert(
      fc.property(fc.array(part), (key) => {
        expect(encodeKey(key)).toBe(`t${JSON.stringify(key.map(plain))}`);
        expect(decodeKey(encodeKey(key))).toEqual(key.map(plain));
      }),
    );
  });

  it('of one part is its own, and is read back', () => {
    fc.assert(
      fc.property(part, (key) => {
        expect(decodeKey(encodeKey(key))).toBe(plain(key));
      }),
    );
    const texts = ([-0, '0', 1e21, 5e-324, true, 'true'] as const).map(encodeKey);
    expect(texts).toEqual(['n0', 's0', 'n1e+21', 'n5e-324', 'btrue', 'strue']);
  });

  it.each([
    [null],
    [undefined],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [{}],
    [['a', null]],
    [[Number.NaN]],
    [[['nested']]],
    // Of holes.
    [new Array<string>(2)],
  ])('there is none of %j', (key) => {
    expect(() => encodeKey(key as Key)).toThrow('a key must be a string');
  });
});

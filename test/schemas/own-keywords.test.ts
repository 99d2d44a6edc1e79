/**
 * `multipleOf`, `uniqueItems`, `const` and `enum` against plain oracles.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { areUnique, canonicalJson, isMultipleOf, jsonEqual } from '../../schemas/own-keywords.ts';
import { compileSchema } from '../../schemas/registry.ts';

const $id = 'https://sluice.example/test/keywords';

describe('multipleOf', () => {
  it.each([
    [0.3, 0.1, true],
    [1.1, 0.01, true],
    [0.35, 0.1, false],
    [1e21, 1, true],
    [9007199254740992, 2, true],
    [1e-7, 1e-8, true],
    [1e308, 0.5, true],
    [4.02, 0.02, true],
    [-0.6, 0.2, true],
    [0, 0.7, true],
    [1.5, 1, false],
    [1e-320, 1e-321, true],
  ])('%d of %d: %s', (value, of, right) => {
    expect(isMultipleOf(value, of)).toBe(right);
    expect(compileSchema({ $id, type: 'number', multipleOf: of })(value) === undefined).toBe(right);
  });
});

describe('equality', () => {
  it('is that of the canonical text, and what comes back from JSON is equal', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        expect(jsonEqual(a, b)).toBe(canonicalJson(a) === canonicalJson(b));
        expect(jsonEqual(a, JSON.parse(JSON.stringify(a)))).toBe(true);
      }),
    );
    expect(jsonEqual({ a: 1, b: 0 }, { b: -0, a: 1 })).toBe(true);
    expect(jsonEqual([], {})).toBe(false);
  });

  it('tells many items apart in time that grows with their number', () => {
    const items = Array.from({ length: 100_000 }, (_, n) => ({ n }));
    expect(areUnique(items)).toBe(true);
    expect(areUnique([...items, { n: 99_999 }])).toBe(false);
    expect(areUnique([1, '1', true, 'true', null, 'null', [1], ['1']])).toBe(true);
    expect(areUnique([1, 1.0])).toBe(false);
  });
});

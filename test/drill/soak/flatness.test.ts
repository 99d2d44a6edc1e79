/**
 * What counts as flat.
 */
import { describe, expect, it } from 'vitest';
import { flatnessOf, median } from './flatness.ts';

/** One a second, for as many seconds as there are values. */
const each = (values: readonly number[]) =>
  values.map((value, index) => ({ atMs: index * 1_000, value }));
const flat = (values: readonly number[], slack?: number) =>
  flatnessOf(each(values), values.length * 1_000, slack);

describe('flatness', () => {
  it('compares the medians of the last two thirds, whatever the first was', () => {
    expect(flat([1, 2, 3, 100, 100, 100, 105, 105, 105])).toEqual({
      second: 100,
      last: 105,
      change: 0.05,
      isFlat: true,
    });
  });

  it('ends at a tenth, up and down', () => {
    expect(flat([0, 0, 0, 100, 100, 100, 110, 110, 110])?.isFlat).toBe(true);
    expect(flat([0, 0, 0, 100, 100, 100, 111, 111, 111])?.isFlat).toBe(false);
    expect(flat([0, 0, 0, 100, 100, 100, 90, 90, 90])?.isFlat).toBe(true);
    expect(flat([0, 0, 0, 100, 100, 100, 89, 89, 89])?.isFlat).toBe(false);
  });

  it('is not moved by one value that a fault made', () => {
    expect(flat([0, 0, 0, 100, 900, 100, 100, 0, 100])).toEqual({
      second: 100,
      last: 100,
      change: 0,
      isFlat: true,
    });
  });

  it('lets few files differ by as many as are said', () => {
    expect(flat([0, 0, 0, 2, 2, 2, 4, 4, 4], 2)?.isFlat).toBe(true);
    expect(flat([0, 0, 0, 2, 2, 2, 5, 5, 5], 2)?.isFlat).toBe(false);
    expect(flat([0, 0, 0, 0, 0, 0, 0, 0, 0])).toEqual({
      second: 0,
      last: 0,
      change: 0,
      isFlat: true,
    });
    expect(flat([0, 0, 0, 0, 0, 0, 1, 1, 1])?.isFlat).toBe(false);
  });

  it('is unknown where nothing was measured', () => {
    expect(flatnessOf([{ atMs: 1_500, value: 1 }], 3_000)).toBeUndefined();
    expect(flatnessOf([], 3_000)).toBeUndefined();
  });
});

it('the median is the middle, or between the two', () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, undefined]);
});

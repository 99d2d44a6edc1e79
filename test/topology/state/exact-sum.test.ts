import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addToSum,
  type ExactSum,
  emptySum,
  meanOf,
  mergeSums,
  roundedSum,
} from '../../../topology/state/exact-sum.ts';

const view = new DataView(new ArrayBuffer(8));

function doubleOf(bits: bigint): number {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}

/** Every finite double is an integer in units of 2^-1074. */
function unitsOf(x: number): bigint {
  view.setFloat64(0, x);
  const bits = view.getBigUint64(0);
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & ((1n << 52n) - 1n);
  const units = exponent === 0n ? fraction : (fraction + (1n << 52n)) << (exponent - 1n);
  return x < 0 ? -units : units;
}

/**
 * The oracle: the double nearest to numerator / denominator units, found by halving the interval of
 * all doubles (the order of positive doubles is that of their bits), ties to even bits, and past
 * the middle between the largest double and 2^1024 Infinity.
 */
function nearest(numerator: bigint, denominator: bigint): number {
  const magnitude = numerator < 0n ? -numerator : numerator;
  const infinity = 0x7ffn << 52n;
  const atBits = (bits: bigint): bigint =>
    bits === infinity ? 1n << 2098n : unitsOf(doubleOf(bits));
  let low = 0n;
  let high = infinity;
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (atBits(middle) * denominator <= magnitude) low = middle;
    else high = middle;
  }
  const twice = 2n * magnitude;
  const border = (atBits(low) + atBits(high)) * denominator;
  const bits = twice < border || (twice === border && low % 2n === 0n) ? low : high;
  return numerator < 0n && bits !== 0n ? -doubleOf(bits) : doubleOf(bits);
}

function totalUnits(values: readonly number[]): bigint {
  return values.reduce((total, value) => total + unitsOf(value), 0n);
}

function sumOf(values: readonly number[]): ExactSum {
  const sum = emptySum();
  for (const value of values) addToSum(sum, value);
  return sum;
}

function permutations(values: readonly number[]): number[][] {
  if (values.length < 2) return [[...values]];
  return values.flatMap((value, at) =>
    permutations(values.toSpliced(at, 1)).map((rest) => [value, ...rest]),
  );
}

const throughJson = (sum: ExactSum): ExactSum => JSON.parse(JSON.stringify(sum)) as ExactSum;

/** Uniform over bits: every exponent is as likely. */
const anyDouble = fc
  .bigInt({ min: 0n, max: (1n << 64n) - 1n })
  .map(doubleOf)
  .filter(Number.isFinite);
const subnormal = fc
  .tuple(fc.bigInt({ min: 0n, max: (1n << 52n) - 1n }), fc.boolean())
  .map(([bits, down]) => (down ? -1 : 1) * doubleOf(bits));
/** Powers of two with few bits set, near each other: halves of units, ties, and cancellation. */
const sparseBits = fc
  .tuple(fc.constantFrom(1, -1), fc.integer({ min: 1, max: 5 }), fc.integer({ min: -110, max: 60 }))
  .map(([sign, small, exponent]) => sign * small * 2 ** exponent);
const nearOverflow = fc
  .tuple(fc.constantFrom(1, -1), fc.bigInt({ min: 0x7fdn << 52n, max: (0x7ffn << 52n) - 1n }))
  .map(([s, b]) => s * doubleOf(b));
const nearLanes = fc
  .tuple(fc.constantFrom(1, -1), fc.bigInt({ min: 1533n << 52n, max: 1537n << 52n }))
  .map(([s, b]) => s * doubleOf(b));
const whole = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -9, max: 9 }));
const price = fc.integer({ min: -100_000, max: 100_000 }).map((cents) => cents / 100);
const addend = fc.oneof(
  anyDouble,
  subnormal,
  sparseBits,
  nearOverflow,
  nearLanes,
  whole,
  price,
  fc.constantFrom(0, -0),
);
/** Often with its own negatives among them, so that much cancels. */
const addends = fc
  .tuple(
    fc.oneof(
      ...[addend, sparseBits, whole, price, nearOverflow].map((one) =>
        fc.array(one, { maxLength: 24 }),
      ),
    ),
    fc.nat({ max: 24 }),
  )
  .map(([values, taken]) => [...values, ...values.slice(0, taken).map((value) => -value)]);
const count = fc.oneof(
  fc.integer({ min: 1, max: 1_000 }),
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
);
const runs = { numRuns: 2_000 };

describe('an exact sum', () => {
  it('is the true sum rounded to the nearest double, half to even', () => {
    fc.assert(
      fc.property(addends, (values) => {
        expect(roundedSum(sumOf(values))).toBe(nearest(totalUnits(values), 1n));
      }),
      runs,
    );
  });

  it('has the true quotient, rounded once, as its mean', () => {
    fc.assert(
      fc.property(addends, count, (values, by) => {
        expect(meanOf(sumOf(values), by)).toBe(nearest(totalUnits(values), BigInt(by)));
      }),
      runs,
    );
  });

  it('rounds a tie by what lies below it, however far', () => {
    const exponent = fc.integer({ min: 1, max: 0x7fe });
    const significand = fc.oneof(
      fc.constant(0n),
      fc.constant((1n << 52n) - 1n),
      fc.bigInt({ min: 0n, max: (1n << 52n) - 1n }),
    );
    const sign = fc.constantFrom(1, -1);
    fc.assert(
      fc.property(
        exponent,
        significand,
        sign,
        sign,
        fc.constantFrom(53, 54),
        fc.integer({ min: 54, max: 1_200 }),
        sign,
        (e, s, a, b, half, down, c) => {
          const greatest = a * doubleOf((BigInt(e) << 52n) | s);
          const unit = (below: number): number =>
            e > below ? doubleOf(BigInt(e - below) << 52n) : 0;
          for (const values of [
            [greatest, b * unit(half)],
            [greatest, b * unit(half), c * unit(down)],
            [greatest, b * unit(half), c * 5e-324],
          ]) {
            for (const order of permutations(values))
              expect(roundedSum(sumOf(order))).toBe(nearest(totalUnits(values), 1n));
            expect(meanOf(sumOf(values), 1)).toBe(roundedSum(sumOf(values)));
          }
        },
      ),
      { numRuns: 500 },
    );
    expect(roundedSum(sumOf([1, 2 ** -53]))).toBe(1);
    expect(roundedSum(sumOf([1, 2 ** -53, 2 ** -1074]))).toBe(1 + 2 ** -52);
    expect(roundedSum(sumOf([1 + 2 ** -52, 2 ** -53, -(2 ** -1074)]))).toBe(1 + 2 ** -52);
  });

  it('has subnormal means that are rounded once too', () => {
    const tiny = fc
      .tuple(fc.boolean(), fc.bigInt({ min: 1n, max: 64n << 52n }))
      .map(([down, bits]) => (down ? -1 : 1) * doubleOf(bits));
    fc.assert(
      fc.property(
        fc.array(tiny, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 2 ** 40, max: Number.MAX_SAFE_INTEGER }),
        (values, by) => {
          expect(meanOf(sumOf(values), by)).toBe(nearest(totalUnits(values), BigInt(by)));
        },
      ),
      runs,
    );
  });

  it('is the same for every permutation', () => {
    fc.assert(
      fc.property(fc.array(addend, { minLength: 1, maxLength: 5 }), (values) => {
        const sums = new Set(permutations(values).map((order) => roundedSum(sumOf(order))));
        const means = new Set(
          permutations(values).map((order) => meanOf(sumOf(order), values.length)),
        );
        expect([sums.size, means.size]).toEqual([1, 1]);
      }),
      { numRuns: 200 },
    );
  });

  it('is the same for every tree of merges, with any sum of it taken through JSON', () => {
    fc.assert(
      fc.property(
        addends,
        fc.infiniteStream(fc.nat()),
        fc.infiniteStream(fc.boolean()),
        (values, picks, saves) => {
          const pick = (below: number): number => (picks.next().value as number) % below;
          const sums = values.map((value) => sumOf([value]));
          if (sums.length === 0) sums.push(emptySum());
          while (sums.length > 1) {
            const from = sums.splice(pick(sums.length), 1)[0] as ExactSum;
            const at = pick(sums.length);
            const into =
              saves.next().value === true
                ? throughJson(sums[at] as ExactSum)
                : (sums[at] as ExactSum);
            const before = JSON.stringify(from);
            mergeSums(into, from);
            expect(JSON.stringify(from)).toBe(before);
            sums[at] = into;
          }
          expect(roundedSum(sums[0] as ExactSum)).toBe(roundedSum(sumOf(values)));
          expect(meanOf(sums[0] as ExactSum, 7)).toBe(meanOf(sumOf(values), 7));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('goes on after a round trip through JSON as if nothing had happened', () => {
    fc.assert(
      fc.property(addends, addends, (before, after) => {
        const kept = sumOf(before);
        const restored = throughJson(kept);
        expect(restored).toEqual(kept);
        for (const value of after) {
          addToSum(kept, value);
          addToSum(restored, value);
        }
        expect(JSON.stringify(restored)).toBe(JSON.stringify(kept));
      }),
      { numRuns: 1_000 },
    );
  });

  it('keeps integers as one number while their total is safe, and exactly beyond', () => {
    expect(sumOf([1, 2, 3, -0])).toEqual({ whole: 6, parts: [], large: [] });
    const past = sumOf([Number.MAX_SAFE_INTEGER, 1, 1, 1]);
    expect(roundedSum(past)).toBe(2 ** 53 + 2);
    addToSum(past, -(2 ** 53));
    expect(roundedSum(past)).toBe(2);
  });

  it('is not disturbed by overflow on the way, and is infinite only if the total is past the largest double', () => {
    for (const order of permutations([1e308, 1e308, -1e308]))
      expect(roundedSum(sumOf(order))).toBe(1e308);
    for (const order of permutations([1e308, 1e308, -1e308, -1e308, 5e-324]))
      expect(roundedSum(sumOf(order))).toBe(5e-324);
    const largest = Number.MAX_VALUE;
    const halfUnit = 2 ** 970;
    expect(roundedSum(sumOf([largest, halfUnit]))).toBe(Infinity);
    expect(roundedSum(sumOf([-largest, -halfUnit]))).toBe(-Infinity);
    expect(roundedSum(sumOf([largest, halfUnit, -5e-324]))).toBe(largest);
    expect(meanOf(sumOf([largest, largest, largest]), 3)).toBe(largest);
  });

  it('of nothing, of zeros and of what cancels is 0, never -0', () => {
    for (const values of [[], [-0], [-0, -0], [0.1, -0.1], [-1e308, 1e308], [5, -5]]) {
      expect(roundedSum(sumOf(values))).toBe(0);
      expect(meanOf(sumOf(values), 3)).toBe(0);
    }
    expect(meanOf(sumOf([-5e-324]), 3)).toBe(0);
    expect(meanOf(sumOf([-1e308, 1e308, -5e-324]), 3)).toBe(0);
  });

  it('refuses what is not finite, a count that is none, and itself', () => {
    for (const bad of [Number.NaN, Infinity, -Infinity])
      expect(() => addToSum(emptySum(), bad)).toThrow('finite');
    for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 53])
      expect(() => meanOf(sumOf([1]), bad)).toThrow('mean');
    const sum = sumOf([0.1]);
    expect(() => mergeSums(sum, sum)).toThrow('itself');
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import {
  addToSketch,
  type DistinctSketch,
  decodeSketch,
  type EncodedSketch,
  encodeSketch,
  estimate,
  mergeSketches,
  newSketch,
} from '../../../topology/state/distinct-sketch.ts';

const standardError = 1.04 / Math.sqrt(4_096);
const exactMax = 384;

function sketchOf(texts: Iterable<string>): DistinctSketch {
  const sketch = newSketch();
  for (const text of texts) addToSketch(sketch, text);
  return sketch;
}

function* numbered(prefix: string, from: number, to: number): Generator<string> {
  for (let i = from; i < to; i++) yield `${prefix}${i}`;
}

function relativeErrors(distinct: number, seeds: number): number[] {
  return Array.from(
    { length: seeds },
    (_, seed) => estimate(sketchOf(numbered(`${seed}/`, 0, distinct))) / distinct - 1,
  );
}

const rootMeanSquare = (errors: readonly number[]): number =>
  Math.sqrt(errors.reduce((sum, error) => sum + error * error, 0) / errors.length);
const throughJson = (encoded: EncodedSketch): EncodedSketch =>
  JSON.parse(JSON.stringify(encoded)) as EncodedSketch;

/** Sets on both sides of the bound of the exact form, which overlap. */
const range = fc.tuple(
  fc.nat({ max: 600 }),
  fc.oneof(fc.nat({ max: 40 }), fc.integer({ min: 370, max: 400 }), fc.nat({ max: 3_000 })),
);
const textsOf = ([from, size]: [number, number]): string[] => [
  ...numbered('user-', from, from + size),
];

describe('a sketch of distinct strings', () => {
  it.each([0, 1, 10, exactMax])('counts %i exactly', (distinct) => {
    const sketch = sketchOf([...numbered('a', 0, distinct), ...numbered('a', 0, distinct)]);
    expect(estimate(sketch)).toBe(distinct);
  });

  it.each([
    [10, 20],
    [1_000, 20],
    [100_000, 20],
    [1_000_000, 3],
  ])('estimates %i within three standard errors', (distinct, seeds) => {
    for (const error of relativeErrors(distinct, seeds))
      expect(Math.abs(error)).toBeLessThanOrEqual(3 * standardError);
  });

  it.each([
    [400, 0.8],
    [1_000, 0.8],
    [5_000, 0.9],
    [10_000, 1],
    [20_000, 1.1],
  ])(
    'of %i has no more than the standard error it says (times %d, by 100 samples), and next to no bias',
    (distinct, share) => {
      const errors = relativeErrors(distinct, 100);
      expect(rootMeanSquare(errors)).toBeLessThan(share * standardError);
      expect(Math.abs(errors.reduce((sum, error) => sum + error, 0) / errors.length)).toBeLessThan(
        0.35 * standardError,
      );
    },
  );

  it('is as good for strings that differ in one character, in characters past 16 bits, or in length alone', () => {
    const alike = ['a', 'ж', '値', '\u{1F600}'].map((unit) =>
      Array.from({ length: 2_000 }, (_, i) => unit.repeat(i)),
    );
    const planes = Array.from({ length: 50_000 }, (_, i) => String.fromCodePoint(0x1_0000 + i));
    const pairs = Array.from({ length: 40_000 }, (_, i) =>
      String.fromCharCode(i % 200, 0, 0, Math.floor(i / 200)),
    );
    for (const texts of [...alike, planes, pairs]) {
      expect(Math.abs(estimate(sketchOf(texts)) / texts.length - 1)).toBeLessThanOrEqual(
        3 * standardError,
      );
    }
  });

  it('flips each kept bit of the hash with half of all changes of one bit', () => {
    const random = seededRandom(7);
    const flips = new Array<number>(53).fill(0);
    const trials = 20_000;
    const hashOf = (text: string): bigint =>
      BigInt((encodeSketch(sketchOf([text])) as readonly number[])[0] as number);
    for (let trial = 0; trial < trials; trial++) {
      const units = Array.from({ length: 1 + (trial % 9) }, () =>
        Math.floor(random.next() * 65_536),
      );
      const changed = Math.floor(random.next() * units.length);
      const other = units.with(
        changed,
        (units[changed] as number) ^ (1 << Math.floor(random.next() * 16)),
      );
      const difference =
        hashOf(String.fromCharCode(...units)) ^ hashOf(String.fromCharCode(...other));
      for (let bit = 0; bit < 53; bit++)
        flips[bit] = (flips[bit] as number) + Number((difference >> BigInt(bit)) & 1n);
    }
    // Five standard deviations of a fair coin.
    for (const flipped of flips)
      expect(Math.abs(flipped / trials - 0.5)).toBeLessThan(2.5 / Math.sqrt(trials));
  });

  it('of a union is the merge of the sketches, whatever their forms', () => {
    fc.assert(
      fc.property(range, range, range, (a, b, c) => {
        const sets = [a, b, c].map(textsOf);
        const union = encodeSketch(sketchOf(sets.flat()));
        const [left, middle, right] = sets.map(sketchOf) as [
          DistinctSketch,
          DistinctSketch,
          DistinctSketch,
        ];
        const [first, second, third] = sets.map(sketchOf) as [
          DistinctSketch,
          DistinctSketch,
          DistinctSketch,
        ];
        mergeSketches(left, middle);
        mergeSketches(left, right);
        mergeSketches(third, second);
        mergeSketches(third, first);
        expect(encodeSketch(left)).toEqual(union);
        expect(encodeSketch(third)).toEqual(union);
        expect(estimate(left)).toBe(estimate(sketchOf(sets.flat())));
        expect(encodeSketch(middle)).toEqual(encodeSketch(sketchOf(sets[1] as string[])));
      }),
      { numRuns: 150 },
    );
    const sizes = [0, 1, exactMax, exactMax + 1, 5_000];
    for (const [one, other] of sizes.flatMap((one) =>
      sizes.map((other) => [one, other] as const),
    )) {
      const merged = sketchOf(numbered('x', 0, one));
      mergeSketches(merged, sketchOf(numbered('x', 200, 200 + other)));
      expect(encodeSketch(merged)).toEqual(
        encodeSketch(sketchOf([...numbered('x', 0, one), ...numbered('x', 200, 200 + other)])),
      );
    }
  });

  it('depends neither on order nor on repetition', () => {
    fc.assert(
      fc.property(range, fc.integer(), (a, seed) => {
        const texts = textsOf(a);
        const random = seededRandom(seed);
        const mixed = [...texts, ...texts]
          .map((text) => ({ text, by: random.next() }))
          .toSorted((x, y) => x.by - y.by);
        expect(encodeSketch(sketchOf(mixed.map(({ text }) => text)))).toEqual(
          encodeSketch(sketchOf(texts)),
        );
      }),
      { numRuns: 50 },
    );
  });

  it('goes on after a round trip through JSON as if nothing had happened', () => {
    fc.assert(
      fc.property(range, range, (a, b) => {
        const restored = decodeSketch(throughJson(encodeSketch(sketchOf(textsOf(a)))));
        expect(estimate(restored)).toBe(estimate(sketchOf(textsOf(a))));
        for (const text of textsOf(b)) addToSketch(restored, text);
        expect(encodeSketch(restored)).toEqual(
          encodeSketch(sketchOf([...textsOf(a), ...textsOf(b)])),
        );
      }),
      { numRuns: 100 },
    );
  });

  it('takes no more than 4 KiB, as JSON 4,098 characters once it is not exact', () => {
    for (const distinct of [0, 100, exactMax, exactMax + 1, 10_000]) {
      const sketch = sketchOf(numbered('k', 0, distinct));
      expect(sketch.hashes.byteLength + (sketch.registers?.byteLength ?? 0)).toBeLessThanOrEqual(
        4_096,
      );
      expect(typeof encodeSketch(sketch)).toBe(distinct > exactMax ? 'string' : 'object');
    }
    expect(JSON.stringify(encodeSketch(sketchOf(numbered('k', 0, 10_000))))).toHaveLength(4_098);
  });

  it('has the hashes that snapshots were written with', () => {
    const texts = ['', 'a', 'ab', 'abc', '値', '\u{1F600}', '\uD800'];
    expect(texts.map((text) => encodeSketch(sketchOf([text])))).toEqual(
      [
        2_994_612_945_341_527, 7_538_790_142_208_509, 93_832_808_858_152, 7_190_365_473_998_152,
        2_976_392_620_787_142, 7_968_851_112_747_563, 242_226_533_470_035,
      ].map((hash) => [hash]),
    );
  });

  it('refuses JSON that it did not write', () => {
    for (const bad of [
      '',
      'A'.repeat(4_095),
      '/'.repeat(4_096),
      '?'.repeat(4_096),
      [0],
      [1.5],
      [-1],
      Array.from({ length: 385 }, (_, i) => i + 1),
    ]) {
      expect(() => decodeSketch(bad)).toThrow();
    }
  });
});

/**
 * Keys at rest: what was added is taken, once, whatever comes and goes; the first of each timer is
 * the least of those that are there.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { memoryRecords } from '../../../topology/state/memory-records.ts';
import { RestingKeys } from '../../../topology/state/resting-keys.ts';

const key = fc.nat({ max: 12 }).map((n) => (n === 0 ? '' : n === 1 ? '\ud800' : `key ${n}`));
const time = fc.oneof(fc.integer({ min: -5, max: 20 }), fc.constant(Number.POSITIVE_INFINITY));
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ add: key, value: fc.string(), times: fc.tuple(time, time) }),
  },
  { weight: 4, arbitrary: fc.record({ take: key }) },
  { weight: 1, arbitrary: fc.constant({ clear: true as const }) },
);

describe('keys at rest', () => {
  it('are those of a map, with the least of their times', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
        const store = memoryRecords();
        const resting = new RestingKeys({
          store: () => store,
          random: seededRandom(1),
          timers: 2,
        });
        const known = new Map<string, { value: string; times: readonly number[] }[]>();
        for (const one of steps) {
          if ('add' in one) {
            resting.add(one.add, one.value, one.times);
            known.set(one.add, [one, ...(known.get(one.add) ?? [])]);
          } else if ('take' in one) {
            const had = known.get(one.take) ?? [];
            expect(resting.has(one.take)).toBe(had.length > 0);
            expect(resting.take(one.take)).toEqual(had.map(({ value }) => value));
            known.delete(one.take);
          } else {
            resting.clear();
            known.clear();
          }
          const all = [...known].flatMap(([of, records]) =>
            records.map(({ times }) => ({ of, times })),
          );
          expect([resting.size, store.records]).toEqual([all.length, all.length]);
          for (const timer of [0, 1]) {
            const least = Math.min(...all.map(({ times }) => times[timer] as number));
            const first = all.filter(({ times }) => times[timer] === least).map(({ of }) => of);
            const isNever = least === Number.POSITIVE_INFINITY;
            expect(resting.next(timer)).toBe(isNever ? undefined : least);
            if (isNever) expect(resting.firstKey(timer)).toBeUndefined();
            else expect(first).toContain(resting.firstKey(timer));
            const keys = isNever ? [] : [...new Set(first)];
            expect([...resting.firstKeys(timer)].sort()).toEqual(keys.sort());
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it('ask for no store before the first one rests', () => {
    const resting = new RestingKeys({
      store: () => {
        throw new Error('no store');
      },
      random: seededRandom(1),
      timers: 1,
    });
    expect(resting.has('k')).toBe(false);
    expect(resting.take('k')).toEqual([]);
    resting.clear();
    expect(resting.size).toBe(0);
    expect(() => resting.add('k', 'v', [1])).toThrow('no store');
  });
});

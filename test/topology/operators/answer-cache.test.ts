/**
 * The cache of answers against a plain model: a list in the order of use.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { AnswerCache } from '../../../topology/operators/lookup/answer-cache.ts';

it('gives what a list in the order of use gives, whatever is asked, and never keeps more than its bound', () => {
  const step = fc.record({
    act: fc.constantFrom('get', 'get', 'set', 'set', 'wait'),
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 4 }),
      fc.array(step, { maxLength: 60 }),
      (maxEntries, steps) => {
        const clock = manualClock();
        const cache = new AnswerCache(maxEntries, 5, clock);
        let model: { key: string; answer: number; until: number }[] = [];
        for (const [index, { act, key }] of steps.entries()) {
          const known = model.find((entry) => entry.key === key);
          const others = model.filter((entry) => entry.key !== key);
          if (act === 'wait') clock.advance(1);
          else if (act === 'set') {
            cache.set(key, index);
            model = [...others, { key, answer: index, until: clock.monotonic() + 5 }].slice(
              -maxEntries || Number.POSITIVE_INFINITY,
            );
          } else {
            const fresh = known !== undefined && known.until > clock.monotonic();
            expect(cache.get(key)?.answer).toBe(fresh ? known.answer : undefined);
            if (known !== undefined) model = fresh ? [...others, known] : others;
          }
          expect(cache.size).toBe(model.length);
        }
      },
    ),
    { numRuns: 500 },
  );
});

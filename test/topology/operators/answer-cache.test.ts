/**
 * The cache of answers against a plain model: a list in the order of use.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { AnswerCache, answersMaxBytes } from '../../../topology/operators/lookup/answer-cache.ts';

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

it('keeps no more bytes than its bound: the least recently used go, and one that is larger never comes', () => {
  const cache = new AnswerCache(1_000_000, 1_000, manualClock());
  // About a third of it, and one text in memory.
  const answer = { text: 'x'.repeat(answersMaxBytes / 7) };
  for (const key of ['a', 'b', 'c']) cache.set(key, answer);
  expect(cache.size).toBe(3);
  expect(cache.get('a')?.answer).toBe(answer);
  cache.set('d', answer);
  expect([cache.size, cache.get('b'), cache.get('a')?.answer]).toEqual([3, undefined, answer]);
  // In the place of one with its key it takes its room, too.
  cache.set('a', 1);
  cache.set('e', answer);
  expect(['a', 'c', 'd', 'e'].map((key) => cache.get(key) !== undefined)).toEqual([
    true,
    true,
    true,
    true,
  ]);
  cache.set('a', [answer, answer, answer, answer]);
  expect([cache.get('a'), cache.size]).toEqual([undefined, 3]);
  const around: unknown[] = [];
  around.push(around);
  cache.set('f', around);
  expect([cache.get('f'), cache.size]).toEqual([undefined, 3]);
});

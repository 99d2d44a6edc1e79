/**
 * The circuit breaker: when it opens, how long it leaves a stream alone, and that one write alone
 * tries it again.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBreaker } from '../../../ingest/delivery/breaker.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';

const options = { failuresToOpen: 3, pauseBaseMs: 100, pauseMaxMs: 1_000 };
const always = (value: number): Random => ({
  next: () => value,
  fill: (target) => void target.fill(0),
});

/** Failed until it is open. */
function opened(random: Random, nowMs = 0) {
  const breaker = createBreaker(options, random);
  for (let n = 0; n < options.failuresToOpen; n++) breaker.failed(nowMs);
  return breaker;
}

describe('a breaker', () => {
  it('stays closed while failures are not in a row', () => {
    const breaker = createBreaker(options, always(0));
    for (let n = 0; n < 20; n++) {
      breaker.failed(n);
      breaker.failed(n);
      breaker.succeeded(n);
      expect(breaker.admits(n)).toBe(true);
    }
    expect(breaker.state).toBe('closed');
    expect(breaker.retryInMs(20)).toBe(0);
  });

  it('opens with the failure that makes the row long enough', () => {
    const breaker = createBreaker(options, always(0));
    breaker.failed(0);
    breaker.failed(0);
    expect(breaker.state).toBe('closed');
    breaker.failed(0);
    expect(breaker.state).toBe('open');
    expect(breaker.admits(0)).toBe(false);
  });

  it('admits nothing before its pause is over, then one write alone until its outcome is known', () => {
    const breaker = opened(always(0), 10);
    expect(breaker.retryInMs(10)).toBe(50);
    expect(breaker.admits(59.9)).toBe(false);
    expect(breaker.state).toBe('open');
    expect(breaker.retryInMs(60)).toBe(0);
    expect(breaker.admits(60)).toBe(true);
    expect(breaker.state).toBe('half-open');
    expect(breaker.admits(60)).toBe(false);
    expect(breaker.admits(1e9)).toBe(false);
    breaker.succeeded(70);
    expect(breaker.state).toBe('closed');
    expect([breaker.admits(70), breaker.admits(70)]).toEqual([true, true]);
  });

  it('pauses longer with each probe that fails, up to its longest, and shortly again after one that did not', () => {
    const breaker = opened(always(0));
    let nowMs = 0;
    const pauses: number[] = [];
    for (let n = 0; n < 6; n++) {
      const pauseMs = breaker.retryInMs(nowMs);
      pauses.push(pauseMs);
      nowMs += pauseMs;
      expect(breaker.admits(nowMs)).toBe(true);
      breaker.failed(nowMs);
      expect(breaker.state).toBe('open');
    }
    expect(pauses).toEqual([50, 100, 200, 400, 500, 500]);
    nowMs += breaker.retryInMs(nowMs);
    expect(breaker.admits(nowMs)).toBe(true);
    breaker.succeeded(nowMs);
    for (let n = 0; n < options.failuresToOpen; n++) breaker.failed(nowMs);
    expect(breaker.retryInMs(nowMs)).toBe(50);
  });

  it('pauses for between half of its pause and all of it, as chance says', () => {
    expect(opened(always(0)).retryInMs(0)).toBe(50);
    expect(opened(always(0.5)).retryInMs(0)).toBe(75);
    expect(opened(always(0.999_999)).retryInMs(0)).toBeCloseTo(100, 2);
  });

  it('does not pause anew for a write that began before it opened', () => {
    const breaker = opened(always(0));
    breaker.failed(49);
    expect(breaker.retryInMs(49)).toBe(1);
  });

  it('closes when a write that began before it opened succeeds: the stream answers', () => {
    const breaker = opened(always(0));
    breaker.succeeded(10);
    expect(breaker.admits(10)).toBe(true);
  });
});

type Event = {
  readonly kind: 'try' | 'late-failure' | 'late-success';
  readonly works: boolean;
  readonly afterMs: number;
};

const events = fc.array(
  fc.record({
    kind: fc.oneof(
      { weight: 8, arbitrary: fc.constant('try' as const) },
      fc.constantFrom('late-failure' as const, 'late-success' as const),
    ),
    works: fc.boolean(),
    afterMs: fc.integer({ min: 0, max: 400 }),
  }),
  { maxLength: 80 },
) as fc.Arbitrary<readonly Event[]>;

describe('a breaker under any outcomes', () => {
  it('admits one write while it is not closed, never before its pause, and always in the end', () => {
    fc.assert(
      fc.property(events, fc.integer(), (run, seed) => {
        const breaker = createBreaker(options, seededRandom(seed));
        let nowMs = 0;
        let probing = false;
        for (const { kind, works, afterMs } of run) {
          nowMs += afterMs;
          const { state } = breaker;
          const retryInMs = breaker.retryInMs(nowMs);
          expect(retryInMs).toBeLessThanOrEqual(options.pauseMaxMs);
          if (kind !== 'try') {
            if (kind === 'late-failure') breaker.failed(nowMs);
            else breaker.succeeded(nowMs);
            probing = false;
            continue;
          }
          const admitted = breaker.admits(nowMs);
          expect(admitted).toBe(state === 'closed' || (retryInMs === 0 && !probing));
          if (!admitted) continue;
          if (state !== 'closed') {
            expect(breaker.admits(nowMs)).toBe(false);
            probing = true;
          }
          // A probe may stay without an answer for as long as it takes.
          if (probing && afterMs % 3 === 0) continue;
          if (works) breaker.succeeded(nowMs);
          else breaker.failed(nowMs);
          if (works) expect(breaker.state).toBe('closed');
          else if (state !== 'closed') expect(breaker.state).toBe('open');
          probing = false;
        }
        if (probing) breaker.failed(nowMs);
        nowMs += breaker.retryInMs(nowMs);
        expect(breaker.admits(nowMs)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

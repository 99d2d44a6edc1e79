/**
 * When the target of look-ups may be asked. As shipped before, `Retry-After` was not read, and each
 * waiting element tried on by itself: a thousand of them met a server that was down, or just back,
 * with a hundred calls a second.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ManualClock } from '../../../schemas/kernel/clock.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { lookupTimesKept } from '../../../topology/operators/lookup/call-times.ts';
import {
  LookupTarget,
  lookupPauseMaxMs,
  lookupRetryBurst,
  lookupRetryTokenMs,
  lookupTargets,
  retryAfterOf,
} from '../../../topology/operators/lookup/lookup-target.ts';

interface Rig {
  readonly clock: ManualClock;
  readonly target: LookupTarget;
  /** Epoch ms of each call. */
  readonly calls: number[];
}

function rig(): Rig {
  const clock = manualClock(1_000_000);
  return { clock, target: new LookupTarget(clock), calls: [] };
}

/** Elements that try again as soon as they may, until `answers` says yes. */
function waiting(
  { clock, target, calls }: Rig,
  count: number,
  answers: () => boolean,
): { left: number } {
  const state = { left: count };
  const go = (paid: boolean): void => {
    calls.push(clock.now());
    // As the answer of a server comes: later.
    clock.setTimer(10, () => {
      if (!answers()) target.again(go);
      else {
        state.left--;
        target.answered(paid);
      }
    });
  };
  for (let n = 0; n < count; n++) target.first(go);
  return state;
}

const pass = (clock: ManualClock, ms: number): void => {
  for (let passed = 0; passed < ms; passed += 10) clock.advance(10);
};

describe('the target of look-ups', () => {
  it('that fails is asked within one budget, however many wait, and is soon found again by all of them', () => {
    const made = rig();
    let isUp = false;
    const state = waiting(made, 1_000, () => isUp);
    pass(made.clock, 60_000);
    const outage = made.calls.length;
    expect(outage).toBeGreaterThan(1_000 + lookupRetryBurst + 50);
    expect(outage).toBeLessThanOrEqual(1_000 + lookupRetryBurst + 61);
    isUp = true;
    pass(made.clock, 5_000);
    expect(state.left).toBe(0);
    expect(made.calls.length).toBe(outage + 1_000);
  });

  it('that asks to be left alone is, by first tries too, and is met by a few at first', () => {
    const made = rig();
    made.target.pause(30_000);
    const state = waiting(made, 50, () => true);
    pass(made.clock, 29_990);
    expect([made.calls.length, made.target.asked.waiting]).toEqual([0, 50]);
    expect(made.target.asked.pausedUntil).toBe(1_030_000);
    pass(made.clock, 10);
    expect(made.calls.length).toBe(1);
    pass(made.clock, 2_000);
    expect(state.left).toBe(0);
    expect(made.target.asked).not.toHaveProperty('pausedUntil');
  });

  it('is left alone for the longest of what it says, and for no longer than is declared', () => {
    const { clock, target } = rig();
    target.pause(5_000);
    target.pause(1_000);
    expect(target.asked.pausedUntil).toBe(1_005_000);
    target.pause(Number.POSITIVE_INFINITY);
    expect(target.asked.pausedUntil).toBe(1_000_000 + lookupPauseMaxMs);
    let went = false;
    target.again(() => {
      went = true;
    });
    clock.advance(lookupPauseMaxMs + lookupRetryTokenMs);
    expect(went).toBe(true);
  });

  it('serves who waits in order, and nobody once it is closed', () => {
    const { clock, target } = rig();
    const order: number[] = [];
    target.pause(1_000);
    for (let n = 0; n < 3; n++) target.again(() => void order.push(n));
    clock.advance(1_000 + 3 * lookupRetryTokenMs);
    expect(order).toEqual([0, 1, 2]);
    target.pause(1_000);
    target.again(() => void order.push(3));
    target.close();
    clock.advance(60_000);
    expect(order).toHaveLength(3);
  });

  it('is asked again no more often than its budget says, whatever it answers', () => {
    const step = fc.record({
      ms: fc.integer({ min: 0, max: 3_000 }),
      retries: fc.nat({ max: 20 }),
      answers: fc.nat({ max: 20 }),
      pause: fc.option(fc.nat({ max: 5_000 })),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { clock, target } = rig();
        let [retries, given] = [0, 0];
        for (const { ms, retries: wanted, answers, pause } of steps) {
          clock.advance(ms);
          if (pause !== null) target.pause(pause);
          const isPaused = target.asked.pausedUntil !== undefined;
          const before = retries;
          for (let n = 0; n < wanted; n++) target.again(() => void retries++);
          if (isPaused) expect(retries).toBe(before);
          for (let n = 0; n < answers; n++) target.answered(n % 2 === 0);
          given += Math.ceil(answers / 2) * 2 + Math.floor(answers / 2) * 0.1;
          expect(retries).toBeLessThanOrEqual(
            lookupRetryBurst + clock.monotonic() / lookupRetryTokenMs + given + 1e-6,
          );
        }
      }),
    );
  });

  it('says how long its calls take: of the last ones, of all how many there were', () => {
    const { target } = rig();
    expect(target.asked).toEqual({
      calls: 0,
      failed: 0,
      p50Ms: null,
      p99Ms: null,
      maxMs: null,
      waiting: 0,
    });
    for (let n = 0; n < 100; n++) target.times.note(9_000, true);
    for (let n = 1; n <= lookupTimesKept; n++) target.times.note(n, false);
    const half = lookupTimesKept / 2;
    expect(target.asked).toMatchObject({
      calls: 100 + lookupTimesKept,
      failed: 100,
      p50Ms: half,
      p99Ms: 507,
      maxMs: lookupTimesKept,
    });
  });

  it('is one for all look-ups of a connector, and one for each function', () => {
    const targetOf = lookupTargets(manualClock());
    const of = (from: 'connector' | 'function', name: string): LookupTarget =>
      targetOf({
        from,
        name,
        cacheMaxEntries: 0,
        cacheTtlMs: 0,
        capacity: 1,
        timeoutMs: 1,
        attempts: 1,
        order: 'ordered',
        whenFailing: 'hold',
      });
    expect(of('connector', 'a')).toBe(of('connector', 'a'));
    expect(of('connector', 'a')).not.toBe(of('connector', 'b'));
    expect(of('function', 'function')).not.toBe(of('function', 'function'));
  });

  it('reads how long it is to be left alone from anything that was thrown', () => {
    expect(retryAfterOf(Object.assign(new Error('x'), { retryAfterMs: 5 }))).toBe(5);
    for (const thrown of [
      undefined,
      null,
      'x',
      new Error('x'),
      { retryAfterMs: '5' },
      { retryAfterMs: -1 },
      { retryAfterMs: Number.NaN },
    ])
      expect(retryAfterOf(thrown)).toBeUndefined();
  });
});

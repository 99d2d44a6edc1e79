/**
 * The system's clock. `setTimeout` takes a delay past 2^31 - 1 ms for 1 ms: a timeout of '30d'
 * fired at once.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../../../schemas/kernel/clock.ts';

const dayMs = 86_400_000;

describe('a timer of the system', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it.each([
    ['a moment', 5],
    ['as long as Node holds', 2 ** 31 - 1],
    ['a millisecond longer', 2 ** 31],
    ['30 days', 30 * dayMs],
    ['a year', 365 * dayMs],
  ])('fires after %s, once and no sooner', async (_what, delayMs) => {
    const fire = vi.fn();
    systemClock.setTimer(delayMs, fire);
    await vi.advanceTimersByTimeAsync(delayMs - 1);
    expect(fire).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(fire).toHaveBeenCalledOnce();
    await vi.advanceTimersByTimeAsync(dayMs);
    expect([fire.mock.calls.length, vi.getTimerCount()]).toEqual([1, 0]);
  });

  it('that never ends never fires, and can be cancelled however often it was set again', async () => {
    const fire = vi.fn();
    const endless = systemClock.setTimer(Number.POSITIVE_INFINITY, fire);
    const long = systemClock.setTimer(80 * dayMs, fire);
    await vi.advanceTimersByTimeAsync(60 * dayMs);
    for (const timer of [endless, long]) timer.cancel();
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(60 * dayMs);
    expect(fire).not.toHaveBeenCalled();
  });

  it('cannot be of NaN ms', () => {
    expect(() => systemClock.setTimer(Number.NaN, () => undefined)).toThrow(RangeError);
  });
});

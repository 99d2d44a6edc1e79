/**
 * Bounds the timers that a key's timers register while time moves on: a function may register the
 * next timer each time, and at the end of input, where every timer is due, that would never come to
 * an end.
 *
 * Invariants:
 * 1. A chain that moves on to where the watermark or the clock ends has an end and is not bounded.
 *    What counts is what may have none: every timer at the end of input, and elsewhere one that is
 *    registered for the time of the timer that fires, or before it.
 * 2. Counts are of one advance, by key, so that a key whose chain has no end takes nothing from
 *    another's. That of all keys is of one operator, which has a part of them where workers share
 *    the keys of a node: several take longer to be cut, and cut no chain that one would not.
 */
import { assert } from '../../../schemas/kernel/assert.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { maxTime } from '../../time/watermark.ts';

/**
 * Timers that the timers of one key, and of all keys of an operator, register at the end of
 * input, where a chain of them need not have an end.
 */
export const timerChainMaxSteps = 100_000;
export const timerChainsMaxSteps = 1_000_000;
assert(timerChainMaxSteps <= timerChainsMaxSteps, 'one key may have the longest chain');

export class TimerChains {
  readonly #byKey = new Map<string, number>();
  #until = maxTime;
  #total = 0;

  /** Time moves on to `until`. */
  begin(until: number): void {
    this.#until = until;
    this.#total = 0;
    this.#byKey.clear();
  }

  /**
   * The key's timer of `firingAt` registers one for `at`, of its own kind. Throws `SluiceError`
   * `function-result` beyond the bound.
   */
  follow(key: string, firingAt: number, at: number): void {
    if (this.#until !== maxTime && at > firingAt) return;
    const followed = (this.#byKey.get(key) ?? 0) + 1;
    if (followed > timerChainMaxSteps || this.#total >= timerChainsMaxSteps)
      throw this.#endless(followed);
    this.#total++;
    this.#byKey.set(key, followed);
  }

  #endless(followed: number): SluiceError {
    const where = this.#until === maxTime ? 'at the end of input' : `at ${this.#until}`;
    const whose =
      followed > timerChainMaxSteps
        ? `the timers of this key registered more than ${timerChainMaxSteps} others`
        : `the timers of all keys registered more than ${timerChainsMaxSteps} others`;
    return new SluiceError(
      'function-result',
      `${whose} ${where}: the chain was stopped; do not register timers when ctx.watermark is Infinity`,
    );
  }
}

/**
 * The time of an operator that waits: it stands still while the operator works, and moves on when
 * the job says what time it is. What is due then fires, at that time. The job is told when the next
 * timer is due.
 */
import type { Clock, Timer } from '../../../schemas/kernel/clock.ts';

interface Due {
  readonly at: number;
  readonly fire: () => void;
}

export class StepClock implements Clock {
  #nowMs: number;
  /** In the order in which they were set. */
  readonly #timers = new Set<Due>();

  /** `startMs`: epoch milliseconds. */
  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const due = { at: this.#nowMs + Math.max(0, delayMs), fire };
    this.#timers.add(due);
    return { cancel: () => void this.#timers.delete(due) };
  }

  /** It is `nowMs`, unless it is later already. */
  moveTo(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    const due = [...this.#timers].filter(({ at }) => at <= this.#nowMs);
    // One of them may cancel another.
    for (const timer of due.sort((a, b) => a.at - b.at))
      if (this.#timers.delete(timer)) timer.fire();
  }

  /** Epoch milliseconds; undefined when nothing is set. */
  next(): number | undefined {
    let next = Number.POSITIVE_INFINITY;
    for (const { at } of this.#timers) next = Math.min(next, at);
    return next === Number.POSITIVE_INFINITY ? undefined : Math.ceil(next);
  }
}

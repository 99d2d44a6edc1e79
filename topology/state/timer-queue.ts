/**
 * Timers that can be cancelled, given back in order of time, and at equal times in the order of
 * their keys.
 *
 * Invariants:
 * 1. A timer is given back at most once, and never after it was cancelled.
 * 2. Cancelled timers are at most as many as the others, or fewer than `compactTimers`: what is set
 *    and cancelled over and over takes no more room than what waits. Each operation costs O(log n)
 *    of what waits, amortized.
 */
import { TimeHeap } from './time-heap.ts';

export interface Timer<out T> {
  readonly at: number;
  readonly value: T;
}

interface Entry<T> extends Timer<T> {
  waits: boolean;
}

/** Fewer cancelled timers than these are not worth a pass over all. */
const compactTimers = 64;

export class TimerQueue<T> {
  readonly #heap = new TimeHeap<Entry<T>>();
  #cancelled = 0;

  /** Timers that wait. */
  get size(): number {
    return this.#heap.size - this.#cancelled;
  }

  /** Timers inside, those that were cancelled and are not gone yet among them. */
  get held(): number {
    return this.#heap.size;
  }

  /** The earliest time, or undefined when there is none. */
  get next(): number | undefined {
    for (let first = this.#heap.first; first !== undefined; first = this.#heap.first) {
      if (first.waits) return first.at;
      this.#dropFirst();
    }
    return undefined;
  }

  clear(): void {
    this.#heap.clear();
    this.#cancelled = 0;
  }

  set(at: number, key: string, value: T): Timer<T> {
    const timer: Entry<T> = { at, value, waits: true };
    this.#heap.push(at, key, timer);
    return timer;
  }

  /** One that was given back already, or cancelled, stays so. */
  cancel(timer: Timer<T> | undefined): void {
    const entry = timer as Entry<T> | undefined;
    if (entry === undefined || !entry.waits) return;
    entry.waits = false;
    this.#cancelled++;
    if (this.#cancelled < compactTimers || this.#cancelled * 2 < this.#heap.size) return;
    this.#heap.keep(({ waits }) => waits);
    this.#cancelled = 0;
  }

  /** Takes out the earliest if its time is `limit` or before. */
  takeUntil(limit: number): Timer<T> | undefined {
    for (
      let first = this.#heap.first;
      first !== undefined && first.at <= limit;
      first = this.#heap.first
    ) {
      this.#heap.dropFirst();
      if (first.waits) {
        first.waits = false;
        return first;
      }
      this.#cancelled--;
    }
    return undefined;
  }

  #dropFirst(): void {
    this.#heap.dropFirst();
    this.#cancelled--;
  }
}

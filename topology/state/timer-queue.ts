/**
 * Timers that can be canceled, returned in order of time, and at equal times in the order of their
 * keys.
 *
 * Invariants:
 * 1. A timer is returned at most once, and never after it was canceled.
 * 2. There are at most as many canceled timers as others, or fewer than `compactTimers`: timers
 *    that are set and canceled over and over use no more memory than those that wait. Each
 *    operation costs O(log n) of the waiting ones, amortized.
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

  /** The key of the timer that is next, or undefined when there is none. */
  get nextKey(): string | undefined {
    return this.next === undefined ? undefined : this.#heap.firstKey;
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

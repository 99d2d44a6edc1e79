/**
 * The rows of one input of a join, by key, each until the watermark has passed all that it could
 * join.
 *
 * Invariants:
 * 1. A row stays until W >= timestamp + `staysMs`. Rows leave in the order of their times, at equal
 *    times in the order of keys, then of arrival.
 * 2. A key has one timer, of its earliest row: it moves when an earlier row comes, and when rows
 *    have left.
 */
import { TimeBuffer } from '../../state/time-buffer.ts';
import type { Timer } from '../../state/timer-queue.ts';
import { TimerQueue } from '../../state/timer-queue.ts';

interface KeyRows<T> {
  readonly key: string;
  readonly rows: TimeBuffer<T>;
  timer: Timer<KeyRows<T>> | undefined;
}

export class JoinSide<T> {
  readonly #staysMs: number;
  readonly #keys = new Map<string, KeyRows<T>>();
  readonly #timers = new TimerQueue<KeyRows<T>>();
  #size = 0;

  constructor(staysMs: number) {
    this.#staysMs = staysMs;
  }

  get size(): number {
    return this.#size;
  }

  /** The watermark at which a row leaves next; undefined when there is none. */
  get next(): number | undefined {
    return this.#timers.next;
  }

  get keys(): IterableIterator<string> {
    return this.#keys.keys();
  }

  clear(): void {
    this.#keys.clear();
    this.#timers.clear();
    this.#size = 0;
  }

  insert(key: string, time: number, value: T): void {
    let of = this.#keys.get(key);
    if (of === undefined) {
      of = { key, rows: new TimeBuffer(), timer: undefined };
      this.#keys.set(key, of);
    }
    of.rows.insert(time, value);
    this.#size++;
    const at = time + this.#staysMs;
    if (of.timer !== undefined && of.timer.at <= at) return;
    this.#timers.cancel(of.timer);
    of.timer = this.#timers.set(at, key, of);
  }

  /** Calls `visit` for every row of the key with from <= time <= to, in order. */
  range(key: string, from: number, to: number, visit: (time: number, value: T) => void): void {
    this.#keys.get(key)?.rows.range(from, to, visit);
  }

  /** Drops what no row that comes now can join. */
  advance(watermark: number): void {
    for (
      let due = this.#timers.takeUntil(watermark);
      due !== undefined;
      due = this.#timers.takeUntil(watermark)
    ) {
      this.#size -= due.value.rows.takeUntil(watermark - this.#staysMs);
      this.#settle(due.value);
    }
  }

  /** The same, and gives each row as it leaves. */
  advanceGiving(watermark: number, give: (time: number, value: T) => void): void {
    for (
      let due = this.#timers.takeUntil(watermark);
      due !== undefined;
      due = this.#timers.takeUntil(watermark)
    ) {
      this.#size -= due.value.rows.takeUntil(due.at - this.#staysMs, give);
      this.#settle(due.value);
    }
  }

  /** The rows of a key, in order. */
  rowsOf(key: string): readonly (readonly [time: number, value: T])[] {
    return [...(this.#keys.get(key)?.rows.entries() ?? [])];
  }

  #settle(of: KeyRows<T>): void {
    const { next } = of.rows;
    of.timer = next === undefined ? undefined : this.#timers.set(next + this.#staysMs, of.key, of);
    if (next === undefined) this.#keys.delete(of.key);
  }
}

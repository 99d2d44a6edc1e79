/**
 * Brings keys at rest to life when they are due, in the order in which the timers of live ones come
 * due: of times, at equal times of keys, which are those of the timers or what these begin with.
 *
 * Invariants:
 * 1. A key comes to life only when no live timer is due before it: of a million keys that are due
 *    at one time, one is live at a time. Their texts are in memory meanwhile.
 * 2. A key that is due by `firingAt` stays live while timers fire: it would come to life behind those
 *    that it goes before.
 */
import { minTime } from '../time/time-bounds.ts';
import type { RestingKeys } from './resting-keys.ts';

/** The timers of live keys. */
interface LiveTimers {
  readonly next: number | undefined;
  /** By which equal times are ordered. */
  readonly nextKey: string | undefined;
}

export class DueKeys {
  readonly #resting: RestingKeys;
  readonly #timer: number;
  readonly #live: LiveTimers;
  readonly #wake: (key: string) => void;
  /** Due at one time, in order; those before `#taken` came to life. */
  #at = minTime;
  #keys: readonly string[] = [];
  #taken = 0;

  constructor(resting: RestingKeys, timer: number, live: LiveTimers, wake: (key: string) => void) {
    this.#resting = resting;
    this.#timer = timer;
    this.#live = live;
    this.#wake = wake;
  }

  /**
   * Of the timers that fire, where the last one was due at `at`: one may register another for a time
   * before its own.
   */
  firingAt(at: number): number {
    return Math.max(at, this.#at);
  }

  /** Brings to life what is due before the first live timer, and not after `until`. */
  wake(until: number): void {
    for (;;) {
      const at = this.#resting.next(this.#timer);
      if (at === undefined || at > until) break;
      const { next } = this.#live;
      if (next !== undefined && next < at) return;
      if (at !== this.#at || this.#taken === this.#keys.length) this.#collect(at);
      const key = this.#keys[this.#taken] as string;
      if (next === at && key > (this.#live.nextKey as string)) return;
      this.#taken++;
      this.#wake(key);
    }
    this.#at = minTime;
    this.#keys = [];
  }

  #collect(at: number): void {
    this.#at = at;
    this.#taken = 0;
    this.#keys = this.#resting.firstKeys(this.#timer).toSorted();
  }
}

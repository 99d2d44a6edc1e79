/**
 * The time of ticks, which decides on idleness. It starts at the wall-clock time when a run takes
 * over, and advances from there as the job runs.
 *
 * Invariants:
 * 1. It never goes back, and does not jump, whatever happens to the clock on the wall.
 * 2. It stands still while reading is paused: a split that is not read is not silent, so idleness
 *    is judged by the time in which it could have been heard.
 * 3. A tick is due at most every `tickMs`, as with Flink's auto watermark interval.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';

/** Watermarks and idleness are judged at least this often. */
export const tickMs = 200;

export class TickTime {
  readonly #clock: Clock;
  #startedMs = 0;
  #startedAtMs = 0;
  #pausedMs = 0;
  #lastTurnMs: number;
  #lastTickMs = Number.NEGATIVE_INFINITY;
  /** The time of ticks at a monotonic time. */
  readonly at = (monotonicMs: number): number =>
    this.#startedAtMs + monotonicMs - this.#startedMs - this.#pausedMs;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastTurnMs = clock.monotonic();
  }

  /** Epoch ms at which the run took over. */
  get startedAtMs(): number {
    return this.#startedAtMs;
  }

  /** The run has taken over. */
  start(): void {
    this.#startedMs = this.#clock.monotonic();
    this.#startedAtMs = this.#clock.now();
  }

  /** A turn begins: its time. `wasPaused`: nothing was read since the last one. */
  turn(wasPaused: boolean): number {
    const nowMs = this.#clock.monotonic();
    if (wasPaused) this.#pausedMs += nowMs - this.#lastTurnMs;
    this.#lastTurnMs = nowMs;
    return this.at(nowMs);
  }

  /** Whether a tick is due; it is taken then. */
  takeTick(): boolean {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#lastTickMs < tickMs) return false;
    this.#lastTickMs = nowMs;
    return true;
  }
}

/**
 * How fast to call a server that throttles: each throttled answer makes the pause between two calls
 * longer, each other answer makes it shorter. All calls to the server share one pace, so that a new
 * call does not run at full speed beside throttled ones.
 *
 * Invariants:
 * 1. No call waits before the first throttled answer, nor after the pause has dropped below
 *    `baseMs`.
 * 2. Throttled answers that arrive together count as one: within its own length, the pause at most
 *    doubles.
 */
import type { Clock } from './clock.ts';
import { sleep } from './clock.ts';

export interface PaceOptions {
  readonly clock: Clock;
  /** The pause between two calls: the first, and the longest. */
  readonly baseMs: number;
  readonly maxMs: number;
}

/** Of the pause, what is left after an answer that did not ask to slow down. */
const easing = 0.8;

export class Pace {
  readonly #options: PaceOptions;
  #pauseMs = 0;
  #nextAtMs = 0;
  #raisedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** Between two calls, now; 0 when nothing waits. */
  get pauseMs(): number {
    return this.#pauseMs;
  }

  /** Resolves when the next call may go. */
  async turn(): Promise<void> {
    if (this.#pauseMs === 0) return;
    const { clock } = this.#options;
    const now = clock.monotonic();
    const at = Math.max(now, this.#nextAtMs);
    this.#nextAtMs = at + this.#pauseMs;
    if (at > now) await sleep(clock, at - now);
  }

  /** A call was answered with too many. */
  slowDown(): void {
    const { clock, baseMs, maxMs } = this.#options;
    const now = clock.monotonic();
    if (now - this.#raisedAtMs < this.#pauseMs) return;
    this.#raisedAtMs = now;
    this.#pauseMs = Math.min(maxMs, Math.max(baseMs, this.#pauseMs * 2));
    this.#nextAtMs = Math.max(this.#nextAtMs, now + this.#pauseMs);
  }

  /** A call was answered otherwise. */
  ease(): void {
    if (this.#pauseMs === 0) return;
    this.#pauseMs *= easing;
    if (this.#pauseMs < this.#options.baseMs) this.#pauseMs = 0;
  }
}

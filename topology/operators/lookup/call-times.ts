/**
 * How long the calls of look-ups take: the last `lookupTimesKept` of them, whatever became of each,
 * and counts since the start.
 *
 * Invariant: noting a call takes constant time and no memory.
 */

/** Calls of which it is known how long they took. */
export const lookupTimesKept = 512;

export interface LookupTimes {
  /** Tries that have ended, and those of them that failed, timeouts too; since the start. */
  readonly calls: number;
  readonly failed: number;
  /**
   * Of the last calls: what half of them, 99 in 100 and all took at most, ms; null before the
   * first.
   */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
}

export class CallTimes {
  readonly #lastMs = new Float64Array(lookupTimesKept);
  #calls = 0;
  #failed = 0;

  note(tookMs: number, failed: boolean): void {
    this.#lastMs[this.#calls % this.#lastMs.length] = tookMs;
    this.#calls++;
    if (failed) this.#failed++;
  }

  read(): LookupTimes {
    const sorted = this.#lastMs.slice(0, Math.min(this.#calls, this.#lastMs.length)).sort();
    const at = (part: number): number | null => sorted[Math.ceil(part * sorted.length) - 1] ?? null;
    return {
      calls: this.#calls,
      failed: this.#failed,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      maxMs: at(1),
    };
  }
}

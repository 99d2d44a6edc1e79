/**
 * For how long a stream keeps its records, asked for where it matters and known for a while.
 */
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { limits } from '../../../schemas/limits.ts';

/**
 * How long before its time a record may be gone, as clocks differ; for how long the retention of a
 * stream counts as known.
 */
const kinesisTrimMarginMs = 300_000;
const kinesisRetentionKnownMs = 300_000;

export class Retention {
  readonly #ask: () => Promise<number>;
  readonly #clock: Clock;
  /** As it was asked last. */
  #known: { readonly ms: number; readonly askedMs: number } | undefined;

  constructor(ask: () => Promise<number>, clock: Clock) {
    this.#ask = ask;
    this.#clock = clock;
  }

  /**
   * Whether records that came after the last one that is known to be read may be removed by now.
   */
  async mayBeOver(readToMs: number | undefined): Promise<boolean> {
    if (readToMs === undefined) return false;
    const clock = this.#clock;
    const ageMs = clock.now() - readToMs + kinesisTrimMarginMs;
    if (ageMs <= limits.kinesisRetentionLeastMs) return false;
    if (
      this.#known === undefined ||
      clock.monotonic() - this.#known.askedMs > kinesisRetentionKnownMs
    ) {
      this.#known = { ms: await this.#ask(), askedMs: clock.monotonic() };
    }
    return ageMs > this.#known.ms;
  }
}

/**
 * How many records of each split are not in the state yet, as reported by the streams.
 *
 * Invariants:
 * 1. Asking is not load: one round at a time, whoever asks, with so many questions at once as
 *    `lagCallsMax`, each bounded in time.
 * 2. A caller waits no longer than `lagWaitMs`; a split without an answer by then has its last
 *    value.
 * 3. A stream that cannot be asked, for any reason, only adds a text to its splits.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { within } from '../../schemas/kernel/within.ts';
import { limits } from '../../schemas/limits.ts';
import type { Cursor } from './cursor.ts';

/** Splits that are asked at once for their lag. */
export const lagCallsMax = 16;

export interface Lag {
  readonly records: number | null;
  readonly failure: string | undefined;
}

const unknown: Lag = { records: null, failure: undefined };

export class Lags {
  readonly #clock: Clock;
  readonly #known = new WeakMap<Cursor, Lag>();
  #asking: Promise<void> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(cursor: Cursor): Lag {
    return this.#known.get(cursor) ?? unknown;
  }

  async refresh(cursors: readonly Cursor[]): Promise<void> {
    this.#asking ??= this.#askAll(cursors).finally(() => {
      this.#asking = undefined;
    });
    await within(this.#clock, limits.lagWaitMs, this.#asking, late).catch(() => undefined);
  }

  async #askAll(cursors: readonly Cursor[]): Promise<void> {
    const left = cursors.values();
    const askOn = async (): Promise<void> => {
      for (const cursor of left) this.#known.set(cursor, await this.#ask(cursor));
    };
    await Promise.all(Array.from({ length: lagCallsMax }, askOn));
  }

  async #ask(cursor: Cursor): Promise<Lag> {
    const { reader, split, position } = cursor;
    try {
      const records = await within(
        this.#clock,
        limits.lagAnswerMaxMs,
        reader.lag(split, position),
        late,
      );
      return { records: records ?? null, failure: undefined };
    } catch (thrown) {
      return { records: null, failure: messageOf(thrown) };
    }
  }
}

function late(): SluiceError {
  return new SluiceError('stream-unreachable', 'its stream does not report its newest position', {
    retryable: true,
  });
}

/**
 * Watches the reading of a job: which splits cannot be read, what pauses all reading, and since
 * when; for the status and for alarms.
 *
 * Invariant: it uses its own timer, so that it also sees a turn that waits for a sink.
 */
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { limits } from '../../schemas/limits.ts';
import type { Cursor } from './cursor.ts';
import { hearingOf } from './cursor-heard.ts';
import type { Dag } from './dag.ts';
import { Lags } from './lags.ts';
import type { SplitNews } from './split-watch.ts';
import { SplitWatch } from './split-watch.ts';
import type { JobStatus } from './status.ts';
import { splitsStatus } from './status.ts';

/** How often splits are looked at. */
const splitWatchMs = 1_000;

export interface WatchedJob {
  readonly cursors: () => readonly Cursor[];
  /** Ids of the look-ups that take no more. */
  readonly full: () => readonly string[];
  /** Ids of the sinks that a turn waits for. */
  readonly busy: () => readonly string[];
}

export class JobWatch {
  readonly #job: WatchedJob;
  readonly #clock: Clock;
  readonly #splits: SplitWatch;
  readonly #lags: Lags;
  #timer: Timer | undefined;
  /** When records were last taken. */
  #readAtMs = Number.NEGATIVE_INFINITY;
  /** Since when a turn has been waiting for its sinks. */
  #waitsSinceMs: number | undefined;

  constructor(job: WatchedJob, clock: Clock, tell: (news: SplitNews) => void) {
    this.#job = job;
    this.#clock = clock;
    this.#splits = new SplitWatch(clock, tell);
    this.#lags = new Lags(clock);
  }

  start(): void {
    this.#timer = this.#clock.setTimer(splitWatchMs, () => {
      this.#splits.look(this.#job.cursors(), this.#pausedBy(), this.#readAtMs);
      this.start();
    });
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** Records were taken. */
  read(): void {
    this.#readAtMs = this.#clock.monotonic();
  }

  /** What a turn waits for. */
  async waitingFor<T>(sinks: Promise<T>): Promise<T> {
    this.#waitsSinceMs = this.#clock.monotonic();
    try {
      return await sinks;
    } finally {
      this.#waitsSinceMs = undefined;
    }
  }

  /** The nodes that take no more for now. A sink is one only when it has been waited for long. */
  #pausedBy(): readonly string[] {
    const since = this.#waitsSinceMs;
    const waits = since !== undefined && this.#clock.monotonic() - since > limits.readSlowMs;
    return waits ? [...this.#job.full(), ...this.#job.busy()] : this.#job.full();
  }

  async status(dag: Dag | undefined): Promise<Pick<JobStatus, 'splits' | 'totals' | 'pausedBy'>> {
    const cursors = this.#job.cursors();
    await this.#lags.refresh(cursors);
    const [nowMs, monotonicMs] = [this.#clock.now(), this.#clock.monotonic()];
    const pausedBy = this.#pausedBy();
    const told = splitsStatus(cursors, {
      dag,
      nowMs,
      hearingOf: (cursor) => hearingOf(cursor, pausedBy.length > 0, monotonicMs),
      lagOf: (cursor) => this.#lags.of(cursor),
      unheardSince: (cursor) => {
        const sinceMs = this.#splits.since(cursor);
        return sinceMs === undefined ? null : Math.round(nowMs - (monotonicMs - sinceMs));
      },
    });
    return { ...told, pausedBy };
  }
}

/**
 * The commits of a job's sinks: a sink that is slow or unreachable does not block the others.
 *
 * As in Flink (CommitterOperator), what a checkpoint named and is not visible yet stays in the
 * state of the next one, and the commit of a later one makes up for it, in order. So a sink may be
 * late without anything being written twice: a restart finds in its last checkpoint what is
 * missing.
 *
 * Invariants:
 * 1. A sink commits a checkpoint only when `commit` was called for it, and commits of one sink
 *    never overlap.
 * 2. A sink that `commitsAside` is waited for no longer than `sinkCommitWaitMs`, and not at all
 *    while it is late. Its fault that may pass makes it late; the next commit tries again. Every
 *    other sink is waited for, and its fault is the checkpoint's.
 * 3. All commits of the last checkpoint are waited for, and retried until they are visible or the
 *    run ends.
 * 4. A permanent fault is never lost: it ends the run, at its next turn at the latest.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { Sink } from '../nodes/sink.ts';

/** The pause before a commit that failed is tried again where nothing else is to come (a drain). */
const sinkCommitPauseMs = 1_000;

export interface LateSink {
  /** Epoch ms. */
  readonly sinceMs: number;
  /** What its last commit said; absent while that only takes long. */
  readonly failure: string | undefined;
}

type Outcome = 'done' | 'again';

export class SinkCommits {
  readonly #clock: Clock;
  readonly #commits = new Map<Sink, LateCommit>();
  #fault: { readonly thrown: unknown } | undefined;
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws what ended a commit that nobody waited for. */
  check(): void {
    if (this.#fault !== undefined) throw this.#fault.thrown;
  }

  lateOf(sink: Sink): LateSink | undefined {
    return this.#commits.get(sink)?.late;
  }

  async commit(sinks: readonly Sink[], checkpoint: number, last: boolean): Promise<void> {
    this.check();
    for (const known of this.#commits.keys())
      if (!sinks.includes(known)) this.#commits.delete(known);
    await Promise.all(
      sinks.map((sink) => {
        if (sink.commitsAside !== true) return sink.commit(checkpoint);
        const commit = this.#commitOf(sink);
        return last ? this.#whole(commit, checkpoint) : this.#within(commit, checkpoint);
      }),
    );
  }

  /** No further try is begun. */
  close(): void {
    this.#closed = true;
  }

  #commitOf(sink: Sink): LateCommit {
    const known = this.#commits.get(sink);
    if (known !== undefined) return known;
    const made = new LateCommit(sink, this.#clock);
    this.#commits.set(sink, made);
    return made;
  }

  async #within(commit: LateCommit, checkpoint: number): Promise<void> {
    const wasLate = commit.late !== undefined;
    const trying = commit.upTo(checkpoint);
    trying.catch((thrown: unknown) => {
      this.#fault ??= { thrown };
    });
    if (wasLate) return;
    await new Promise<void>((resolve, reject) => {
      const timer = this.#clock.setTimer(limits.sinkCommitWaitMs, () => {
        commit.isLate();
        resolve();
      });
      trying.finally(() => timer.cancel()).then(() => resolve(), reject);
    });
  }

  async #whole(commit: LateCommit, checkpoint: number): Promise<void> {
    while (!this.#closed) {
      if ((await commit.upTo(checkpoint)) === 'done') return;
      await sleep(this.#clock, sinkCommitPauseMs);
    }
  }
}

/** The commits of one sink. */
class LateCommit {
  readonly #sink: Sink;
  readonly #clock: Clock;
  #wanted = 0;
  #begunAtMs = 0;
  #running: Promise<Outcome> | undefined;
  #late: { readonly sinceMs: number } | undefined;
  #failure: string | undefined;

  constructor(sink: Sink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  get late(): LateSink | undefined {
    return this.#late === undefined ? undefined : { ...this.#late, failure: this.#failure };
  }

  isLate(): void {
    this.#late ??= { sinceMs: this.#begunAtMs };
  }

  /**
   * Resolves when all up to `checkpoint` is visible, or has to be tried again. Rejects on what does
   * not pass.
   */
  upTo(checkpoint: number): Promise<Outcome> {
    this.#wanted = checkpoint;
    if (this.#running !== undefined) return this.#running;
    this.#begunAtMs = this.#clock.now();
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<Outcome> {
    for (;;) {
      const target = this.#wanted;
      try {
        await this.#sink.commit(target);
      } catch (thrown) {
        if (!(thrown instanceof SluiceError) || !thrown.retryable) throw thrown;
        this.#failure = thrown.message;
        this.isLate();
        return 'again';
      }
      this.#failure = undefined;
      if (target !== this.#wanted) continue;
      this.#late = undefined;
      return 'done';
    }
  }
}

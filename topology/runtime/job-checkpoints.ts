/**
 * Takes a job's checkpoints: when, in which order, and what happens to one that fails.
 *
 * Invariants:
 * 1. Order: heads become text and tables are sealed, sinks stage, the files of what changed are
 *    stored, the manifest is created, sinks commit. After a crash anywhere, the next run resumes
 *    exactly once. A sink that is late with a commit (sink-commits.ts) does not block the next
 *    checkpoint, whose manifest lists what is not visible
 *    yet.
 * 2. A state that cannot be written fails before anything was staged; a new checkpoint follows
 *    soon.
 * 3. A manifest that cannot be stored is retried soon, unchanged, while the job continues to read:
 *    what was staged for it stays listed, and the next checkpoint has what came since. No attempt
 *    lasts longer than its limit.
 * 4. A sink that fails ends the run: its memory no longer equals what the engine gave it, and only
 *    a restart repairs that.
 * 5. Only the next checkpoint waits for a checkpoint: reading continues while one is in progress.
 * 6. A run that was taken over ends as `fenced`, whatever its failure was, also when it has nothing
 *    to store.
 * 7. While a savepoint is copied, no checkpoint is removed.
 */
import { backoffMs } from '../../schemas/kernel/backoff.ts';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { within } from '../../schemas/kernel/within.ts';
import { limits } from '../../schemas/limits.ts';
import type { CheckpointNews } from '../checkpoint/health.ts';
import { failureOf } from '../checkpoint/health.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { encodeManifestWith, encodeStates } from '../checkpoint/manifest.ts';
import type { CheckpointStore } from '../checkpoint/store.ts';
import type { CheckpointSavepoints, CheckpointSinks, CheckpointTables } from './checkpointed.ts';

/** Completed checkpoints that are kept. */
export const checkpointsKept = 3;
/**
 * A checkpoint that fails: pause before it is tried again, the first and the longest; how many
 * tries to store it may be in flight where none of them is answered; how long all tries of the last
 * one may take once a run is told to stop.
 */
export const checkpointRetryBaseMs = 250;
export const checkpointRetryMaxMs = 10_000;
export const checkpointTriesInFlightMax = 2;
export const checkpointLastMaxMs = 10_000;
/**
 * How often a run that has nothing to store looks whether another one has taken over, and how
 * long it may take to find out why it failed.
 */
export const fenceCheckMs = 10_000;
const fenceAnswerMaxMs = 5_000;

export interface JobCheckpointsOptions<S> {
  readonly store: CheckpointStore;
  readonly tables: CheckpointTables<S>;
  readonly sinks: CheckpointSinks;
  readonly savepoints: CheckpointSavepoints;
  readonly clock: Clock;
  readonly random: Random;
  readonly intervalMs: number;
  readonly tell: (news: CheckpointNews) => void;
}

/** What of a manifest is known between two turns; the sinks' states come when they have staged. */
export type Snapshot = Omit<
  Manifest,
  'checkpoint' | 'attempt' | 'lineage' | 'state' | 'sinks' | 'retiring' | 'createdAtMs'
>;

interface Storing {
  /** Does what is to be stored. Doing it again does no harm. */
  readonly store: () => Promise<void>;
  /** Tries that were not answered yet. */
  unanswered: number;
  /** Told the outcome of a try: undefined when it is stored. */
  answered: (outcome: SluiceError | undefined) => void;
}

/** What sinks say of a later run. */
const codesOfLater: ReadonlySet<string> = new Set(['fenced', 'lake-taken-over']);
const storeSilent = (): SluiceError =>
  new SluiceError('checkpoint-timeout', 'the store of the checkpoints did not answer');

/**
 * The pause before the next checkpoint is at least so many times what a completed one kept the
 * events waiting.
 */
const pauseFactor = 9;
const retry = { baseMs: checkpointRetryBaseMs, maxMs: checkpointRetryMaxMs };

export class JobCheckpoints<S = unknown> {
  readonly #options: JobCheckpointsOptions<S>;
  readonly #run: Pick<Manifest, 'attempt' | 'lineage'>;
  #number: number;
  #completed: { readonly id: number; readonly completedAtMs: number };
  /** Failed tries since the last completed one. */
  #inARow = 0;
  #told = false;
  #nextAtMs: number;
  #fenceAtMs: number;
  /** The checkpoint that is in progress, once its sinks have staged. */
  #settling: Promise<void> | undefined;
  /** Old manifests are deleted beside the next checkpoint. */
  #pruning: Promise<void> | undefined;
  #toPrune = false;
  /** What ended it: the run ends of that. */
  #fault: { readonly thrown: unknown } | undefined;
  #isTrying = false;
  /** The run was told to stop, and the time for its last tries is over. */
  #isOver = false;
  #overTimer: Timer | undefined;
  /** What waits for a pause to pass, or for an answer. */
  #stopWaiting: (() => void) | undefined;

  constructor(options: JobCheckpointsOptions<S>, fence: Manifest) {
    this.#options = options;
    const { attempt, lineage } = fence;
    this.#run = lineage === undefined ? { attempt } : { attempt, lineage };
    this.#number = fence.checkpoint;
    this.#completed = { id: fence.checkpoint, completedAtMs: fence.createdAtMs };
    this.#nextAtMs = options.clock.monotonic() + options.intervalMs;
    this.#fenceAtMs = options.clock.monotonic() + fenceCheckMs;
    // Runs that failed before their first checkpoint have left their fences.
    void options.store.pruneFences(checkpointsKept).catch(() => undefined);
  }

  get completed(): { readonly id: number; readonly completedAtMs: number } {
    return this.#completed;
  }

  /** Whether the next one may be taken now. Throws what ended the last one. */
  get isDue(): boolean {
    if (this.#fault !== undefined) throw this.#fault.thrown;
    return this.#settling === undefined && this.#options.clock.monotonic() >= this.#nextAtMs;
  }

  /** The next is due as soon as the one in progress is over. */
  soon(): void {
    this.#nextAtMs = this.#options.clock.monotonic();
  }

  /** In place of a checkpoint that would have nothing new. */
  pass(): void {
    const nowMs = this.#options.clock.monotonic();
    this.#nextAtMs = nowMs + this.#options.intervalMs;
    if (nowMs < this.#fenceAtMs) return;
    this.#fenceAtMs = nowMs + fenceCheckMs;
    void this.#fenced().then((fenced) => {
      if (fenced !== undefined) this.#fault ??= { thrown: fenced };
    });
  }

  /**
   * Takes one, of the moment between two turns; resolves when its sinks have staged, and with
   * whether they have: a state without text is tried again later. Rejects on what ends the run.
   * `kept`: for a savepoint, so all output becomes visible with it.
   */
  async take(snapshot: Snapshot, last: boolean, kept = false): Promise<boolean> {
    const { clock, sinks, tables, intervalMs } = this.#options;
    const begunAtMs = clock.monotonic();
    const number = this.#number + 1;
    let states: readonly string[];
    let sealed: S | undefined;
    try {
      states = encodeStates(snapshot.operators);
      sealed = last ? undefined : tables.seal();
    } catch (thrown) {
      const fault = asFault(thrown);
      const againInMs = this.#pauseMs();
      this.#failed(number, fault, last ? null : againInMs);
      if (last) throw fault;
      this.#nextAtMs = clock.monotonic() + againInMs;
      return false;
    }
    const prepared = await this.#ofSinks(number, 'stage', sinks.prepare(number, last || kept));
    const manifest = {
      ...snapshot,
      checkpoint: number,
      ...this.#run,
      ...prepared,
      createdAtMs: clock.now(),
    };
    this.#number = number;
    this.#settling = this.#settle(manifest, states, sealed, kept)
      .catch((thrown: unknown) => {
        this.#fault ??= { thrown };
      })
      .finally(() => {
        this.#settling = undefined;
      });
    // A large state takes long to write: checkpoints come less often then, so that most of the time
    // goes into events.
    const tookMs = clock.monotonic() - begunAtMs;
    this.#nextAtMs = Math.max(begunAtMs + intervalMs, clock.monotonic() + tookMs * pauseFactor);
    return true;
  }

  /**
   * Resolves when none is in progress, and nothing is deleted. Rejects with what ended the last
   * one.
   */
  async settled(): Promise<void> {
    await this.#settling;
    if (this.#fault !== undefined) throw this.#fault.thrown;
    await this.#pruning;
  }

  /**
   * The run is told to stop: a manifest that cannot be stored is tried at once, and for so long
   * only.
   */
  hurry(): void {
    if (this.#overTimer !== undefined) return;
    this.#overTimer = this.#options.clock.setTimer(checkpointLastMaxMs, () => this.close());
    if (!this.#isTrying) this.#stopWaiting?.();
  }

  close(): void {
    this.#isOver = true;
    this.#overTimer?.cancel();
    this.#stopWaiting?.();
  }

  /** Why a run ends of `thrown`: when another one has taken over, that is why. */
  async causeOf(thrown: unknown): Promise<unknown> {
    if (!(thrown instanceof SluiceError) || isFenced(thrown)) return thrown;
    return (await this.#fenced()) ?? thrown;
  }

  /**
   * Whether `thrown` says that a later run was met, which the checkpoints do not know: nobody else
   * runs, and they are an older copy.
   */
  async isBehind(thrown: unknown): Promise<boolean> {
    if (!(thrown instanceof SluiceError) || !codesOfLater.has(thrown.code)) return false;
    const { store, clock } = this.#options;
    const looked = store.checkFence(this.#run).then(() => true);
    return within(clock, fenceAnswerMaxMs, looked, storeSilent).catch(() => false);
  }

  /** `fenced` when another run has taken over; undefined also when that cannot be found out now. */
  async #fenced(): Promise<SluiceError | undefined> {
    const { store, clock } = this.#options;
    const looked = store.checkFence(this.#run);
    try {
      await within(clock, fenceAnswerMaxMs, looked, storeSilent);
      return undefined;
    } catch (thrown) {
      return isFenced(thrown) ? thrown : undefined;
    }
  }

  /** `sealed`: undefined of the last one. */
  async #settle(
    withoutState: Omit<Manifest, 'state'>,
    heads: readonly string[],
    sealed: S | undefined,
    kept: boolean,
  ): Promise<void> {
    const { checkpoint } = withoutState;
    const { store, tables, sinks, savepoints } = this.#options;
    const persist = (what: () => Promise<void>): Promise<void> => this.#persist(checkpoint, what);
    const state = sealed === undefined ? tables.none : await tables.write(sealed, persist);
    const manifest = { ...withoutState, state };
    const bytes = encodeManifestWith(manifest, heads);
    await persist(() => store.create({ checkpoint, ...this.#run }, bytes));
    tables.stored(manifest);
    await this.#ofSinks(checkpoint, 'commit', sinks.commit(checkpoint, sealed === undefined));
    this.#completed = { id: checkpoint, completedAtMs: this.#options.clock.now() };
    if (this.#inARow > 0) this.soon();
    if (this.#inARow > 0 || !this.#told)
      this.#options.tell({ kind: 'checkpoint-completed', checkpoint });
    this.#inARow = 0;
    this.#told = true;
    if (kept) savepoints.completed(bytes);
    tables.tidy();
    this.#toPrune = true;
    this.#pruning ??= this.#prune().finally(() => {
      this.#pruning = undefined;
    });
  }

  /** Stores a manifest or a file, however often that fails, until the run is over. */
  async #persist(checkpoint: number, store: () => Promise<void>): Promise<void> {
    const storing: Storing = { store, unanswered: 0, answered: () => undefined };
    for (;;) {
      const fault = await this.#try(storing);
      if (fault === undefined) return;
      if (isFenced(fault)) throw fault;
      const againInMs = this.#pauseMs();
      this.#failed(checkpoint, fault, this.#isOver ? null : againInMs);
      if (!this.#isOver) await this.#pause(againInMs);
      if (this.#isOver) throw fault;
    }
  }

  /**
   * A new try, unless as many as may be are still without an answer: whichever is answered first
   * says what became of it.
   */
  #try(storing: Storing): Promise<SluiceError | undefined> {
    const { clock } = this.#options;
    return new Promise((resolve) => {
      const late = (): void => storing.answered(storeUnanswered(limits.checkpointTryMaxMs));
      const timer = clock.setTimer(limits.checkpointTryMaxMs, late);
      storing.answered = (outcome) => {
        timer.cancel();
        this.#isTrying = false;
        this.#stopWaiting = undefined;
        resolve(outcome);
      };
      this.#isTrying = true;
      this.#stopWaiting = late;
      if (storing.unanswered >= checkpointTriesInFlightMax) return;
      storing.unanswered++;
      void storing
        .store()
        .then(() => undefined, asFault)
        .then((outcome) => {
          storing.unanswered--;
          storing.answered(outcome);
        });
    });
  }

  async #ofSinks<T>(checkpoint: number, what: 'stage' | 'commit', work: Promise<T>): Promise<T> {
    const minutes = limits.checkpointSinksMaxMs / 60_000;
    const late = (): SluiceError =>
      new SluiceError(
        'checkpoint-timeout',
        `the sinks did not ${what} checkpoint ${checkpoint} within ${minutes} min`,
        {
          retryable: true,
        },
      );
    try {
      return await within(this.#options.clock, limits.checkpointSinksMaxMs, work, late);
    } catch (thrown) {
      // A defect is nobody's failed checkpoint.
      if (thrown instanceof SluiceError && !isFenced(thrown))
        this.#failed(checkpoint, thrown, null);
      throw thrown;
    }
  }

  #failed(checkpoint: number, fault: SluiceError, againInMs: number | null): void {
    this.#inARow++;
    const failure = failureOf(fault, { checkpoint, atMs: this.#options.clock.now(), againInMs });
    this.#options.tell({ kind: 'checkpoint-failed', failure });
  }

  #pauseMs(): number {
    return checkpointRetryBaseMs + backoffMs(this.#inARow, retry, this.#options.random);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#options.clock.setTimer(ms, () => this.#stopWaiting?.());
      this.#stopWaiting = () => {
        timer.cancel();
        this.#stopWaiting = undefined;
        resolve();
      };
    });
  }

  /** Those that cannot be deleted now are met by the next. */
  async #prune(): Promise<void> {
    const { store, tables, savepoints } = this.#options;
    while (this.#toPrune && !savepoints.isCopying) {
      this.#toPrune = false;
      await store
        .prune(checkpointsKept)
        .then((kept) => tables.kept(kept))
        .catch(() => undefined);
    }
  }
}

function isFenced(thrown: unknown): thrown is SluiceError {
  return thrown instanceof SluiceError && thrown.code === 'fenced';
}

export function storeUnanswered(ms: number): SluiceError {
  const message = `the store of the checkpoints did not answer within ${ms / 1_000} s`;
  return new SluiceError('checkpoint-timeout', message, { retryable: true });
}

function asFault(thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  return new SluiceError('checkpoint-failed', messageOf(thrown), { cause: thrown });
}

/**
 * Which splits a job's sources have: listed when it begins, again now and then, and whenever one of
 * them ends or fails permanently.
 *
 * Invariants:
 * 1. A split that the stream does not list any more has ended. One that is listed holds its place.
 * 2. What is lost with a split that went is found when the splits are listed, once.
 * 3. At most one listing runs in the background. It is retried after an operational fault; a defect
 *    ends the job.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import { limits } from '../../schemas/limits.ts';
import type { LossRecord } from '../checkpoint/losses.ts';
import type { Cursor, SourceInput } from './cursor.ts';
import { unskipped } from './cursor.ts';
import { readToOf } from './cursor-heard.ts';
import { goneLosses } from './losses.ts';
import type { SplitChange } from './split-changes.ts';
import { changesOf, mergeSplits } from './split-changes.ts';
import { inTime, isOperational, retryPauseMs } from './stream-answers.ts';

export interface ListingOptions {
  readonly clock: Clock;
  readonly lose: (losses: readonly LossRecord[]) => void;
  /** There may be something to read. */
  readonly wake: () => void;
  /** What ends the job. */
  readonly fail: (thrown: unknown) => void;
}

export class SplitListing {
  readonly #inputs: readonly SourceInput[];
  readonly #options: ListingOptions;
  #cursors: readonly Cursor[] = [];
  /** The names of all splits that were ever listed, by input. */
  readonly #seen: readonly Set<string>[];
  /** Of splits that were listed once and are not any more: how far they were read. */
  readonly #left = new Map<string, string | undefined>();
  #inFlight: Promise<void> | undefined;
  #dueMs = 0;
  #isDraining = false;

  constructor(inputs: readonly SourceInput[], options: ListingOptions) {
    this.#inputs = inputs;
    this.#options = options;
    this.#seen = inputs.map(() => new Set<string>());
  }

  get cursors(): readonly Cursor[] {
    return this.#cursors;
  }

  get isDue(): boolean {
    return !this.#isDraining && this.#options.clock.monotonic() >= this.#dueMs;
  }

  /** The listing that is in flight in the background. */
  get inFlight(): Promise<void> | undefined {
    return this.#inFlight;
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Splits that are found from now on have nothing to read. */
  startDrain(): void {
    this.#isDraining = true;
  }

  /** They are listed again as soon as somebody looks. */
  soon(): void {
    this.#dueMs = 0;
  }

  changes(): readonly SplitChange[] {
    return changesOf(this.#cursors, this.#isDraining);
  }

  /** Rejects when the splits of an input cannot be listed. */
  async list(): Promise<void> {
    const { clock, lose, wake } = this.#options;
    this.#dueMs = clock.monotonic() + limits.splitDiscoveryMs;
    const endedBefore = new Set(this.#cursors.filter(({ ended }) => ended));
    const listed = await Promise.all(
      this.#inputs.map(({ reader }) => inTime(clock, reader.splits(), 'did not list its splits')),
    );
    const facts = {
      cursors: this.#cursors,
      readToOf: (cursor: Cursor) => readToOf(cursor, clock.now(), clock.monotonic()),
      atMs: clock.now(),
    };
    for (const [index, input] of this.#inputs.entries()) {
      const own = listed[index] ?? [];
      const seen = this.#seen[index] ?? new Set();
      lose(goneLosses({ ...facts, input, listed: own, seen }));
      for (const { id } of own) seen.add(id);
    }
    this.#cursors = this.#inputs.flatMap((input, index) =>
      mergeSplits(input, listed[index] ?? [], this.#cursors, this.#left, this.#until),
    );
    for (const cursor of endedBefore) cursor.childrenKnown = true;
    wake();
  }

  /** In the background; what can be asked again is, and a stream that is gone may come back. */
  again(): Promise<void> {
    this.#inFlight ??= this.list()
      .catch((thrown: unknown) => {
        if (isOperational(thrown)) this.#dueMs = this.#options.clock.monotonic() + retryPauseMs;
        else this.#options.fail(thrown);
      })
      .finally(() => {
        this.#inFlight = undefined;
      });
    return this.#inFlight;
  }

  /** Reads a split that was skipped as a whole again, from where it was. */
  unskip(cursor: Cursor): void {
    const input = this.#inputs.find(
      ({ source, reader }) => source === cursor.source && reader === cursor.reader,
    );
    if (input === undefined) return;
    this.#cursors = this.#cursors.map((other) =>
      other === cursor ? unskipped(cursor, input, this.#until) : other,
    );
  }

  /** Where the reading of a split that is found now ends. */
  get #until(): Cursor['until'] {
    return this.#isDraining ? null : undefined;
  }
}

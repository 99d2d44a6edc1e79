/**
 * The sources of a job: which split is read next, and how far the job has read. Which splits there
 * are is split-listing.ts's, a read and what it fails of split-reads.ts's.
 *
 * Invariants:
 * 1. A position counts as read once its record is in a turn; what was read ahead is not in any
 *    checkpoint. What is not a record is passed between two turns.
 * 2. Memory is bounded by the splits and the bounds of a turn (split-reads.ts, invariant 1).
 * 3. Splits with records take turns; a split without is asked again after a pause.
 * 4. A split is read once all its parents were read to their ends (split-changes.ts).
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import { limits } from '../../schemas/limits.ts';
import type { ReadBounds, ReadFrom } from '../../schemas/ports/record-reader.ts';
import type { LossRecord } from '../checkpoint/losses.ts';
import type { Cursor, SourceInput } from './cursor.ts';
import { isRead, skipTo, untilEnd, withinDrain } from './cursor.ts';
import type { ScheduleOptions, SourceSchedule, TakenRecords } from './source-schedule.ts';
import type { SplitChange } from './split-changes.ts';
import { SplitListing } from './split-listing.ts';
import type { SplitCut } from './split-reads.ts';
import { SplitReads } from './split-reads.ts';
import type { SplitStart } from './start-from.ts';
import { inTime, persistently } from './stream-answers.ts';

/** Lists the splits of all inputs. Rejects when one cannot be listed. */
export async function scheduleSources(
  inputs: readonly SourceInput[],
  bounds: ReadBounds,
  clock: Clock,
  options: ScheduleOptions = {},
): Promise<SourceSchedule> {
  const schedule = new Schedule(inputs, bounds, clock, options);
  await schedule.open();
  return schedule;
}

class Schedule implements SourceSchedule {
  readonly #clock: Clock;
  readonly #listing: SplitListing;
  readonly #reads: SplitReads;
  readonly #losses: LossRecord[] = [];
  readonly #starts: SplitStart[] = [];
  /** Splits that lost their ends: they continue behind these positions. */
  readonly #cuts: SplitCut[] = [];
  /** The split whose turn it is next. */
  #turn = 0;
  #fault: { readonly thrown: unknown } | undefined;
  #isStopped = false;
  #isHeld = false;
  #isInterrupted = false;
  #hasPassed = false;
  /** Ends the pause in which `next` waits. */
  #notify: (() => void) | undefined;

  constructor(
    inputs: readonly SourceInput[],
    bounds: ReadBounds,
    clock: Clock,
    { from, topology = 'TOPOLOGY' }: ScheduleOptions,
  ) {
    this.#clock = clock;
    const wake = (): void => this.#notify?.();
    const fail = (thrown: unknown): void => {
      this.#fault ??= { thrown };
      wake();
    };
    const lose = (losses: readonly LossRecord[]): void => void this.#losses.push(...losses);
    const start = (begun: SplitStart): void => void this.#starts.push(begun);
    const cut = (lost: SplitCut): void => void this.#cuts.push(lost);
    const listing = new SplitListing(inputs, { clock, lose, wake, fail });
    this.#listing = listing;
    this.#reads = new SplitReads({
      ...{ bounds, clock, from, topology, listing },
      ...{ lose, start, cut, wake, fail },
    });
  }

  async open(): Promise<void> {
    await this.#listing.list();
    await this.#reads.begin();
  }

  get cursors(): readonly Cursor[] {
    return this.#listing.cursors;
  }

  async next(waitMs: number): Promise<TakenRecords | undefined> {
    const deadlineMs = this.#clock.monotonic() + waitMs;
    for (;;) {
      if (this.#fault !== undefined) throw this.#fault.thrown;
      const taken = this.#isHeld ? undefined : this.#take();
      if (taken !== undefined) return taken;
      if (this.#listing.isDue) void this.#listing.again();
      for (const cursor of this.cursors) this.#prefetch(cursor);
      const leftMs = deadlineMs - this.#clock.monotonic();
      if (leftMs <= 0 || this.#isStopped || this.#isInterrupted) {
        this.#isInterrupted = false;
        return undefined;
      }
      await this.#pause(Math.min(leftMs, limits.sourcePollMs));
    }
  }

  hasPassed(): boolean {
    const passed = this.#hasPassed;
    this.#hasPassed = false;
    return passed;
  }

  changes(): readonly SplitChange[] {
    for (const { cursor, to } of this.#cuts.splice(0)) {
      skipTo(cursor, to, this.#clock.monotonic());
      if (cursor.until !== undefined && cursor.until !== untilEnd) cursor.until = to ?? null;
    }
    return this.#listing.changes();
  }

  hold(held: boolean): void {
    this.#isHeld = held;
  }

  losses(): readonly LossRecord[] {
    return this.#losses.splice(0);
  }

  starts(): readonly SplitStart[] {
    return this.#starts.splice(0);
  }

  skip(cursor: Cursor, to: string | 'whole' | undefined, begin?: ReadFrom): void {
    skipTo(cursor, to, this.#clock.monotonic());
    cursor.from = begin;
  }

  unskip(cursor: Cursor): void {
    this.#listing.unskip(cursor);
  }

  interrupt(): void {
    this.#isInterrupted = true;
    this.#notify?.();
  }

  stop(): void {
    this.#isStopped = true;
    this.#notify?.();
  }

  async drain(): Promise<void> {
    const list = (): Promise<void> => this.#listing.list();
    const isStopped = (): boolean => this.#isStopped;
    await this.#listing.inFlight;
    await persistently(this.#clock, isStopped, list);
    this.#listing.startDrain();
    const ends = await persistently(this.#clock, isStopped, () =>
      this.#endsNow().catch(async (thrown: unknown) => {
        // One of them may be gone by now.
        await list().catch(() => undefined);
        throw thrown;
      }),
    );
    for (const { cursor, until } of ends) cursor.until = until;
    this.interrupt();
  }

  drained(): boolean {
    return this.cursors.every((cursor) => isRead(cursor));
  }

  /** Where each split ends now. One that is skipped meanwhile is no longer asked. */
  #endsNow(): Promise<readonly { readonly cursor: Cursor; readonly until: string | null }[]> {
    return Promise.all(
      this.cursors
        .filter(({ phase, skipped, ended }) => phase !== 'done' && !skipped && !ended)
        .map(async (cursor) => {
          const latest = await inTime(
            this.#clock,
            cursor.reader.latest(cursor.split),
            'did not report its newest position',
          );
          return { cursor, until: latest === null ? untilEnd : (latest ?? null) };
        }),
    );
  }

  #take(): TakenRecords | undefined {
    const { cursors } = this;
    for (let i = 0; i < cursors.length; i++) {
      const cursor = cursors[(this.#turn + i) % cursors.length] as Cursor;
      this.#pass(cursor);
      const { ready } = cursor;
      if (ready === undefined) continue;
      this.#turn = (this.#turn + i + 1) % cursors.length;
      cursor.ready = undefined;
      cursor.heardMs = cursor.readyHeardMs ?? cursor.heardMs;
      const records = withinDrain(cursor, ready.records);
      // Read past where the drain ends: what is not there before that is not a record.
      if (records.length < ready.records.length) cursor.passed = cursor.until ?? undefined;
      if (records.length === 0) this.#pass(cursor);
      else {
        this.#prefetch(cursor);
        return { cursor, records };
      }
    }
    return undefined;
  }

  /** Between two turns: what was taken has entered. */
  #pass(cursor: Cursor): void {
    if (cursor.passed === undefined) return;
    cursor.position = cursor.passed;
    cursor.passed = undefined;
    this.#hasPassed = true;
  }

  #prefetch(cursor: Cursor): void {
    if (
      this.#isHeld ||
      cursor.phase !== 'begun' ||
      cursor.reading ||
      cursor.ready !== undefined ||
      cursor.ended ||
      isRead(cursor)
    )
      return;
    // What was passed becomes the position before anything after it is read.
    if (cursor.passed !== undefined || cursor.notBeforeMs > this.#clock.monotonic()) return;
    void this.#reads.read(cursor);
  }

  /** Until there may be something to read, at the longest for `ms`. */
  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(ms, resolve);
      this.#notify = () => {
        timer.cancel();
        resolve();
      };
    });
    this.#notify = undefined;
  }
}

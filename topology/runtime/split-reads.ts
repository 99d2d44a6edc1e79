/**
 * Reads splits ahead of the turns, one read at a time each, and decides what a failed read means.
 *
 * Invariants:
 * 1. Per split at most one read is in flight and one result waits.
 * 2. The result of a read is ignored if its split was skipped or restarted meanwhile.
 * 3. A split that is listed but cannot be read, for any reason, keeps its place and is retried; the
 *    others continue. A defect ends the job.
 * 4. Before a split counts as broken its stream is listed again: one that is gone looks the same.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { OldestKept, ReadBounds, ReadResult } from '../../schemas/ports/record-reader.ts';
import type { LossRecord } from '../checkpoint/losses.ts';
import { lossText } from '../checkpoint/losses.ts';
import type { Cursor } from './cursor.ts';
import { skipTo, untilEnd } from './cursor.ts';
import { noteBeginning, noteFailure, noteResult, readToOf } from './cursor-heard.ts';
import { beforeOldest, trimmedLoss, truncatedLoss, wayOn } from './losses.ts';
import type { SplitListing } from './split-listing.ts';
import type { SplitStart, StartFrom } from './start-from.ts';
import { inTime, isOperational, retryPauseMs } from './stream-answers.ts';

/**
 * Before something is asked again that fails permanently until somebody does something: damaged
 * bytes, a position that is no longer kept.
 */
const brokenPauseMs = 5_000;

/** A split that lost its end, and the last position that is left. */
export interface SplitCut {
  readonly cursor: Cursor;
  readonly to: string | undefined;
}

export interface ReadsOptions {
  readonly bounds: ReadBounds;
  readonly clock: Clock;
  /** Where splits begin that no checkpoint knows, or whose position is no longer kept. */
  readonly from: StartFrom | undefined;
  /** For what is said to a person. */
  readonly topology: string;
  readonly listing: SplitListing;
  readonly lose: (losses: readonly LossRecord[]) => void;
  /** A split was told where to begin: to be skipped to between two turns. */
  readonly start: (start: SplitStart) => void;
  /** A split lost its end: to be read on from there between two turns. */
  readonly cut: (cut: SplitCut) => void;
  readonly wake: () => void;
  readonly fail: (thrown: unknown) => void;
}

export class SplitReads {
  readonly #options: ReadsOptions;
  readonly #clock: Clock;

  constructor(options: ReadsOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  /** Splits that no checkpoint knows begin where they were told to. */
  async begin(): Promise<void> {
    const { from, listing } = this.#options;
    if (from === undefined || from === 'oldest') return;
    for (const cursor of listing.cursors) {
      if (cursor.position !== undefined || cursor.skipped || !cursor.isNew) continue;
      const at = await this.#inTime(
        cursor.reader.positionAt(cursor.split, from),
        'did not report where to begin',
      );
      if (at === null) cursor.from = from;
      else skipTo(cursor, at, this.#clock.monotonic());
    }
  }

  async read(cursor: Cursor): Promise<void> {
    cursor.reading = true;
    const own = ++cursor.reads;
    const { until, ahead: after } = cursor;
    const begunMs = this.#clock.monotonic();
    cursor.answeredMs ??= begunMs;
    try {
      const result = await this.#ask(cursor, after);
      if (cursor.reads !== own) return;
      if (after === undefined && result.begins !== undefined) noteBeginning(cursor, result.begins);
      noteResult(cursor, result, begunMs, this.#clock.monotonic());
      if (until === untilEnd && result.behindMs === 0) cursor.atEnd = true;
      if (result.ended) {
        cursor.ended = true;
        this.#options.listing.soon();
      }
    } catch (thrown) {
      if (isOperational(thrown)) await this.#failed(cursor, own, thrown);
      else this.#options.fail(thrown);
    } finally {
      if (cursor.reads === own) cursor.reading = false;
      this.#options.wake();
    }
  }

  #ask(cursor: Cursor, after: string | undefined): Promise<ReadResult> {
    const known = { readToMs: this.#readTo(cursor), from: cursor.from };
    return this.#inTime(
      cursor.reader.read(cursor.split, after, this.#options.bounds, known),
      'did not answer a read',
    );
  }

  /** It holds, and is asked again: what may pass soon, the rest less often. */
  async #failed(cursor: Cursor, read: number, thrown: unknown): Promise<void> {
    const { listing } = this.#options;
    const mayPass = thrown instanceof SluiceError && thrown.retryable;
    const code = thrown instanceof SluiceError ? thrown.code : 'read-failed';
    if (!mayPass && cursor.failureCode !== code) {
      await listing.inFlight;
      await listing.again();
    }
    if (cursor.reads !== read || cursor.ended) return;
    if (code === 'position-trimmed') return this.#trimmed(cursor, read, thrown);
    if (code === 'position-truncated') return this.#truncated(cursor, read, thrown);
    const fix = thrown instanceof SluiceError && thrown.fix !== undefined ? ` (${thrown.fix})` : '';
    const againMs = this.#clock.monotonic() + (mayPass ? retryPauseMs : brokenPauseMs);
    noteFailure(cursor, code, `${messageOf(thrown)}${fix}`, againMs);
  }

  /**
   * Retention took what comes next: it holds until somebody says where to continue, at the start or
   * by a skip.
   */
  async #trimmed(cursor: Cursor, read: number, thrown: unknown): Promise<void> {
    const { from, topology, lose, start } = this.#options;
    const oldest = await this.#inTime(
      cursor.reader.oldest(cursor.split),
      'did not report its oldest position',
    ).catch(() => undefined);
    if (cursor.reads !== read || cursor.ended) return;
    const loss = trimmedLoss(cursor, oldest, this.#readTo(cursor), this.#clock.now());
    lose([loss]);
    const to =
      from === undefined || !cursor.isFresh
        ? undefined
        : await this.#startOf(cursor, from, oldest).catch(() => undefined);
    if (cursor.reads !== read || cursor.ended) return;
    if (from !== undefined && to !== undefined) start({ cursor, from, to, why: messageOf(thrown) });
    const failure = `${messageOf(thrown)}: ${lossText(loss)} (${wayOn(topology, cursor.key)})`;
    noteFailure(cursor, 'position-trimmed', failure, this.#clock.monotonic() + brokenPauseMs);
  }

  /**
   * The split lost its end, with records that were read. What is left was read, and what comes has
   * the positions of those that went: it is read on from the end, unless the start said otherwise.
   */
  async #truncated(cursor: Cursor, read: number, thrown: unknown): Promise<void> {
    const { from, lose, start, cut } = this.#options;
    const latest = await this.#inTime(
      cursor.reader.latest(cursor.split),
      'did not report its newest position',
    ).catch(() => null);
    const begin = cursor.isFresh ? from : undefined;
    const to =
      begin === undefined
        ? latest
        : await this.#startOf(cursor, begin, undefined).catch(() => undefined);
    if (cursor.reads !== read || cursor.ended) return;
    const againMs = this.#clock.monotonic() + retryPauseMs;
    noteFailure(cursor, 'position-truncated', messageOf(thrown), againMs);
    if (latest === null || (begin !== undefined && to === undefined)) return;
    lose([truncatedLoss(cursor, latest, this.#readTo(cursor), this.#clock.now())]);
    if (begin === undefined) cut({ cursor, to: latest });
    else start({ cursor, from: begin, to: to ?? null, why: messageOf(thrown) });
  }

  /** The last position before where it begins; null where its stream begins there by itself. */
  async #startOf(
    cursor: Cursor,
    begin: StartFrom,
    oldest: OldestKept | undefined,
  ): Promise<string | null> {
    const at =
      begin === 'oldest'
        ? undefined
        : await this.#inTime(
            cursor.reader.positionAt(cursor.split, begin),
            'did not report where to begin',
          );
    return at === undefined ? beforeOldest(cursor, oldest) : at;
  }

  #readTo(cursor: Cursor): number | undefined {
    return readToOf(cursor, this.#clock.now(), this.#clock.monotonic());
  }

  #inTime<T>(answer: Promise<T>, what: string): Promise<T> {
    return inTime(this.#clock, answer, what);
  }
}

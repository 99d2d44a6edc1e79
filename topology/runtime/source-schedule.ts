/**
 * The interface between a job and its sources (source.ts): the next records, changes of splits, and
 * the progress of reading.
 *
 * Invariant: splits are changed between two turns only, by `skip` and `unskip`; what was taken has
 * entered by then.
 */
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { ReadFrom } from '../../schemas/ports/record-reader.ts';
import type { LossRecord } from '../checkpoint/losses.ts';
import type { Cursor } from './cursor.ts';
import type { SplitChange } from './split-changes.ts';
import type { SplitStart, StartFrom } from './start-from.ts';

/** The records of one turn. */
export interface TakenRecords {
  readonly cursor: Cursor;
  readonly records: readonly IncomingRecord[];
}

export interface SourceSchedule {
  readonly cursors: readonly Cursor[];
  /**
   * The next records, or undefined when `waitMs` passed or `stop` was called first. Rejects when a
   * split cannot be read on.
   */
  next(waitMs: number): Promise<TakenRecords | undefined>;
  /** Whether a position has gone past what is not a record since it was asked last. */
  hasPassed(): boolean;
  /**
   * Which splits began and ended since it was asked last. Asked between two turns, when what was
   * taken has entered; what lost its end is read on from there then.
   */
  changes(): readonly SplitChange[];
  /** While held, nothing is read or given. */
  hold(held: boolean): void;
  /**
   * Goes past what cannot be read: up to a position, to the oldest that is kept where there is
   * none, or to `begin`, or past the whole split. Between two turns.
   */
  skip(cursor: Cursor, to: string | 'whole' | undefined, begin?: ReadFrom): void;
  /** What was found to be lost since it was asked last. */
  losses(): readonly LossRecord[];
  /**
   * Splits whose position is no longer kept and that begin where they were told to: to be
   * skipped between two turns.
   */
  starts(): readonly SplitStart[];
  /** Reads a split that was skipped as a whole again, from where it was. */
  unskip(cursor: Cursor): void;
  /** Lets the waiting `next` return at once. */
  interrupt(): void;
  /**
   * Reads each split to where it ends now, and no further; waits for streams that do not answer.
   */
  drain(): Promise<void>;
  /** Whether everything is read that `drain` asked for. */
  drained(): boolean;
  stop(): void;
}

export interface ScheduleOptions {
  /**
   * Where splits begin that no checkpoint knows, and those whose position is found not to be kept
   * any more by their first read.
   */
  readonly from?: StartFrom | undefined;
  /** For what is said to a person. */
  readonly topology?: string;
}

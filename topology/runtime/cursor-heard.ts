/**
 * What is known of the end of a split: which read found it, until when everything that arrived was
 * read, and why the split is not known to be quiet. Pure, except for the cursor that it changes.
 *
 * Invariants:
 * 1. A split is heard by a read that asked the stream and found its end, from when that read began,
 *    once its records are in a turn.
 * 2. One that cannot be read, is slow, throttled or held is not heard.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { ReadResult } from '../../schemas/ports/record-reader.ts';
import { comparePositions } from '../../schemas/ports/record-reader.ts';
import type { SplitMark } from '../checkpoint/manifest.ts';
import type { Cursor } from './cursor.ts';

/**
 * Whether a read that gave this saw the end of its split. A stream that says how far behind a read
 * was is believed.
 */
function foundEnd({ records, behindMs, inconclusive }: ReadResult): boolean {
  return inconclusive !== true && (behindMs === undefined ? records.length === 0 : behindMs === 0);
}

/** What a read gave that began at `begunMs` and was answered at `nowMs`. */
export function noteResult(
  cursor: Cursor,
  result: ReadResult,
  begunMs: number,
  nowMs: number,
): void {
  const atEnd = foundEnd(result);
  cursor.failure = undefined;
  cursor.failureCode = undefined;
  cursor.waitsFor = result.waitsFor;
  cursor.behindMs = result.behindMs;
  if (result.inconclusive !== true) {
    cursor.answeredMs = nowMs;
    cursor.caughtUp = atEnd;
    cursor.isFresh = false;
  }
  if (result.records.length > 0) {
    cursor.ready = result;
    cursor.readyHeardMs = atEnd ? begunMs : undefined;
    cursor.ahead = result.records.at(-1)?.position;
    return;
  }
  if (atEnd) {
    cursor.heardMs = begunMs;
    cursor.met = true;
  }
  cursor.passed = result.reached;
  cursor.ahead = result.reached ?? cursor.ahead;
  // What is not a record is passed at once.
  if (result.reached === undefined || atEnd) cursor.notBeforeMs = nowMs + limits.sourcePollMs;
}

/** It is not asked again before `againMs`, monotonic. */
export function noteFailure(cursor: Cursor, code: string, failure: string, againMs: number): void {
  cursor.failure = failure;
  cursor.failureCode = code;
  cursor.caughtUp = false;
  cursor.notBeforeMs = againMs;
}

/**
 * Where a split of which nothing was read begins: when that is behind where it began, what was
 * between is gone. Throws `SluiceError` `position-trimmed`.
 */
export function noteBeginning(cursor: Cursor, at: string): void {
  cursor.begins ??= at;
  if (comparePositions(at, cursor.begins) > 0)
    throw new SluiceError(
      'position-trimmed',
      `nothing of it was read yet; it began at ${cursor.begins}`,
    );
}

/** Epoch ms: all that had arrived by then was read and is in a turn. */
export function readToOf(
  { heardMs, arrivedAtMs, restoredReadToMs }: Cursor,
  nowMs: number,
  monotonicMs: number,
): number | undefined {
  const heardAtMs = heardMs === undefined ? undefined : nowMs - (monotonicMs - heardMs);
  const known = [heardAtMs, arrivedAtMs, restoredReadToMs].filter((at) => at !== undefined);
  // A producer of Kafka may put any number into a record's time.
  return known.length === 0 ? undefined : Math.round(Math.min(nowMs, Math.max(...known)));
}

/** What a checkpoint keeps of a split beside its position. */
export function markOf(cursor: Cursor, nowMs: number, monotonicMs: number): SplitMark {
  const { ended, ready, skipped, begins, from, position } = cursor;
  const readToMs = readToOf(cursor, nowMs, monotonicMs);
  const fromMs = from === 'latest' ? (readToMs ?? nowMs) - limits.latestMarginMs : from;
  return {
    ...(readToMs === undefined ? {} : { readToMs }),
    ...(ended && ready === undefined && !skipped ? { ended: true as const } : {}),
    ...(begins === undefined || position !== undefined ? {} : { begins }),
    ...(fromMs === undefined || position !== undefined ? {} : { fromMs }),
  };
}

/**
 * Why a split is not known to be quiet, or that it is: `slow` is one whose answer is waited for, or
 * that throttles.
 */
export type Hearing = 'caught-up' | 'behind' | 'slow' | 'unreadable' | 'paused';

export function hearingOf(
  { failure, ready, answeredMs, caughtUp, ended, until, reader }: Cursor,
  held: boolean,
  monotonicMs: number,
): Hearing {
  if (failure !== undefined) return 'unreadable';
  if (held) return 'paused';
  const isAsked = ready === undefined && answeredMs !== undefined && !ended && until === undefined;
  if (isAsked && monotonicMs - answeredMs > (reader.slowMs ?? limits.readSlowMs)) return 'slow';
  return caughtUp ? 'caught-up' : 'behind';
}

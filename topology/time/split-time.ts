/**
 * The event time of one split: its latest event, whether it is quiet or idle, and how that is kept
 * in a snapshot. Pure, but for the time it is given.
 *
 * Invariants:
 * 1. A split is idle when it was heard to be quiet for longer than the timeout, and never before it
 *    was heard in this run.
 * 2. The time between two runs is not quiet: of a restored split only how long it had been quiet is
 *    known, until the clock is.
 */
import type { EncodedTime } from './time-bounds.ts';
import { decodeTime, encodeTime, maxTime, minTime } from './time-bounds.ts';

export interface SplitTime {
  maxTimestamp: number;
  /** A watermark that was given from outside, as by a test driver; the larger of both counts. */
  given: number;
  /**
   * Until when it was heard: infinite where nobody tells; the minimum before its end was seen in
   * this run.
   */
  heardMs: number;
  /** Whether an event came since the last tick. */
  touched: boolean;
  /** Time of the first tick without events, or undefined while there are some. */
  quietSinceMs: number | undefined;
  /**
   * After a restore, until the clock is known: for how long it had been quiet. The time between two
   * runs does not count.
   */
  quietForMs: number | undefined;
  idle: boolean;
}

export type SplitSnapshot = readonly [
  split: string,
  maxTimestamp: number | null,
  idle: boolean,
  given: EncodedTime,
  touched: boolean,
  quietForMs: number | null,
];

/** A split without an event yet; `given`: where its watermark begins. */
export function newSplitTime(given: number): SplitTime {
  return {
    maxTimestamp: minTime,
    given,
    heardMs: maxTime,
    touched: false,
    quietSinceMs: undefined,
    quietForMs: undefined,
    idle: false,
  };
}

/** Idle, and nobody says that it was not heard yet. */
export function isIdle({ idle, heardMs }: Readonly<SplitTime>): boolean {
  return idle && heardMs !== minTime;
}

/** At a tick: whether it fell idle, or had events and is quiet no more. 0: it is never idle. */
export function judgeIdle(time: SplitTime, nowMs: number, idleAfterMs: number): void {
  if (time.touched) {
    time.touched = false;
    time.quietSinceMs = undefined;
    time.idle = false;
    return;
  }
  if (idleAfterMs === 0 || time.idle) return;
  if (time.quietSinceMs === undefined) time.quietSinceMs = nowMs;
  else if (Math.min(nowMs, time.heardMs) - time.quietSinceMs > idleAfterMs) time.idle = true;
}

/** After a restore, once the clock is known. */
export function resumeQuiet(time: SplitTime, nowMs: number): void {
  if (time.quietForMs === undefined) return;
  time.quietSinceMs = nowMs - time.quietForMs;
  time.quietForMs = undefined;
}

export function encodeSplitTime(split: string, time: SplitTime, nowMs: number): SplitSnapshot {
  return [
    split,
    Number.isFinite(time.maxTimestamp) ? time.maxTimestamp : null,
    time.idle,
    encodeTime(time.given),
    time.touched,
    time.quietForMs ?? (time.quietSinceMs === undefined ? null : nowMs - time.quietSinceMs),
  ];
}

export function decodeSplitTime([
  ,
  maxTimestamp,
  idle,
  given,
  touched,
  quietForMs,
]: SplitSnapshot): SplitTime {
  return {
    ...newSplitTime(decodeTime(given)),
    maxTimestamp: maxTimestamp ?? minTime,
    touched,
    quietForMs: quietForMs ?? undefined,
    idle,
  };
}

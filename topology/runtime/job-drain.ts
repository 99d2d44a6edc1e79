/**
 * The progress of a drain. Pure.
 *
 * Invariants:
 * 1. The end of time passes through all operators once, and only when everything is read and
 *    nothing waits any longer.
 * 2. Once time has ended, the state before it is the last one to restore from until the drain is
 *    complete: no checkpoint is taken in between, and no clock advances, because its results would
 *    come after the end.
 */

/**
 * `no` drain was asked for; it is `reading` to where the streams end; time has `ended` and
 * operators still wait for answers; everything is emitted: `drained`.
 */
export type DrainPhase = 'no' | 'reading' | 'ended' | 'drained';

/** What a turn left to do. */
export interface DrainFacts {
  /** Whether every split is read to where the drain asks for. */
  readonly isRead: boolean;
  /** Rows that wait in operators. */
  readonly backlogRows: number;
}

/** The next phase: at most one further than `phase`. */
export function deriveDrain(phase: DrainPhase, { isRead, backlogRows }: DrainFacts): DrainPhase {
  if (backlogRows > 0) return phase;
  if (phase === 'reading') return isRead ? 'ended' : 'reading';
  return phase === 'ended' ? 'drained' : phase;
}

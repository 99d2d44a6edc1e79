/**
 * The health of checkpoints: which failed, why, how many in a row, and when that is an alarm. Pure.
 *
 * Invariants:
 * 1. A failure counts until a checkpoint completes: a restart alone fixes nothing.
 * 2. `checkpointAlarmFailures` in a row are an alarm.
 */
import type { OperationalCode } from '../../schemas/kernel/error-codes.ts';
import type { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';

/** Failures of checkpoints in a row that are an alarm. */
export const checkpointAlarmFailures = 3;

export interface CheckpointFailure {
  /** Its number; null where the run could not even begin one. */
  readonly checkpoint: number | null;
  readonly code: OperationalCode;
  readonly message: string;
  readonly fix: string | null;
  /** Epoch ms. */
  readonly atMs: number;
  /**
   * How long until it is tried again in the same run; null where the run ends, and the next one
   * resumes from the last checkpoint.
   */
  readonly againInMs: number | null;
}

export interface CheckpointHealth {
  /** Failed tries since the last completed checkpoint. */
  readonly inARow: number;
  /** Epoch ms of the first of them; null without one. */
  readonly sinceMs: number | null;
  /** Failed tries altogether. */
  readonly failures: number;
  /** The last of those in a row. */
  readonly last: CheckpointFailure | null;
  readonly alarm: boolean;
}

/**
 * Told once per change to whoever runs the job, so that a failure is known at once, and outlives
 * the run that had it.
 */
export type CheckpointNews =
  | { readonly kind: 'checkpoint-failed'; readonly failure: CheckpointFailure }
  /** The first completed checkpoint of a run, or the first after failed ones. */
  | { readonly kind: 'checkpoint-completed'; readonly checkpoint: number };

export const healthy: CheckpointHealth = {
  inARow: 0,
  sinceMs: null,
  failures: 0,
  last: null,
  alarm: false,
};

export function deriveHealth(before: CheckpointHealth, news: CheckpointNews): CheckpointHealth {
  if (news.kind === 'checkpoint-completed') return { ...healthy, failures: before.failures };
  const inARow = before.inARow + 1;
  return {
    inARow,
    sinceMs: before.sinceMs ?? news.failure.atMs,
    failures: before.failures + 1,
    last: news.failure,
    alarm: inARow >= checkpointAlarmFailures,
  };
}

export function failureOf(
  { code, message, fix }: Pick<SluiceError, 'code' | 'message' | 'fix'>,
  rest: Pick<CheckpointFailure, 'checkpoint' | 'atMs' | 'againInMs'>,
): CheckpointFailure {
  return { code, message: message.slice(0, limits.statusTextMaxChars), fix: fix ?? null, ...rest };
}

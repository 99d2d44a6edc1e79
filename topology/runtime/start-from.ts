/**
 * Where splits begin at a start if they cannot resume from a checkpoint: those that no checkpoint
 * knows, and those whose position is no longer kept.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { parseTime } from '../../schemas/kernel/time.ts';
import type { ReadFrom } from '../../schemas/ports/record-reader.ts';
import type { Cursor } from './cursor.ts';

/** A number: from what arrived then on, epoch ms. */
export type StartFrom = 'oldest' | ReadFrom;

/** A split whose position is no longer kept, and that was told where to begin. */
export interface SplitStart {
  readonly cursor: Cursor;
  readonly from: StartFrom;
  /** The last position that is left out; null where only its stream knows it. */
  readonly to: string | null;
  readonly why: string;
}

/** As a person writes it. Throws `SluiceError` `from-invalid`. */
export function startFromOf(text: string, nowMs: number): StartFrom {
  if (text === 'oldest' || text === 'latest') return text;
  const at = parseTime(text);
  if (typeof at !== 'number') {
    throw new SluiceError(
      'from-invalid',
      `invalid --from '${text}': expected oldest, latest, a time such as 2026-01-31T08:00:00Z, or savepoint:NAME`,
    );
  }
  if (at > nowMs)
    throw new SluiceError(
      'from-invalid',
      `invalid --from '${text}': expected a time that has passed`,
      { fix: 'use --from latest' },
    );
  return at;
}

export function startFromText(from: StartFrom): string {
  return typeof from === 'number' ? new Date(from).toISOString() : from;
}

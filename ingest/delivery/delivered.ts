/**
 * The outcome of an event that was passed to its stream's delivery. A value; the protocols turn it
 * into answers.
 */
import type { Route } from '../../schemas/ports/record.ts';
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { Refusal } from '../event/refusal.ts';

export type Delivered =
  /** The stream holds it. `failover`: on the other route than its size asks for. */
  | {
      readonly kind: 'replicated';
      readonly route: Route;
      readonly split: string;
      readonly position: string;
      readonly failover: boolean;
    }
  /** On this machine's disk. */
  | { readonly kind: 'spooled'; readonly route: Route }
  /** In memory only. */
  | { readonly kind: 'buffered'; readonly route: Route }
  | { readonly kind: 'not-delivered'; readonly refusal: Refusal };

const again = 'send it again, under the same id, after Retry-After';

/** What a write that put nothing into the stream for sure, or may have, means to the client. */
export function refusalOf(outcome: Exclude<WriteOutcome, { kind: 'applied' }>): Refusal {
  const { code, message } = outcome;
  if (outcome.kind === 'unknown')
    return { status: 503, code, message, expected: again, outcome: 'unknown' };
  return outcome.retryable
    ? { status: 503, code, message, expected: again }
    : { status: 400, code, message };
}

/**
 * An acknowledgement: what became of one event, as a message. Pure.
 */
import type { EventResult } from '../../event/answer.ts';
import { errorOf, takenMembers } from '../../event/answer.ts';
import { isRefusal } from '../../event/refusal.ts';

/** `ref`: the client's correlation id as JSON text; undefined when it sent none. */
export function answerFrame(ref: string | undefined, result: EventResult): string {
  const head = ref === undefined ? '{' : `{"ref":${ref},`;
  if (!isRefusal(result)) return `${head}${takenMembers(result)}}`;
  const retry =
    result.status === 503 || result.status === 429
      ? `,"retryAfter":${result.retryAfterSeconds ?? 1}`
      : '';
  return `${head}"status":${result.status}${retry},"error":${JSON.stringify(errorOf(result))}}`;
}

/**
 * The answer to a call of Segment's API. Pure.
 *
 * A client of theirs drops what gets a 4xx and sends a whole batch again after a 5xx or 429: so a
 * batch of which only some may come again is answered 503, the repeats of the others being met by
 * their ids; a batch of which some never will is answered 200, and says which.
 */
import type { Answer, EventResult } from '../../event/answer.ts';
import { answerRefusal, createTally, resultLine } from '../../event/answer.ts';
import type { Refusal } from '../../event/refusal.ts';
import { isRefusal } from '../../event/refusal.ts';

export function answerSegment(single: boolean, results: readonly EventResult[]): Answer {
  const [only] = results;
  if (single && only !== undefined && isRefusal(only)) return answerRefusal(only);
  const tally = createTally();
  let again: Refusal | undefined;
  const refused: string[] = [];
  for (const [index, result] of results.entries()) {
    tally.add(result);
    if (!isRefusal(result)) continue;
    refused.push(resultLine(index, result));
    if (result.status === 503 || result.status === 429) again ??= result;
  }
  if (again !== undefined) return answerRefusal(again);
  const { status, ack } = tally.answer();
  if (tally.accepted === 0)
    return {
      status: status === 409 ? 409 : 400,
      body: `{"success":false,"refused":[${refused.join(',')}]}`,
    };
  const told = refused.length === 0 ? '' : `,"refused":[${refused.join(',')}]`;
  return {
    status: status === 202 ? 202 : 200,
    body: `{"success":true${told}}`,
    ...(ack === undefined ? {} : { ack }),
  };
}

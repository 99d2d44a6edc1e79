/**
 * From events and outcomes to a status and a body. Pure.
 *
 * One event that is no batch: its own status. A batch: 200 when all are in; 207 when some are; when none is, 503 if trying again can help,
 * else 400.
 */
import type { Path } from '../../schemas/ports/record.ts';
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { Refusal } from './refusal.ts';
import { isRefusal } from './refusal.ts';

export interface AppliedEvent {
  readonly id: string;
  readonly route: Path;
  /** `split:position` */
  readonly position: string;
}

export type EventResult = AppliedEvent | Refusal;

export interface Answer {
  readonly status: 200 | 207 | Refusal['status'];
  readonly body: string;
}

/** What an outcome means to the client. */
export function resultOf(id: string, route: Path, outcome: WriteOutcome): EventResult {
  switch (outcome.kind) {
    case 'applied':
      return { id, route, position: `${outcome.split}:${outcome.position}` };
    case 'refused':
      return outcome.retryable
        ? { status: 503, code: outcome.code, message: outcome.message, expected: 'send it again, under the same id, after Retry-After' }
        : { status: 400, code: outcome.code, message: outcome.message };
    case 'unknown':
      return {
        status: 503,
        code: outcome.code,
        message: outcome.message,
        expected: 'send it again, under the same id, after Retry-After',
        outcome: 'unknown',
      };
  }
}

export function answerSingle(result: EventResult): Answer {
  if (isRefusal(result)) return answerRefusal(result);
  return {
    status: 200,
    body: `{"id":${JSON.stringify(result.id)},"route":"${result.route}","position":${JSON.stringify(result.position)}}`,
  };
}

export function answerRefusal(refusal: Refusal): Answer {
  return { status: refusal.status, body: JSON.stringify({ error: errorOf(refusal) }) };
}

export function answerBatch(results: readonly EventResult[]): Answer {
  let accepted = 0;
  let retryable = 0;
  const parts: string[] = [];
  for (const [index, result] of results.entries()) {
    if (isRefusal(result)) {
      if (result.status === 503) retryable++;
      parts.push(JSON.stringify({ index, status: result.status, error: errorOf(result) }));
    } else {
      accepted++;
      parts.push(
        `{"index":${index},"status":200,"id":${JSON.stringify(result.id)},"route":"${result.route}","position":${JSON.stringify(result.position)}}`,
      );
    }
  }
  const refused = results.length - accepted;
  const status = refused === 0 ? 200 : accepted > 0 ? 207 : retryable > 0 ? 503 : 400;
  return { status, body: `{"accepted":${accepted},"refused":${refused},"results":[${parts.join(',')}]}` };
}

function errorOf(refusal: Refusal): Omit<Refusal, 'status'> {
  const { status: _status, ...error } = refusal;
  return error;
}

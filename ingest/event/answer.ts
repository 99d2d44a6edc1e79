/**
 * From what became of events to a status and a body. Pure.
 *
 * One event that is not a batch: its own status. A batch: 200 when all are in the stream, 202 when
 * all are accepted and some only here; 207 when some are accepted; when none is, the status that
 * asks for most patience: 503, 429, else 409 when all are conflicts, else 400.
 */
import type { Ack } from '../../schemas/config.ts';
import { quoteJson } from '../../schemas/kernel/json-quote.ts';
import type { Route } from '../../schemas/ports/record.ts';
import type { Delivered } from '../delivery/delivered.ts';
import type { Refusal } from './refusal.ts';
import { isRefusal } from './refusal.ts';

export interface TakenEvent {
  readonly id: string;
  readonly route: Route;
  readonly ack: Ack;
  /** `split:position`; only what the stream holds has one. */
  readonly position?: string;
  /** It took the other route, because its own is down. */
  readonly failover?: true;
  /** Its identity was met before: this is what became of the first. */
  readonly repeated?: true;
}

export type EventResult = TakenEvent | Refusal;

export interface Answer {
  readonly status: 200 | 202 | 207 | Refusal['status'];
  readonly body: string | Uint8Array;
  /** Without: JSON. */
  readonly contentType?: string;
  /** The weakest durability among the accepted events. */
  readonly ack?: Ack;
  readonly retryAfterSeconds?: number;
}

export interface JsonAnswer extends Answer {
  readonly body: string;
}

/** What became of an event, for its client. */
export function resultOf(id: string, delivered: Delivered, repeated: boolean): EventResult {
  if (delivered.kind === 'not-delivered') return delivered.refusal;
  const { route } = delivered;
  const taken: { -readonly [P in keyof TakenEvent]: TakenEvent[P] } = {
    id,
    route,
    ack: delivered.kind,
  };
  if (delivered.kind === 'replicated') {
    taken.position = `${delivered.split}:${delivered.position}`;
    if (delivered.failover) taken.failover = true;
  }
  if (repeated) taken.repeated = true;
  return taken;
}

function answerSingle(result: EventResult): Answer {
  if (isRefusal(result)) return answerRefusal(result);
  return { status: statusOf(result), body: `{${membersOf(result)}}`, ack: result.ack };
}

export function answerRefusal(refusal: Refusal): JsonAnswer {
  const body = JSON.stringify({ error: errorOf(refusal) });
  const { status } = refusal;
  return status === 503 || status === 429
    ? { status, body, retryAfterSeconds: refusal.retryAfterSeconds ?? 1 }
    : { status, body };
}

/** The answer to a body whose events are all settled; `single`: one event that is not a batch. */
export function answerEvents(single: boolean, results: readonly EventResult[]): Answer {
  return single ? answerSingle(results[0] as EventResult) : answerBatch(results);
}

function answerBatch(results: readonly EventResult[]): Answer {
  const tally = createTally();
  const parts: string[] = [];
  for (const [index, result] of results.entries()) {
    tally.add(result);
    parts.push(resultLine(index, result));
  }
  return tally.answer(`,"results":[${parts.join(',')}]`);
}

/** One event's result as a JSON object, by its place in the request. */
export function resultLine(index: number, result: EventResult): string {
  if (isRefusal(result))
    return JSON.stringify({ index, status: result.status, error: errorOf(result) });
  return `{"index":${index},${takenMembers(result)}}`;
}

export interface Tally {
  add(result: EventResult): void;
  readonly accepted: number;
  readonly refused: number;
  /** The verdict over all; `more` is put behind its counts. */
  answer(more?: string): JsonAnswer;
}

export function createTally(): Tally {
  let accepted = 0;
  let refused = 0;
  let ack: Ack = 'replicated';
  let conflicts = 0;
  let patience: 400 | 429 | 503 = 400;
  let retryAfterSeconds = 1;
  return {
    add(result) {
      if (isRefusal(result)) {
        refused++;
        if (result.status === 409) conflicts++;
        if (result.status === 503 || (result.status === 429 && patience === 400))
          patience = result.status;
        retryAfterSeconds = Math.max(retryAfterSeconds, result.retryAfterSeconds ?? 1);
        return;
      }
      accepted++;
      if (result.ack === 'buffered' || ack === 'replicated') ack = result.ack;
    },
    get accepted() {
      return accepted;
    },
    get refused() {
      return refused;
    },
    answer(more = '') {
      const body = `{"accepted":${accepted},"refused":${refused}${more}}`;
      if (refused === 0) return { status: ack === 'replicated' ? 200 : 202, body, ack };
      if (accepted > 0)
        return { status: 207, body, ack, ...(patience === 400 ? {} : { retryAfterSeconds }) };
      if (conflicts > 0 && conflicts === refused) return { status: 409, body };
      return patience === 400
        ? { status: 400, body }
        : { status: patience, body, retryAfterSeconds };
    },
  };
}

export function errorOf(refusal: Refusal): Omit<Refusal, 'status' | 'retryAfterSeconds'> {
  const { status: _status, retryAfterSeconds: _seconds, ...error } = refusal;
  return error;
}

/** An accepted event's status and result, as members of a JSON object. */
export function takenMembers(taken: TakenEvent): string {
  return `"status":${statusOf(taken)},${membersOf(taken)}`;
}

export function statusOf(taken: TakenEvent): 200 | 202 {
  return taken.ack === 'replicated' ? 200 : 202;
}

function membersOf({ id, route, ack, position, failover, repeated }: TakenEvent): string {
  let members = `"id":${quoteJson(id)},"route":"${route}"`;
  if (position !== undefined) members += `,"position":${quoteJson(position)}`;
  if (ack !== 'replicated') members += `,"ack":"${ack}"`;
  if (failover === true) members += ',"failover":true';
  if (repeated === true) members += ',"repeated":true';
  return members;
}

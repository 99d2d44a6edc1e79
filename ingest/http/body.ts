/**
 * A request's body: collected within its bounds, inflated within another, its events handed to the
 * intake, and answered when all are settled.
 *
 * Invariant: durable first, answer second: a 2xx leaves only after every event it speaks of was
 * settled.
 */
import type { HttpResponse } from 'uWebSockets.js';
import type { IngressConfig } from '../../schemas/config.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { Answer, EventResult } from '../event/answer.ts';
import { withoutMark } from '../event/byte-order-mark.ts';
import type { AcceptedEvent } from '../event/given.ts';
import type { ReadBody } from '../event/read-body.ts';
import type { Refusal } from '../event/refusal.ts';
import { isRefusal } from '../event/refusal.ts';
import { decompress, encodingOf } from './decompress.ts';
import type { Exchange } from './exchange.ts';
import type { Admitted, Gate } from './gate.ts';
import { admitAgain, charge, refuseCharged } from './gate.ts';
import type { IncomingRequest } from './request.ts';
import { collectBody } from './request.ts';
import type { Turns } from './turns.ts';

export interface PostContext extends Gate {
  readonly bounds: IngressConfig;
  /** What addresses are digested with; empty where no stream asks for it. */
  readonly addressSecret: string;
  readonly random: Random;
  /** The texts of the served documents. */
  readonly documents: { readonly openapi: string; readonly asyncapi: string };
  readonly turns: Turns;
}

/**
 * Collects the body as it arrives, at most `maxBytes`; `done` gets it whole, of a request that is
 * still open. `protocol`: how it is counted.
 */
export function collect(
  context: PostContext,
  res: HttpResponse,
  exchange: Exchange,
  protocol: string,
  maxBytes: number,
  done: (body: Buffer) => void,
): void {
  // Many may have been let in before any of them had grown.
  const grown = (bytes: number): boolean => {
    exchange.arrivedBytes += bytes;
    const over = exchange.tryHold(bytes);
    if (over !== undefined) exchange.refuse(over, true);
    return exchange.isOpen;
  };
  exchange.isArriving = true;
  collectBody(res, exchange.head.contentLength, maxBytes, grown, (body) => {
    if (!exchange.isOpen) return;
    exchange.isArriving = false;
    exchange.bodyMs = exchange.now();
    if (body === 'too-large') return refuseCharged(context, exchange, bodyTooLarge(maxBytes), true);
    context.metrics.request(protocol, body.length);
    done(body);
  });
}

/**
 * What the body inflates to, at most `maxBytes`. Called once it is known who sends it, or in the
 * small room of those of whom it is not.
 */
export function inflate(
  context: PostContext,
  exchange: Exchange,
  body: Buffer,
  maxBytes: number,
  done: (decoded: Buffer) => void,
): void {
  const encoding = encodingOf(exchange.head.contentEncoding);
  if (encoding === 'identity') return done(withoutMark(body));
  if (typeof encoding !== 'string') return refuseCharged(context, exchange, encoding);
  // What would not fit if it were alone is too large; what does not fit beside others may come
  // again.
  const most = Math.min(maxBytes, exchange.roomBytes - body.length);
  const grown = (bytes: number): Refusal | undefined =>
    exchange.isOpen ? exchange.tryHold(bytes) : gone;
  context.turns.take(exchange.grant?.name ?? '', async () => {
    if (!exchange.isOpen) return;
    const decoded = await decompress(body, encoding, most, grown);
    if (!exchange.isOpen) return;
    if (isRefusal(decoded)) return refuseCharged(context, exchange, decoded);
    exchange.letGo(body.length);
    done(withoutMark(decoded));
  });
}

/**
 * Stops the inflating of a body that nobody waits for; never answered, as the client's leaving was
 * counted.
 */
const gone: Refusal = {
  status: 503,
  code: 'client-gone',
  message: 'the client closed the connection',
};

/**
 * Why a body of the announced length is not read. Said before anything that waiting could change:
 * it never fits.
 */
export function tooLong({ contentLength }: IncomingRequest, maxBytes: number): Refusal | undefined {
  return contentLength === undefined || contentLength <= maxBytes
    ? undefined
    : bodyTooLarge(maxBytes);
}

/** Hands what was found in a body to the intake, and answers once all of it is settled. */
export function settleAll(
  context: PostContext,
  exchange: Exchange,
  before: Admitted,
  body: Buffer,
  read: ReadBody | Refusal,
  answerOf: (single: boolean, results: readonly EventResult[]) => Answer,
): void {
  exchange.checkedMs = exchange.now();
  // The key of a body that came slowly may be gone meanwhile.
  const admitted = admitAgain(context, before, exchange.head.origin);
  if (isRefusal(admitted)) return exchange.refuse(admitted);
  if (isRefusal(read)) {
    context.warnings.note(
      admitted.stream.config.name,
      admitted.grant.name,
      read,
      body,
      context.clock.now(),
    );
    // A chunk that is longer than its size said ends a body too early: what is after it is no
    // request.
    return refuseCharged(context, exchange, read, exchange.head.contentLength === undefined);
  }
  const { single, events } = read;
  exchange.events = events.length;
  const over = charge(context, exchange, admitted, events.length);
  if (over !== undefined) return exchange.refuse(over);
  exchange.isTaken = true;
  const from = { stream: admitted.stream, keyName: admitted.grant.name };
  // What nearly every request carries.
  if (single)
    return context.intake.take(from, events[0] as AcceptedEvent | Refusal, body, (result) =>
      exchange.answer(answerOf(true, [result])),
    );
  const results: EventResult[] = [];
  let open = events.length;
  for (const [index, event] of events.entries()) {
    context.intake.take(from, event, body, (result) => {
      results[index] = result;
      if (--open === 0) exchange.answer(answerOf(single, results));
    });
  }
}

function bodyTooLarge(maxBytes: number): Refusal {
  return {
    status: 413,
    code: 'body-too-large',
    message: `the body has more than ${maxBytes} bytes`,
    expected: `at most ${maxBytes} bytes; events as lines (application/x-ndjson) may be any number`,
  };
}

/**
 * A request's body: collected within its bounds, inflated within another, its events handed to the intake, and answered when all are settled.
 *
 * Invariant: durable first, answer second: a 2xx leaves only after every event it speaks of was settled.
 */
import type { HttpResponse } from 'uWebSockets.js';
import type { IngressConfig } from '../../schemas/config.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { Answer, EventResult } from '../protocol/answer.ts';
import { withoutMark } from '../protocol/byte-order-mark.ts';
import type { ReadBody } from '../protocol/events.ts';
import type { Refusal } from '../protocol/refusal.ts';
import { isRefusal } from '../protocol/refusal.ts';
import type { Protocol } from '../telemetry/metrics.ts';
import { decompress, encodingOf } from './decompress.ts';
import type { Exchange } from './exchange.ts';
import type { Admitted, Gate } from './gate.ts';
import { charge } from './gate.ts';
import type { IncomingRequest } from './request.ts';
import { collectBody } from './request.ts';

export interface PostContext extends Gate {
  readonly bounds: IngressConfig;
  readonly random: Random;
}

/** Collects and inflates the body; `done` gets it whole, of a request that is still open. */
export function collect(
  { bounds, intake, metrics }: PostContext,
  res: HttpResponse,
  exchange: Exchange,
  protocol: Protocol,
  onWhole: () => void,
  done: (body: Buffer) => void,
): void {
  const { bodyMaxBytes, bodyDecodedMaxBytes, inFlightMaxBytes } = bounds;
  const encoding = encodingOf(exchange.head.contentEncoding);
  // Many may have been let in before any of them had grown.
  const hold = (bytes: number): Refusal | undefined => {
    const over = intake.overload(bytes);
    if (over === undefined) exchange.hold(bytes);
    return over;
  };
  const grown = (bytes: number): boolean => {
    const over = hold(bytes);
    if (over !== undefined) exchange.refuse(over, true);
    return exchange.isOpen;
  };
  collectBody(res, exchange.head.contentLength, bodyMaxBytes, grown, (body) => {
    if (!exchange.isOpen) return;
    exchange.bodyMs = exchange.now();
    if (body === 'too-large') {
      onWhole();
      return exchange.refuse(bodyTooLarge(bodyMaxBytes), true);
    }
    metrics.request(protocol, body.length);
    if (typeof encoding !== 'string' || encoding === 'identity') {
      onWhole();
      return typeof encoding === 'string' ? done(withoutMark(body)) : exchange.refuse(encoding);
    }
    // What would not fit if it were alone is too large; what does not fit beside others may come again.
    const most = Math.min(bodyDecodedMaxBytes, inFlightMaxBytes - body.length);
    void decompress(body, encoding, most, (bytes) => (exchange.isOpen ? hold(bytes) : gone)).then((decoded) => {
      if (!exchange.isOpen) return;
      onWhole();
      if (isRefusal(decoded)) exchange.refuse(decoded);
      else done(withoutMark(decoded));
    });
  });
}

/** Stops the inflating of a body that nobody waits for; never answered, as the client's leaving was counted. */
const gone: Refusal = { status: 503, code: 'client-gone', message: 'the client has gone' };

/** Why a body of the announced length is not read. Said before anything that waiting could change: it never fits. */
export function tooLong({ contentLength }: IncomingRequest, { bodyMaxBytes }: IngressConfig): Refusal | undefined {
  return contentLength === undefined || contentLength <= bodyMaxBytes ? undefined : bodyTooLarge(bodyMaxBytes);
}

/** Hands what was found in a body to the intake, and answers once all of it is settled. */
export function settleAll(
  context: PostContext,
  exchange: Exchange,
  admitted: Admitted,
  body: Buffer,
  read: ReadBody | Refusal,
  answerOf: (single: boolean, results: readonly EventResult[]) => Answer,
): void {
  exchange.checkedMs = exchange.now();
  if (isRefusal(read)) {
    context.warnings.note(admitted.stream.config.name, admitted.grant.name, read, body, context.clock.now());
    return exchange.refuse(read);
  }
  const { single, events } = read;
  exchange.events = events.length;
  const over = charge(context, exchange, admitted, events.length);
  if (over !== undefined) return exchange.refuse(over);
  const from = { stream: admitted.stream, keyName: admitted.grant.name };
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

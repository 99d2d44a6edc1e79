/**
 * Requests whose body is collected whole: check it, find its events, hand them to the intake, answer when all are settled.
 *
 * Invariants:
 * 1. Durable first, answer second: a 2xx leaves only after every event it speaks of was settled.
 * 2. Nothing of a body that did not arrive whole is written. A long NDJSON body is the exception, and says so (ndjson.ts).
 */
import type { HttpResponse } from 'uWebSockets.js';
import type { IngressConfig } from '../../schemas/config.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { Answer, EventResult } from '../protocol/answer.ts';
import { answerBatch, answerSingle } from '../protocol/answer.ts';
import type { ReadBody } from '../protocol/events.ts';
import { bodyKindOf, readEvents } from '../protocol/events.ts';
import type { Refusal } from '../protocol/refusal.ts';
import { isRefusal } from '../protocol/refusal.ts';
import type { Protocol } from '../telemetry/metrics.ts';
import { decompress, encodingOf } from './decompress.ts';
import { Exchange } from './exchange.ts';
import type { Admitted, Gate } from './gate.ts';
import { admit, charge, identify, refuseEarly } from './gate.ts';
import { requestHeadOf } from './head.ts';
import { streamLines } from './ndjson.ts';
import type { IncomingRequest } from './request.ts';
import { collectBody } from './request.ts';

export interface PostContext extends Gate {
  readonly bounds: IngressConfig;
  readonly random: Random;
}

/** `POST /v1/{team}/{app}` */
export function onPost(context: PostContext, res: HttpResponse, head: IncomingRequest, name: string): void {
  const { bounds, metrics } = context;
  let whole = false;
  const exchange = new Exchange(res, head, context, () => {
    // A client that leaves before its body was whole has sent no event; later its events are settled without it.
    if (!whole) metrics.refused(context.intake.streams.has(name) ? name : undefined, 'client-gone');
  });
  const kind = bodyKindOf(head.contentType, head.ce);
  const early =
    kind === 'ndjson'
      ? refuseEarly(context, exchange, Math.min(head.contentLength ?? 0, limits.ndjsonCollectedMaxBytes))
      : (tooLong(head, bounds) ?? refuseEarly(context, exchange));
  if (early !== undefined) return exchange.refuse(early, true);
  const identified = identify(context, head);
  const admitted =
    identified instanceof Promise
      ? identified.then((grant) => admit(context, exchange, grant, name))
      : admit(context, exchange, identified, name);
  if (!(admitted instanceof Promise) && isRefusal(admitted)) return exchange.refuse(admitted, true);
  if (kind === 'ndjson')
    return streamLines(context, res, exchange, admitted, () => {
      whole = true;
    });
  collect(
    context,
    res,
    exchange,
    'http',
    () => {
      whole = true;
    },
    (body) => {
      if (!(admitted instanceof Promise)) return accept(context, exchange, admitted as Admitted, body);
      void admitted.then((late) => (isRefusal(late) ? exchange.refuse(late) : accept(context, exchange, late, body)));
    },
  );
}

/** Why a body of the announced length is not read. Said before anything that waiting could change: it never fits. */
export function tooLong({ contentLength }: IncomingRequest, { bodyMaxBytes }: IngressConfig): Refusal | undefined {
  return contentLength === undefined || contentLength <= bodyMaxBytes ? undefined : bodyTooLarge(bodyMaxBytes);
}

/** Collects and inflates the body; `done` gets it whole, of a request that is still open. */
export function collect(
  { bounds, metrics }: PostContext,
  res: HttpResponse,
  exchange: Exchange,
  protocol: Protocol,
  onWhole: () => void,
  done: (body: Buffer) => void,
): void {
  const { bodyMaxBytes, bodyDecodedMaxBytes, inFlightMaxBytes } = bounds;
  const encoding = encodingOf(exchange.head.contentEncoding);
  collectBody(
    res,
    exchange.head.contentLength,
    bodyMaxBytes,
    (bytes) => exchange.hold(bytes),
    (body) => {
      if (!exchange.isOpen) return;
      onWhole();
      exchange.bodyMs = exchange.now();
      if (body === 'too-large') return exchange.refuse(bodyTooLarge(bodyMaxBytes), true);
      metrics.request(protocol, body.length);
      if (typeof encoding !== 'string') return exchange.refuse(encoding);
      if (encoding === 'identity') return done(body);
      void decompress(body, encoding, Math.min(bodyDecodedMaxBytes, inFlightMaxBytes)).then((decoded) => {
        if (isRefusal(decoded)) return exchange.refuse(decoded);
        if (!exchange.isOpen) return metrics.refused(exchange.stream, 'client-gone');
        exchange.hold(decoded.length);
        done(decoded);
      });
    },
  );
}

/** The body is whole and its sender known. */
function accept(context: PostContext, exchange: Exchange, admitted: Admitted, body: Buffer): void {
  const { head } = exchange;
  const request = { contentType: head.contentType, ce: head.ce, head: requestHeadOf(head, exchange.receivedAtMs, context.random) };
  settleAll(context, exchange, admitted, body, readEvents(body, request, admitted.stream.config, context.newId), (single, results) =>
    single ? answerSingle(results[0] as EventResult) : answerBatch(results),
  );
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

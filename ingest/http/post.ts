/**
 * Requests whose body is collected whole: check it, find its events, hand them to the intake, answer when all are settled.
 *
 * Invariants:
 * 1. Durable first, answer second: a 2xx leaves only after every event it speaks of was settled.
 * 2. Nothing of a body that did not arrive whole is written. A long NDJSON body is the exception, and says so (ndjson.ts).
 */
import type { HttpResponse } from 'uWebSockets.js';
import { limits } from '../../schemas/limits.ts';
import type { EventResult } from '../protocol/answer.ts';
import { answerBatch, answerSingle } from '../protocol/answer.ts';
import { readEvents } from '../protocol/events.ts';
import { bodyKindOf } from '../protocol/media-type.ts';
import { isRefusal } from '../protocol/refusal.ts';
import type { PostContext } from './body.ts';
import { collect, settleAll, tooLong } from './body.ts';
import { Exchange } from './exchange.ts';
import type { Admitted } from './gate.ts';
import { admit, admitAgain, identify, refuseEarly, refuseUnasked } from './gate.ts';
import { requestHeadOf } from './head.ts';
import { streamLines } from './ndjson.ts';
import type { IncomingRequest } from './request.ts';

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
  if (early !== undefined) return refuseUnasked(context, exchange, early);
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

/** The body is whole and its sender known: but a slow body's key may be gone meanwhile. */
function accept(context: PostContext, exchange: Exchange, before: Admitted, body: Buffer): void {
  const { head } = exchange;
  const admitted = admitAgain(context, before, head.origin);
  if (isRefusal(admitted)) return exchange.refuse(admitted);
  const request = { contentType: head.contentType, ce: head.ce, head: requestHeadOf(head, exchange.receivedAtMs, context.random) };
  settleAll(context, exchange, admitted, body, readEvents(body, request, admitted.stream.config, context.newId), (single, results) =>
    single ? answerSingle(results[0] as EventResult) : answerBatch(results),
  );
}

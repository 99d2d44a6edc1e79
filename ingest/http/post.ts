/**
 * Requests whose body is collected whole: check it, find its events, hand them to the intake,
 * answer when all are settled.
 *
 * Invariants:
 * 1. Durable first, answer second: a 2xx leaves only after every event it speaks of was settled.
 * 2. Nothing of a body that did not arrive whole is written. A long NDJSON body is the exception,
 *    and says so (ndjson.ts).
 */
import type { HttpResponse } from 'uWebSockets.js';
import { limits } from '../../schemas/limits.ts';
import type { EventResult } from '../protocol/answer.ts';
import { answerBatch, answerSingle } from '../protocol/answer.ts';
import { clientContextOf } from '../protocol/client-context.ts';
import { readEvents } from '../protocol/events.ts';
import { bodyKindOf } from '../protocol/media-type.ts';
import type { Refusal } from '../protocol/refusal.ts';
import { isRefusal } from '../protocol/refusal.ts';
import type { PostContext } from './body.ts';
import { collect, inflate, settleAll, tooLong } from './body.ts';
import { Exchange } from './exchange.ts';
import type { Admitted } from './gate.ts';
import { identify, letIn, refuseAtHead, refuseEarly, refuseUnasked, waitOutside } from './gate.ts';
import { requestHeadOf } from './head.ts';
import { streamLines } from './ndjson.ts';
import type { IncomingRequest } from './request.ts';

/** `POST /v1/{team}/{app}` */
export function onPost(
  context: PostContext,
  res: HttpResponse,
  head: IncomingRequest,
  name: string,
): void {
  const { bounds, metrics } = context;
  const exchange: Exchange = new Exchange(res, head, context, () => {
    // A client that leaves before its events were found has sent none; later they are settled
    // without it.
    if (!exchange.isTaken)
      metrics.refused(context.intake.streams.has(name) ? name : undefined, 'client-gone');
  });
  const kind = bodyKindOf(head.contentType, head.ce);
  const announced = head.contentLength ?? 0;
  const bytes = kind === 'ndjson' ? Math.min(announced, limits.ndjsonCollectedMaxBytes) : announced;
  const early =
    (kind === 'ndjson' ? undefined : tooLong(head, bounds.bodyMaxBytes)) ??
    refuseEarly(context, exchange, bytes);
  if (early !== undefined) return refuseUnasked(context, exchange, early);
  const admitted = letInOrLater(context, exchange, name, bytes);
  if (!(admitted instanceof Promise) && isRefusal(admitted))
    return refuseAtHead(exchange, admitted);
  if (kind === 'ndjson') return streamLines(context, res, exchange, admitted);
  collect(context, res, exchange, 'http', bounds.bodyMaxBytes, (body) => {
    if (!(admitted instanceof Promise)) return inflateFor(context, exchange, admitted, body);
    void admitted.then((late) => {
      if (!isRefusal(late) && exchange.isOpen) inflateFor(context, exchange, late, body);
    });
  });
}

/**
 * Who it is and whether it may send. While a token is verified its body is not read: what has
 * arrived of it is held in the small room of those of whom it is not known who they are. One that
 * turns out not to be let in is refused at once.
 */
function letInOrLater(
  context: PostContext,
  exchange: Exchange,
  name: string,
  bytes: number,
): Admitted | Refusal | Promise<Admitted | Refusal> {
  const identified = identify(context, exchange.head);
  if (!(identified instanceof Promise)) return letIn(context, exchange, identified, name, bytes);
  const full = waitOutside(context, exchange, 0);
  if (full !== undefined) return full;
  exchange.pause();
  return identified.then((grant) => {
    const late = letIn(context, exchange, grant, name, bytes);
    if (isRefusal(late)) exchange.refuse(late, true);
    else exchange.resume();
    return late;
  });
}

/** The body is whole and its sender known. */
function inflateFor(
  context: PostContext,
  exchange: Exchange,
  admitted: Admitted,
  body: Buffer,
): void {
  inflate(context, exchange, body, context.bounds.bodyDecodedMaxBytes, (decoded) =>
    accept(context, exchange, admitted, decoded),
  );
}

/** The body is as its sender made it. */
function accept(context: PostContext, exchange: Exchange, admitted: Admitted, body: Buffer): void {
  const { head } = exchange;
  const client = clientContextOf(admitted.stream.config.context, head, context.addressSecret);
  const requestHead = requestHeadOf(head, exchange.receivedAtMs, context.random, client);
  const request = { contentType: head.contentType, ce: head.ce, head: requestHead };
  settleAll(
    context,
    exchange,
    admitted,
    body,
    readEvents(body, request, admitted.stream.config, context.newId),
    (single, results) => (single ? answerSingle(results[0] as EventResult) : answerBatch(results)),
  );
}

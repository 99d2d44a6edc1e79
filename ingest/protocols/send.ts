/**
 * `POST /v1/{team}/{app}`: a body of any protocol that has one. It is collected whole, its events
 * are found and handed to the intake; it is answered when all are settled.
 *
 * Invariants:
 * 1. Durable first, answer second: a 2xx leaves only after every event it speaks of was settled.
 * 2. Nothing of a body that did not arrive whole is written. A protocol whose bodies may be of any
 *    length is the exception, and says so (ndjson/stream.ts).
 */
import type { HttpResponse } from 'uWebSockets.js';
import { answerEvents } from '../event/answer.ts';
import { clientContextOf } from '../event/client-context.ts';
import type { Refusal } from '../event/refusal.ts';
import { isRefusal } from '../event/refusal.ts';
import type { PostContext } from '../http/body.ts';
import { collect, inflate, settleAll, tooLong } from '../http/body.ts';
import { Exchange } from '../http/exchange.ts';
import type { Admitted } from '../http/gate.ts';
import {
  identify,
  letIn,
  refuseAtHead,
  refuseEarly,
  refuseUnasked,
  waitOutside,
} from '../http/gate.ts';
import { requestHeadOf } from '../http/head.ts';
import type { IncomingRequest } from '../http/request.ts';
import { matchBody } from './list.ts';
import type { BodyProtocol } from './protocol.ts';

/** `POST /v1/{team}/{app}` */
export function onSend(
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
  const protocol = matchBody(head.contentType, head.ce);
  const stream = isRefusal(protocol) ? undefined : protocol.stream;
  const announced = head.contentLength ?? 0;
  const bytes = stream === undefined ? announced : Math.min(announced, stream.collectedMaxBytes);
  const early =
    (stream === undefined ? tooLong(head, bounds.bodyMaxBytes) : undefined) ??
    refuseEarly(context, exchange, bytes);
  if (early !== undefined) return refuseUnasked(context, exchange, early);
  const admitted = letInOrLater(context, exchange, name, bytes);
  if (!(admitted instanceof Promise) && isRefusal(admitted))
    return refuseAtHead(exchange, admitted);
  if (stream !== undefined) return stream.take(context, res, exchange, admitted);
  collect(context, res, exchange, 'http', bounds.bodyMaxBytes, (body) => {
    if (!(admitted instanceof Promise))
      return inflateFor(context, exchange, admitted, protocol, body);
    void admitted.then((late) => {
      if (!isRefusal(late) && exchange.isOpen) inflateFor(context, exchange, late, protocol, body);
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
  protocol: BodyProtocol | Refusal,
  body: Buffer,
): void {
  inflate(context, exchange, body, context.bounds.bodyDecodedMaxBytes, (decoded) =>
    accept(context, exchange, admitted, protocol, decoded),
  );
}

/** The body is as its sender made it. */
function accept(
  context: PostContext,
  exchange: Exchange,
  admitted: Admitted,
  protocol: BodyProtocol | Refusal,
  body: Buffer,
): void {
  if (isRefusal(protocol))
    return settleAll(context, exchange, admitted, body, protocol, answerEvents);
  const { head } = exchange;
  const { config } = admitted.stream;
  const client = clientContextOf(config.context, head, context.addressSecret);
  const requestHead = requestHeadOf(head, exchange.receivedAtMs, context.random, client);
  const request = { contentType: head.contentType, ce: head.ce, head: requestHead };
  const read = protocol.read(body, request, config, context.newId);
  settleAll(context, exchange, admitted, body, read, protocol.answer);
}

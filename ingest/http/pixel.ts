/**
 * `GET /v1/{team}/{app}/pixel.gif`: an event in a query, for where no script runs. The answer is an
 * image of one transparent pixel once the event is where its stream's ack says; a refusal is a
 * status and JSON, as everywhere.
 */
import type { HttpResponse } from 'uWebSockets.js';
import type { Grant } from '../access/grant.ts';
import { answerRefusal } from '../protocol/answer.ts';
import { clientContextOf } from '../protocol/client-context.ts';
import { readPixel } from '../protocol/pixel.ts';
import type { Refusal } from '../protocol/refusal.ts';
import { isRefusal } from '../protocol/refusal.ts';
import type { PostContext } from './body.ts';
import { Exchange } from './exchange.ts';
import { admit, charge, identify, refuseEarly, refuseUnasked } from './gate.ts';
import { requestHeadOf } from './head.ts';
import type { IncomingRequest } from './request.ts';
import { afterItsSegment } from './request.ts';

/** GIF89a, 1 x 1, transparent. */
const pixel = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');

export function onPixel(
  context: PostContext,
  res: HttpResponse,
  head: IncomingRequest,
  name: string,
): void {
  const exchange = new Exchange(res, head, context, () => undefined);
  const early = refuseEarly(context, exchange);
  if (early !== undefined) return refuseUnasked(context, exchange, early);
  context.metrics.request('pixel', head.query.length);
  afterItsSegment(() => {
    if (exchange.isOpen)
      void Promise.resolve(identify(context, head)).then((grant) =>
        take(context, exchange, grant, name),
      );
  });
}

function take(
  context: PostContext,
  exchange: Exchange,
  grant: Grant | Refusal,
  name: string,
): void {
  const { head } = exchange;
  const admitted = admit(context, exchange, grant, name);
  if (isRefusal(admitted)) return exchange.refuse(admitted);
  const client = clientContextOf(admitted.stream.config.context, head, context.addressSecret);
  const requestHead = requestHeadOf(head, exchange.receivedAtMs, context.random, client);
  const read = readPixel(head.query, admitted.stream.config, requestHead, context.newId);
  const { body, event } = isRefusal(read) ? { body: Buffer.from(head.query), event: read } : read;
  const over = charge(context, exchange, admitted, 1);
  if (over !== undefined) return exchange.refuse(over);
  exchange.events = 1;
  context.intake.take(
    { stream: admitted.stream, keyName: admitted.grant.name },
    event,
    body,
    (result) => {
      if (isRefusal(result)) exchange.answer(answerRefusal(result));
      else exchange.answerBytes(result.ack, 'image/gif', pixel);
    },
  );
}

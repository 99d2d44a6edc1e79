/**
 * `GET /v1/{team}/{app}/pixel.gif`: an event in a query, for where no script runs. The answer is an
 * image of one transparent pixel once the event is where its stream's ack says; a refusal is a
 * status and JSON, as everywhere.
 */
import type { HttpResponse } from 'uWebSockets.js';
import type { Grant } from '../../access/grant.ts';
import { textPattern } from '../../documents/attributes.ts';
import {
  answerHeaders,
  headFaults,
  parameter,
  queryText,
  refusals,
  streamParameters,
  timeText,
} from '../../documents/parts.ts';
import type { Answer, EventResult } from '../../event/answer.ts';
import { answerRefusal, statusOf } from '../../event/answer.ts';
import { clientContextOf } from '../../event/client-context.ts';
import type { Refusal } from '../../event/refusal.ts';
import { isRefusal } from '../../event/refusal.ts';
import type { PostContext } from '../../http/body.ts';
import { Exchange } from '../../http/exchange.ts';
import { admit, charge, identify, refuseEarly, refuseUnasked } from '../../http/gate.ts';
import { requestHeadOf } from '../../http/head.ts';
import type { IncomingRequest } from '../../http/request.ts';
import { afterItsSegment, streamNameOf } from '../../http/request.ts';
import type { EndpointProtocol } from '../protocol.ts';
import { readPixel } from './read.ts';

/** GIF89a, 1 x 1, transparent. */
const image = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');

function answerPixel(result: EventResult): Answer {
  if (isRefusal(result)) return answerRefusal(result);
  return { status: statusOf(result), body: image, contentType: 'image/gif', ack: result.ack };
}

function onPixel(
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
      const answer = answerPixel(result);
      if (answer.contentType !== undefined)
        exchange.extraHeaders = `Cache-Control: no-store\r\n${exchange.extraHeaders}`;
      exchange.answer(answer);
    },
  );
}

export const pixel = {
  kind: 'endpoint',
  name: 'pixel',
  summary: 'An event in a query, answered by an image of one pixel.',
  match: [{ path: '/v1/:team/:app/pixel.gif', carriesEvents: true }],
  read: readPixel,
  answer: answerPixel,
  serve: (context) => ({
    get: (res, req, head) => onPixel(context, res, head, streamNameOf(req)),
  }),
  limits: {},
  conformance: ['protocols.yaml', 'paths.yaml'],
  documentation: {
    paths: {
      '/v1/{team}/{app}/pixel.gif': {
        parameters: streamParameters,
        get: {
          operationId: 'pixel',
          summary: 'Send an event in the query',
          parameters: [
            ...Object.entries({
              id: queryText,
              type: queryText,
              time: timeText,
              partitionkey: { type: 'string', pattern: textPattern },
            }).map(([name, schema]) => parameter(name, 'query', `The event's ${name}`, schema)),
            {
              name: 'data',
              in: 'query',
              description: 'The data, as JSON; without it the other parameters are the data',
              content: { 'application/json': { schema: {} } },
            },
          ],
          responses: {
            '200': {
              description: 'In the stream',
              headers: answerHeaders,
              content: { 'image/gif': {} },
            },
            '202': {
              description: 'Accepted, and only on this machine yet',
              headers: answerHeaders,
              content: { 'image/gif': {} },
            },
            ...refusals(...headFaults, '401', '403', '404', '409', '413', '429', '503'),
          },
        },
      },
    },
  },
} satisfies EndpointProtocol;

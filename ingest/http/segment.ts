/**
 * The Segment tracking API
 * (https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/): its clients
 * need no change but the host. The write key is a key of ours; it names the stream.
 *
 * A client of theirs drops what gets a 4xx and sends a whole batch again after a 5xx or 429: so a
 * batch of which only some may come again is answered 503, the repeats of the others being met by
 * their ids; a batch of which some never will is answered 200, and says which.
 */
import type { HttpResponse } from 'uWebSockets.js';
import { limits } from '../../schemas/limits.ts';
import type { Grant } from '../access/grant.ts';
import type { Answer, EventResult } from '../protocol/answer.ts';
import { answerRefusal, createTally, resultLine } from '../protocol/answer.ts';
import { clientContextOf } from '../protocol/client-context.ts';
import type { Refusal } from '../protocol/refusal.ts';
import { isRefusal } from '../protocol/refusal.ts';
import type { SegmentCall } from '../protocol/segment.ts';
import { readSegment, segmentWriteKey } from '../protocol/segment.ts';
import type { PostContext } from './body.ts';
import { collect, inflate, settleAll, tooLong } from './body.ts';
import { Exchange } from './exchange.ts';
import type { Admitted } from './gate.ts';
import { identify, letIn, refuseAtHead, refuseEarly, refuseUnasked, waitOutside } from './gate.ts';
import { requestHeadOf } from './head.ts';
import type { IncomingRequest } from './request.ts';

export function onSegment(
  context: PostContext,
  res: HttpResponse,
  head: IncomingRequest,
  call: SegmentCall,
): void {
  const { bounds, metrics } = context;
  const exchange: Exchange = new Exchange(res, head, context, () => {
    if (!exchange.isTaken) metrics.refused(undefined, 'client-gone');
  });
  const early = tooLong(head, bounds.bodyMaxBytes) ?? refuseEarly(context, exchange);
  if (early !== undefined) return refuseUnasked(context, exchange, early);
  const take = (admitted: Admitted, body: Buffer): void => {
    const client = clientContextOf(admitted.stream.config.context, head, context.addressSecret);
    const requestHead = requestHeadOf(head, exchange.receivedAtMs, context.random, client);
    settleAll(
      context,
      exchange,
      admitted,
      body,
      readSegment(body, call, admitted.stream.config, requestHead, context.newId),
      answerOf,
    );
  };
  const identified = identify(context, head);
  const given = head.authorization !== '' || head.apiKey !== '' || head.queryKey !== '';
  if (identified instanceof Promise || (isRefusal(identified) && !given))
    return onStranger(context, res, exchange, identified, take);
  const admitted = letInSegment(context, exchange, identified, head.contentLength ?? 0);
  if (isRefusal(admitted)) return refuseAtHead(exchange, admitted);
  collect(context, res, exchange, 'segment', bounds.bodyMaxBytes, (body) =>
    inflate(context, exchange, body, bounds.bodyDecodedMaxBytes, (decoded) =>
      take(admitted, decoded),
    ),
  );
}

/**
 * A request that does not say in its head who sends it, as a browser's does, or whose token has to
 * be verified. Its body has the bounds of Segment's API, as it arrives and inflated, and little
 * time; it is held in a small room of its own.
 */
function onStranger(
  context: PostContext,
  res: HttpResponse,
  exchange: Exchange,
  pending: Refusal | Promise<Grant | Refusal>,
  take: (admitted: Admitted, body: Buffer) => void,
): void {
  const { head } = exchange;
  const most = Math.min(limits.strangerBodyMaxBytes, context.bounds.bodyMaxBytes);
  const full = tooLong(head, most) ?? waitOutside(context, exchange, head.contentLength ?? 0);
  if (full !== undefined) return refuseUnasked(context, exchange, full);
  const known = (
    identified: Grant | Refusal | Promise<Grant | Refusal>,
    then: (admitted: Admitted) => void,
  ): void => {
    void Promise.resolve(identified).then((grant) => {
      const admitted = letInSegment(context, exchange, grant, 0);
      if (isRefusal(admitted)) exchange.refuse(admitted);
      else if (exchange.isOpen) then(admitted);
    });
  };
  collect(context, res, exchange, 'segment', most, (body) => {
    if (isRefusal(pending)) {
      return inflate(context, exchange, body, most, (decoded) =>
        known(identify(context, head, segmentWriteKey(decoded) ?? ''), (admitted) =>
          take(admitted, decoded),
        ),
      );
    }
    known(pending, (admitted) =>
      inflate(context, exchange, body, context.bounds.bodyDecodedMaxBytes, (decoded) =>
        take(admitted, decoded),
      ),
    );
  });
}

/** Into the stream that the key names; what is wrong with that is the configuration's fault. */
function letInSegment(
  context: PostContext,
  exchange: Exchange,
  grant: Grant | Refusal,
  bytes: number,
): Admitted | Refusal {
  const admitted = letIn(context, exchange, grant, streamOf(grant), bytes);
  if (isRefusal(grant) || !isRefusal(admitted)) return admitted;
  return admitted.status === 403 || admitted.status === 404 ? noStream(grant.name) : admitted;
}

function streamOf(grant: Grant | Refusal): string {
  return isRefusal(grant) ? '' : (grant.segmentStream ?? '');
}

export function noStream(name: string): Refusal {
  return {
    status: 404,
    code: 'segment-stream-unknown',
    message: `the key '${name}' names no stream for Segment's events`,
    expected:
      'segment_stream of the key or issuer (of ingress, without keys) in the configuration, or a key of a single stream',
  };
}

function answerOf(single: boolean, results: readonly EventResult[]): Answer {
  const [only] = results;
  if (single && only !== undefined && isRefusal(only)) return answerRefusal(only);
  const tally = createTally();
  let again: Refusal | undefined;
  const refused: string[] = [];
  for (const [index, result] of results.entries()) {
    tally.add(result);
    if (!isRefusal(result)) continue;
    refused.push(resultLine(index, result));
    if (result.status === 503 || result.status === 429) again ??= result;
  }
  if (again !== undefined) return answerRefusal(again);
  const { status, ack } = tally.answer();
  if (tally.accepted === 0)
    return {
      status: status === 409 ? 409 : 400,
      body: `{"success":false,"refused":[${refused.join(',')}]}`,
    };
  const told = refused.length === 0 ? '' : `,"refused":[${refused.join(',')}]`;
  return {
    status: status === 202 ? 202 : 200,
    body: `{"success":true${told}}`,
    ...(ack === undefined ? {} : { ack }),
  };
}

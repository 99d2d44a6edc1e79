/**
 * How a request of Segment's API is taken: who sends it may stand in its head, be a token that has
 * to be verified, or stand in its body.
 */
import type { HttpResponse } from 'uWebSockets.js';
import { limits } from '../../../schemas/limits.ts';
import type { Grant } from '../../access/grant.ts';
import { clientContextOf } from '../../event/client-context.ts';
import type { Refusal } from '../../event/refusal.ts';
import { isRefusal } from '../../event/refusal.ts';
import type { PostContext } from '../../http/body.ts';
import { collect, inflate, settleAll, tooLong } from '../../http/body.ts';
import { Exchange } from '../../http/exchange.ts';
import type { Admitted } from '../../http/gate.ts';
import {
  identify,
  letIn,
  refuseAtHead,
  refuseEarly,
  refuseUnasked,
  waitOutside,
} from '../../http/gate.ts';
import { requestHeadOf } from '../../http/head.ts';
import type { IncomingRequest } from '../../http/request.ts';
import { answerSegment } from './answer.ts';
import type { SegmentCall } from './read.ts';
import { readSegment, segmentWriteKey } from './read.ts';

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
      answerSegment,
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
    message: `the key '${name}' has no stream for Segment's events`,
    expected:
      'segment_stream of the key or issuer (of ingress, without keys) in the configuration, or a key of a single stream',
  };
}

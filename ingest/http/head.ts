/**
 * From a request's head to what its events take over from it.
 */
import type { Random } from '../../schemas/kernel/random.ts';
import type { RequestHead } from '../protocol/attributes.ts';
import { isTraceparent } from '../protocol/attributes.ts';
import type { IncomingRequest } from './request.ts';

const traceBytes = Buffer.alloc(24);

export function requestHeadOf(
  head: Pick<IncomingRequest, 'eventId' | 'eventType' | 'eventTime' | 'partitionKey' | 'traceparent'>,
  receivedAtMs: number,
  random: Random,
): RequestHead {
  const { eventId, eventType, eventTime, partitionKey, traceparent } = head;
  return {
    receivedtime: new Date(receivedAtMs).toISOString(),
    traceparent: isTraceparent(traceparent) ? traceparent : newTraceparent(random),
    ...(eventId === '' ? {} : { id: eventId }),
    ...(eventType === '' ? {} : { type: eventType }),
    ...(eventTime === '' ? {} : { time: eventTime }),
    ...(partitionKey === '' ? {} : { key: partitionKey }),
  };
}

/** W3C trace context, sampled: https://www.w3.org/TR/trace-context/#traceparent-header */
function newTraceparent(random: Random): string {
  random.fill(traceBytes);
  traceBytes[0] = (traceBytes[0] ?? 0) | 1;
  traceBytes[16] = (traceBytes[16] ?? 0) | 1;
  return `00-${traceBytes.toString('hex', 0, 16)}-${traceBytes.toString('hex', 16, 24)}-01`;
}

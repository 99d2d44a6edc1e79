/**
 * From a request's head to what its events take over from it.
 */
import type { Random } from '../../schemas/kernel/random.ts';
import type { ClientContext } from '../event/client-context.ts';
import type { RequestHead } from '../event/given.ts';
import { readTraceparent } from '../event/traceparent.ts';
import type { IncomingRequest } from './request.ts';

const traceBytes = Buffer.alloc(24);

export function requestHeadOf(
  head: Pick<
    IncomingRequest,
    'eventId' | 'eventType' | 'eventTime' | 'partitionKey' | 'traceparent'
  >,
  receivedAtMs: number,
  random: Random,
  client?: ClientContext,
): RequestHead {
  const { eventId, eventType, eventTime, partitionKey, traceparent } = head;
  const found: { -readonly [P in keyof RequestHead]: RequestHead[P] } = {
    receivedtime: isoTime(receivedAtMs),
    traceparent: readTraceparent(traceparent) ?? newTraceparent(random),
  };
  if (eventId !== '') found.id = eventId;
  if (eventType !== '') found.type = eventType;
  if (eventTime !== '') found.time = eventTime;
  if (partitionKey !== '') found.key = partitionKey;
  if (client !== undefined) found.context = client;
  return found;
}

let isoMs = Number.NaN;
let isoText = '';

/** RFC 3339 in UTC. Many requests arrive within a millisecond; its text is made once. */
function isoTime(ms: number): string {
  if (ms !== isoMs) {
    isoMs = ms;
    isoText = new Date(ms).toISOString();
  }
  return isoText;
}

/**
 * W3C trace context: https://www.w3.org/TR/trace-context/#traceparent-header. Not sampled: nothing
 * here records a trace, and a flag that says so would make everything downstream record its part of
 * all of them.
 */
function newTraceparent(random: Random): string {
  random.fill(traceBytes);
  traceBytes[0] = (traceBytes[0] ?? 0) | 1;
  traceBytes[16] = (traceBytes[16] ?? 0) | 1;
  return `00-${traceBytes.toString('hex', 0, 16)}-${traceBytes.toString('hex', 16, 24)}-00`;
}

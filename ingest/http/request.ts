/**
 * One HTTP request as it arrives: its head, and its body collected within bounds. uWebSockets.js types end here.
 *
 * Invariants:
 * 1. A chunk is copied inside its callback: its memory is gone afterwards.
 * 2. `res` is touched no more once the client has gone.
 */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';

export interface IncomingRequest {
  readonly contentType: string;
  readonly contentEncoding: string;
  /** Undefined when the client did not say. */
  readonly contentLength: number | undefined;
  readonly requestId: string;
  readonly clientTimestamp: string;
  readonly traceparent: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly eventTime: string;
  readonly partitionKey: string;
}

/** Reads what is needed of the head; `req` is only valid in the handler's own turn. */
export function readHead(req: HttpRequest): IncomingRequest {
  const length = req.getHeader('content-length');
  return {
    contentType: req.getHeader('content-type'),
    contentEncoding: req.getHeader('content-encoding'),
    contentLength: length === '' ? undefined : Number(length),
    requestId: req.getHeader('x-request-id'),
    clientTimestamp: req.getHeader('x-client-timestamp'),
    traceparent: req.getHeader('traceparent'),
    eventId: req.getHeader('x-event-id'),
    eventType: req.getHeader('x-event-type'),
    eventTime: req.getHeader('x-event-time'),
    partitionKey: req.getHeader('x-partition-key'),
  };
}

/** Collects the body and gives it once, or `too-large` as soon as it passes `maxBytes`. After an abort nothing is given. */
export function collectBody(
  res: HttpResponse,
  contentLength: number | undefined,
  maxBytes: number,
  grown: (bytes: number) => void,
  done: (body: Buffer | 'too-large') => void,
): void {
  let buffer: Buffer | undefined;
  let length = 0;
  let over = false;
  res.onData((chunk, isLast) => {
    if (over) return;
    const size = chunk.byteLength;
    if (length + size > maxBytes) {
      over = true;
      buffer = undefined;
      done('too-large');
      return;
    }
    grown(size);
    if (buffer === undefined) buffer = Buffer.allocUnsafe(isLast ? size : Math.max(size, Math.min(contentLength ?? 0, maxBytes)));
    else if (length + size > buffer.length) {
      const larger = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(length + size, 2 * buffer.length)));
      buffer.copy(larger, 0, 0, length);
      buffer = larger;
    }
    buffer.set(new Uint8Array(chunk), length);
    length += size;
    if (isLast) done(buffer.subarray(0, length));
  });
}

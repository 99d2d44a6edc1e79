/**
 * One HTTP request as it arrives: its head, and its body collected within bounds. uWebSockets.js
 * types end here.
 *
 * Invariants:
 * 1. A chunk is copied inside its callback: its memory is gone afterwards.
 * 2. `res` is not touched once the client has gone.
 * 3. A body is given once it is sure that its connection outlived the segment in which it ended.
 */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { afterThisRound } from '../../schemas/kernel/clock.ts';
import type { BinaryHeaders } from '../event/read-body.ts';
import { forwardedAddress, textOfBytes } from './address.ts';
import type { BodyRule, HeadFault } from './head-check.ts';
import { decideHead } from './head-check.ts';
import type { HeadFields } from './head-fields.ts';
import { collectFields } from './head-fields.ts';

export interface IncomingRequest {
  /** Why it must not be read on; undefined when its head is right. */
  readonly fault: HeadFault | undefined;
  /** Whether the connection ends with the answer. */
  readonly closes: boolean;
  readonly contentType: string;
  readonly contentEncoding: string;
  /** Undefined when only the last chunk will tell. */
  readonly contentLength: number | undefined;
  readonly requestId: string;
  readonly clientTimestamp: string;
  readonly traceparent: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly eventTime: string;
  readonly partitionKey: string;
  readonly authorization: string;
  readonly apiKey: string;
  /** As it came, without its question mark. */
  readonly query: string;
  /** `key` of the query: browsers cannot always set a header. */
  readonly queryKey: string;
  readonly origin: string;
  /** Host and Sec-Fetch-Site; empty where a request has none. */
  readonly host: string;
  readonly fetchSite: string;
  /** What a preflight asks for. */
  readonly requestedHeaders: string;
  /** The client's address in its one form (address.ts); empty where nobody asks for it. */
  readonly address: string;
  /** User-Agent and Referer; empty where a request has none. */
  readonly userAgent: string;
  readonly referer: string;
  /** `ce-` headers of a CloudEvent in binary mode. */
  readonly ce: BinaryHeaders | undefined;
}

export interface AddressRule {
  readonly wanted: boolean;
  /** Proxies in front, each of which appends to X-Forwarded-For or Forwarded. */
  readonly trustedProxies: number;
}

/** The stream of a path that begins with `/v1/:team/:app`; only in the handler's own turn. */
export function streamNameOf(req: HttpRequest): string {
  return `${req.getParameter(0)}/${req.getParameter(1)}`;
}

/** What is made ready for a body whose length was only announced. */
const firstBytes = 65_536;

/**
 * Reads what is needed of the head; `req` is only valid in the handler's own turn. `faultOf` is
 * asked before anything else.
 */
export function readHead(
  res: HttpResponse,
  req: HttpRequest,
  rule: AddressRule,
  body: BodyRule,
): IncomingRequest {
  const head = collectFields(req);
  const { lengthText, transferEncoding, ce } = head;
  // Undefined where a request has none, whatever the type says.
  const query = (req.getQuery() as string | undefined) ?? '';
  head.fault = decideHead(head, body, query);
  head.contentLength =
    lengthText === undefined
      ? transferEncoding === undefined
        ? 0
        : undefined
      : Number(lengthText);
  if (query !== '') {
    head.query = query;
    if (query.includes('key=')) head.queryKey = req.getQuery('key') ?? '';
  }
  if (head.origin !== '') head.origin = safeOrigin(head.origin);
  if (rule.wanted || (rule.trustedProxies > 0 && isLate(head, query)))
    head.address = addressOf(res, head, rule.trustedProxies);
  if (ce?.some(([name]) => name === 'specversion' || name === 'id') !== true) head.ce = undefined;
  return head;
}

/**
 * An origin is echoed: one that is none (RFC 6454, section 6.2) counts as another word for an
 * unknown one.
 */
function safeOrigin(origin: string): string {
  return /^[A-Za-z0-9:/._[\]-]{1,300}$/.test(origin) ? origin : 'null';
}

/**
 * Whether it will only show later who sends it: a token has to be verified, or a write key is in
 * the body. The connection's address can be had then.
 */
function isLate({ authorization, apiKey }: HeadFields, query: string): boolean {
  const said = authorization || apiKey || query;
  return said === '' || said.includes('eyJ') || (said === query && !query.includes('key='));
}

/** The client's address; empty when its connection is closed already. */
function addressOf(res: HttpResponse, fields: HeadFields, trustedProxies: number): string {
  const forwarded = trustedProxies > 0 ? forwardedAddress(fields, trustedProxies) : undefined;
  return forwarded ?? textOfBytes(new Uint8Array(res.getRemoteAddress()));
}

/**
 * Bodies up to a quarter of this share a piece of memory: one of their own each costs more than
 * their copy, and again when it is freed.
 */
const sharedBytes = 65_536;
let shared = Buffer.allocUnsafeSlow(sharedBytes);
let sharedAt = 0;

/**
 * For a body that is whole already. One that is on its way is on its own: a slow client would keep
 * the others' memory as well.
 */
function roomFor(bytes: number): Buffer {
  if (bytes > sharedBytes / 4) return Buffer.allocUnsafe(bytes);
  if (sharedAt + bytes > sharedBytes) {
    shared = Buffer.allocUnsafeSlow(sharedBytes);
    sharedAt = 0;
  }
  sharedAt += bytes;
  return shared.subarray(sharedAt - bytes, sharedAt);
}

/**
 * Calls `then` once the bytes that came with a request's end have been looked at. Behind a trailer,
 * behind the next request of the same segment or behind anything else that is not one,
 * uWebSockets.js ends the connection: an event whose sender cannot be told must not be stored by
 * then.
 */
export function afterItsSegment(then: () => void): void {
  if (waiting.push(then) === 1) afterThisRound(runWaiting);
}

/**
 * What a round of the event loop brought continues in one call: one call each costs more, and its
 * bodies are kept in memory longer.
 */
let waiting: (() => void)[] = [];

function runWaiting(): void {
  const all = waiting;
  waiting = [];
  for (const then of all) then();
}

/**
 * Collects the body and gives it once, or `too-large` as soon as it passes `maxBytes`. After an
 * abort nothing is given, and nothing once `grown` has said false.
 */
export function collectBody(
  res: HttpResponse,
  contentLength: number | undefined,
  maxBytes: number,
  grown: (bytes: number) => boolean,
  done: (body: Buffer | 'too-large') => void,
): void {
  // Of a request without a body whose head came in pieces the end is never told.
  if (contentLength === 0) return afterItsSegment(() => done(Buffer.alloc(0)));
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
    if (!grown(size)) {
      over = true;
      buffer = undefined;
      return;
    }
    if (buffer === undefined)
      buffer = isLast
        ? roomFor(size)
        : Buffer.allocUnsafe(Math.max(size, Math.min(contentLength ?? 0, maxBytes, firstBytes)));
    else if (length + size > buffer.length) {
      const larger = Buffer.allocUnsafe(
        Math.min(maxBytes, Math.max(length + size, 2 * buffer.length)),
      );
      buffer.copy(larger, 0, 0, length);
      buffer = larger;
    }
    buffer.set(new Uint8Array(chunk), length);
    length += size;
    if (!isLast) return;
    const body = length === buffer.length ? buffer : buffer.subarray(0, length);
    afterItsSegment(() => done(body));
  });
}

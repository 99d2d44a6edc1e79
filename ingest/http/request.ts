/**
 * One HTTP request as it arrives: its head, and its body collected within bounds. uWebSockets.js types end here.
 *
 * Invariants:
 * 1. A chunk is copied inside its callback: its memory is gone afterwards.
 * 2. `res` is touched no more once the client has gone.
 */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import type { BinaryHeaders } from '../protocol/cloudevents.ts';
import { forwardedAddress, textOfBytes } from './address.ts';

export interface IncomingRequest {
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
  /** `key` of the query: browsers cannot always set a header. */
  readonly queryKey: string;
  readonly origin: string;
  /** Host and Sec-Fetch-Site; empty where nobody asks for them. */
  readonly host: string;
  readonly fetchSite: string;
  /** The client's address in its one form (address.ts); empty where nobody asks for it. */
  readonly address: string;
  /** User-Agent and Referer; empty where no stream keeps them. */
  readonly userAgent: string;
  readonly referer: string;
  /** `ce-` headers of a CloudEvent in binary mode. */
  readonly ce: BinaryHeaders | undefined;
}

export interface AddressRule {
  readonly wanted: boolean;
  /** Whether any stream keeps what its clients were. */
  readonly keepsClients: boolean;
  /** Proxies in front, each of which appends to X-Forwarded-For or Forwarded. */
  readonly trustedProxies: number;
  /** Whether there are no keys: then it matters by which name the server was reached, and from which page. */
  readonly isOpen: boolean;
}

/** What is made ready for a body whose length was only announced. */
const firstBytes = 65_536;
const cePrefix = 'ce-';

/** Reads what is needed of the head; `req` is only valid in the handler's own turn. */
export function readHead(res: HttpResponse, req: HttpRequest, rule: AddressRule): IncomingRequest {
  const length = req.getHeader('content-length');
  return {
    contentType: req.getHeader('content-type'),
    contentEncoding: req.getHeader('content-encoding'),
    contentLength: length === '' ? (req.getHeader('transfer-encoding') === '' ? 0 : undefined) : Number(length),
    requestId: req.getHeader('x-request-id'),
    clientTimestamp: req.getHeader('x-client-timestamp'),
    traceparent: req.getHeader('traceparent'),
    eventId: req.getHeader('x-event-id'),
    eventType: req.getHeader('x-event-type'),
    eventTime: req.getHeader('x-event-time'),
    partitionKey: req.getHeader('x-partition-key'),
    authorization: req.getHeader('authorization'),
    apiKey: req.getHeader('x-api-key'),
    queryKey: req.getQuery('key') ?? '',
    origin: safeOrigin(req.getHeader('origin')),
    host: rule.isOpen ? req.getHeader('host') : '',
    fetchSite: rule.isOpen ? req.getHeader('sec-fetch-site') : '',
    userAgent: rule.keepsClients ? req.getHeader('user-agent') : '',
    referer: rule.keepsClients ? req.getHeader('referer') : '',
    address: rule.wanted || (rule.trustedProxies > 0 && isLate(req)) ? addressOf(res, req, rule.trustedProxies) : '',
    ce: req.getHeader('ce-specversion') === '' && req.getHeader('ce-id') === '' ? undefined : ceHeaders(req),
  };
}

function ceHeaders(req: HttpRequest): BinaryHeaders {
  const found: [string, string][] = [];
  req.forEach((name, value) => {
    if (name.startsWith(cePrefix)) found.push([name.slice(cePrefix.length), value]);
  });
  return found;
}

/** An origin is echoed: one that is none (RFC 6454, section 6.2) counts as another word for an unknown one. */
function safeOrigin(origin: string): string {
  return origin === '' || /^[A-Za-z0-9:/._[\]-]{1,300}$/.test(origin) ? origin : 'null';
}

/** Whether it will only show later who sends it: a token has to be verified, or a write key is in the body. The connection's address can be had then. */
function isLate(req: HttpRequest): boolean {
  const said = req.getHeader('authorization') || req.getHeader('x-api-key') || (req.getQuery('key') ?? '');
  return said === '' || said.includes('eyJ');
}

/** The client's address; empty when its connection is closed already. */
function addressOf(res: HttpResponse, req: HttpRequest, trustedProxies: number): string {
  const forwarded: string[] = [];
  const xForwardedFor: string[] = [];
  if (trustedProxies > 0) {
    // `getHeader` gives one of several lines of a name.
    req.forEach((name, value) => {
      if (name === 'x-forwarded-for') xForwardedFor.push(value);
      else if (name === 'forwarded') forwarded.push(value);
    });
  }
  return forwardedAddress({ forwarded, xForwardedFor }, trustedProxies) ?? textOfBytes(new Uint8Array(res.getRemoteAddress()));
}

/** Bodies up to a quarter of this share a piece of memory: one of their own each costs more than their copy, and again when it is freed. */
const sharedBytes = 65_536;
let shared = Buffer.allocUnsafeSlow(sharedBytes);
let sharedAt = 0;

/** For a body that is whole already. One that is on its way is on its own: a slow client would keep the others' memory as well. */
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
 * Collects the body and gives it once, or `too-large` as soon as it passes `maxBytes`. After an abort nothing is given, and nothing once
 * `grown` has said false.
 */
export function collectBody(
  res: HttpResponse,
  contentLength: number | undefined,
  maxBytes: number,
  grown: (bytes: number) => boolean,
  done: (body: Buffer | 'too-large') => void,
): void {
  // Of a request without a body whose head came in pieces the end is never told.
  if (contentLength === 0) return done(Buffer.alloc(0));
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
      buffer = isLast ? roomFor(size) : Buffer.allocUnsafe(Math.max(size, Math.min(contentLength ?? 0, maxBytes, firstBytes)));
    else if (length + size > buffer.length) {
      const larger = Buffer.allocUnsafe(Math.min(maxBytes, Math.max(length + size, 2 * buffer.length)));
      buffer.copy(larger, 0, 0, length);
      buffer = larger;
    }
    buffer.set(new Uint8Array(chunk), length);
    length += size;
    if (isLast) done(length === buffer.length ? buffer : buffer.subarray(0, length));
  });
}

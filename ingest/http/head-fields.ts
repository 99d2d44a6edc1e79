/**
 * The header lines of a request, collected in one pass: each call into the server costs more than
 * the comparisons here.
 *
 * Of a header that may come once the first line counts, and that there was another is noted; a
 * list's lines are joined.
 */
import type { HttpRequest } from 'uWebSockets.js';
import type { Framing, HeadFault } from './head-check.ts';

const none: readonly string[] = [];

/**
 * Empty text where a request has no such header, unless said otherwise. One object a request: what
 * the lines do not say is set by its reader.
 */
export class HeadFields implements Framing {
  /** Why it must not be read on; undefined when its head is right. */
  fault: HeadFault | undefined = undefined;
  hasHost = false;
  host = '';
  /** Undefined when only the last chunk will tell. */
  contentLength: number | undefined = undefined;
  /** As it came, without its question mark. */
  query = '';
  /** `key` of the query: browsers cannot always set a header. */
  queryKey = '';
  /** The client's address in its one form (address.ts); empty where nobody asks for it. */
  address = '';
  lengthText: string | undefined = undefined;
  transferEncoding: string | undefined = undefined;
  hasTrailer = false;
  repeated: string | undefined = undefined;
  headBytes = 0;
  contentType = '';
  contentEncoding = '';
  requestId = '';
  clientTimestamp = '';
  traceparent = '';
  eventId = '';
  eventType = '';
  eventTime = '';
  partitionKey = '';
  authorization = '';
  apiKey = '';
  origin = '';
  fetchSite = '';
  /**
   * Whether the connection is to end with the answer (RFC 9112, section 9.6). The server itself
   * knows it only where `close` is all that is said.
   */
  closes = false;
  /** Of a handshake; kept to see whether they came twice (RFC 6455, sections 11.3.1 and 11.3.5). */
  webSocketKey = '';
  webSocketVersion = '';
  userAgent = '';
  referer = '';
  xForwardedFor: readonly string[] = none;
  forwarded: readonly string[] = none;
  requestedHeaders = '';
  /**
   * Headers of a CloudEvent in binary mode, without their prefix; undefined where there are none.
   */
  ce: [string, string][] | undefined = undefined;
}

let fields = new HeadFields();

/** The headers of `req`, in the handler's own turn. */
export function collectFields(req: HttpRequest): HeadFields {
  fields = new HeadFields();
  req.forEach(collect);
  return fields;
}

const cePrefix = 'ce-';
const closeOption = /(?:^|,)[ \t]*close[ \t]*(?:,|$)/i;

function collect(name: string, value: string): void {
  const head = fields;
  head.headBytes += name.length + value.length + 4;
  switch (name) {
    case 'host':
      if (head.hasHost) head.repeated = name;
      head.hasHost = true;
      if (head.host === '') head.host = value;
      return;
    case 'connection':
      if (value !== 'keep-alive' && closeOption.test(value)) head.closes = true;
      return;
    case 'content-length':
      head.lengthText = once(name, head.lengthText, value);
      return;
    case 'content-type':
      head.contentType = once(name, head.contentType, value);
      return;
    case 'authorization':
      head.authorization = once(name, head.authorization, value);
      return;
    case 'x-api-key':
      head.apiKey = once(name, head.apiKey, value);
      return;
    case 'origin':
      head.origin = once(name, head.origin, value);
      return;
    case 'content-encoding':
      head.contentEncoding = joined(head.contentEncoding, value);
      return;
    case 'transfer-encoding':
      head.transferEncoding =
        head.transferEncoding === undefined ? value : `${head.transferEncoding}, ${value}`;
      return;
    case 'trailer':
      head.hasTrailer = true;
      return;
    default:
      collectMore(head, name, value);
  }
}

/** What has nothing to do with the request's framing, body and sender. */
function collectMore(head: HeadFields, name: string, value: string): void {
  switch (name) {
    case 'x-request-id':
      head.requestId = value;
      return;
    case 'x-client-timestamp':
      head.clientTimestamp = value;
      return;
    case 'traceparent':
      head.traceparent = value;
      return;
    case 'x-event-id':
      head.eventId = once(name, head.eventId, value);
      return;
    case 'x-event-type':
      head.eventType = once(name, head.eventType, value);
      return;
    case 'x-event-time':
      head.eventTime = once(name, head.eventTime, value);
      return;
    case 'x-partition-key':
      head.partitionKey = once(name, head.partitionKey, value);
      return;
    case 'x-forwarded-for':
      head.xForwardedFor = [...head.xForwardedFor, value];
      return;
    case 'forwarded':
      head.forwarded = [...head.forwarded, value];
      return;
    case 'user-agent':
      head.userAgent = value;
      return;
    case 'referer':
      head.referer = value;
      return;
    case 'sec-fetch-site':
      head.fetchSite = value;
      return;
    case 'sec-websocket-key':
      head.webSocketKey = once(name, head.webSocketKey, value);
      return;
    case 'sec-websocket-version':
      head.webSocketVersion = once(name, head.webSocketVersion, value);
      return;
    case 'access-control-request-headers':
      head.requestedHeaders = joined(head.requestedHeaders, value);
      return;
    default:
      if (name.startsWith(cePrefix)) (head.ce ??= []).push([name.slice(cePrefix.length), value]);
  }
}

function once<T extends string | undefined>(name: string, before: T, value: string): string {
  if (before === undefined || before === '') return value;
  if (before !== value) fields.repeated ??= name;
  return before;
}

function joined(before: string, value: string): string {
  return before === '' ? value : `${before}, ${value}`;
}

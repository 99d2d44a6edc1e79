/**
 * CORS: what a page of another origin may send (https://fetch.spec.whatwg.org/#http-cors-protocol). The preflight carries no key, so it is
 * answered for an origin that any key lets in; the request itself is then judged by its own key.
 */
import type { HttpResponse } from 'uWebSockets.js';
import { limits } from '../../schemas/limits.ts';
import { extensionName } from '../../schemas/wire.ts';
import type { Access } from '../access/access.ts';

const allowedHeaders = [
  'Authorization',
  'Content-Encoding',
  'Content-Type',
  'Traceparent',
  'X-Api-Key',
  'X-Client-Timestamp',
  'X-Event-Id',
  'X-Event-Time',
  'X-Event-Type',
  'X-Partition-Key',
  'X-Request-Id',
];
const cePrefix = 'ce-';
/** Names of one preflight that are looked at. */
const requestedMax = 64;

/** `requested`: the names that the page is about to send; attributes of CloudEvents may have any name, so those are allowed as they come. */
export function answerPreflight(res: HttpResponse, origin: string, requested: string, access: Access): void {
  const attributes = requested
    .split(',', requestedMax)
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name.startsWith(cePrefix) && extensionName.test(name.slice(cePrefix.length)));
  const allowed = origin === '' ? undefined : access.allowedOrigin(origin);
  res.cork(() => {
    res.writeStatus('204 No Content');
    res.writeHeader('Vary', 'Origin, Access-Control-Request-Headers');
    if (allowed !== undefined) {
      res.writeHeader('Access-Control-Allow-Origin', allowed);
      res.writeHeader('Access-Control-Allow-Methods', 'GET, POST');
      res.writeHeader('Access-Control-Allow-Headers', [...allowedHeaders, ...attributes].join(', '));
      res.writeHeader('Access-Control-Max-Age', String(limits.preflightSeconds));
    }
    // Without a length: a 204 must not have one (RFC 9110, section 8.6).
    res.endWithoutBody();
  });
}

/**
 * CORS: what a page of another origin may send and read
 * (https://fetch.spec.whatwg.org/#http-cors-protocol). The preflight carries no key, so it is
 * answered for an origin that any key lets in; the request itself is then judged by its own key.
 *
 * Invariants:
 * 1. Whatever header the page is about to send is allowed, within a bound: what is read of it is
 *    decided by the request's own checks.
 * 2. Every header of ours can be read by the page; `exposedHeaders` is the one list of them.
 */

/** Names that a preflight asks for and is allowed, and their characters. */
export const preflightHeadersMax = 64;
export const preflightHeadersMaxChars = 2_000;
/** How long a browser may remember a preflight: the most that Chromium does (2 h). */
const preflightSeconds = 7_200;

const allowedHeaders = [
  'authorization',
  'content-encoding',
  'content-type',
  'traceparent',
  'x-api-key',
  'x-client-timestamp',
  'x-event-id',
  'x-event-time',
  'x-event-type',
  'x-partition-key',
  'x-request-id',
];
const headerName = /^[!#$%&'*+.^_`|~0-9a-z-]{1,128}$/;
/**
 * What a page cannot send itself (https://fetch.spec.whatwg.org/#forbidden-request-header), so it
 * has no reason to ask.
 */
const forbidden =
  /^(?:proxy-.*|sec-.*|accept-charset|accept-encoding|access-control-.*|connection|content-length|cookie2?|date|dnt|expect|host|keep-alive|origin|referer|set-cookie|te|trailer|transfer-encoding|upgrade|via)$/;

/**
 * Headers of our answers beside those that a page may read anyway
 * (https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name).
 */
export const exposedHeaders = [
  'X-Request-Id',
  'X-Sluice-Ack',
  'X-Processing-Latency',
  'X-Network-Latency',
  'Server-Timing',
  'Retry-After',
  'RateLimit',
  'RateLimit-Policy',
  'Allow',
  'Upgrade',
  'Sec-WebSocket-Version',
  'WWW-Authenticate',
] as const;
const exposed = exposedHeaders.join(', ');

/**
 * Lines that let a page read an answer, each ending in a line break. `allowed`: its origin, `*`, or
 * undefined where it may not.
 */
export function readableBy(allowed: string | undefined): string {
  if (allowed === undefined) return 'Vary: Origin\r\n';
  return `Access-Control-Allow-Origin: ${allowed}\r\nVary: Origin\r\nAccess-Control-Expose-Headers: ${exposed}\r\n`;
}

/**
 * Lines of the answer to a preflight; `requested` are the names that the page is about to send,
 * `methods` those of the path.
 */
export function preflightLines(
  allowed: string | undefined,
  requested: string,
  methods: string,
): string {
  const vary = 'Vary: Origin, Access-Control-Request-Headers\r\n';
  if (allowed === undefined) return vary;
  return (
    `Access-Control-Allow-Origin: ${allowed}\r\n${vary}Access-Control-Allow-Methods: ${methods}\r\n` +
    `Access-Control-Allow-Headers: ${mirrored(requested).join(', ')}\r\nAccess-Control-Max-Age: ${preflightSeconds}\r\n`
  );
}

/** The usual names, and those asked for that a page may send; in lower case, each once. */
function mirrored(requested: string): readonly string[] {
  const names = new Set(allowedHeaders);
  let chars = allowedHeaders.join(', ').length;
  for (const part of requested.split(',', preflightHeadersMax)) {
    const name = part.trim().toLowerCase();
    if (names.has(name) || !headerName.test(name) || forbidden.test(name)) continue;
    chars += name.length + 2;
    if (chars > preflightHeadersMaxChars) break;
    names.add(name);
  }
  return [...names];
}

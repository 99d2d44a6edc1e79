/**
 * Why the ingress and Node's parser may differ, by class. http-differences.md lists them for
 * readers; http-parity.test.ts holds the two equal.
 */
import type { MadeRequest } from './http-grammar.ts';
import type { Outcome } from './raw-exchange.ts';

/** Whether each accepted, and what each said. */
export interface Pair {
  readonly ingress: boolean;
  readonly node: boolean;
  readonly ours: Outcome;
  readonly nodes: Outcome;
}

export interface Difference {
  readonly name: string;
  /** Which of the two accepts. */
  readonly accepts: 'ingress' | 'node';
  /** The binaries that differ: of Node 20, or all. */
  readonly of: 'node-20' | 'all';
  readonly reason: string;
  readonly is: (request: MadeRequest) => boolean;
}

const firstLine = ({ lines }: MadeRequest): string => lines[0] ?? '';
const someHeader = ({ lines }: MadeRequest, pattern: RegExp): boolean =>
  lines.slice(1).some((line) => pattern.test(line));
/** As a receiver has it: a line that was made with a line end inside is two. */
const received = (request: MadeRequest): MadeRequest => ({
  ...request,
  lines: request.lines.flatMap((line, at) => (at === 0 ? [line] : line.split('\r\n'))),
});
const isChunked = (request: MadeRequest): boolean => someHeader(request, /^transfer-encoding/i);

export const differences: readonly Difference[] = [
  {
    name: 'request-line-cut',
    accepts: 'node',
    of: 'node-20',
    reason: 'uWebSockets.js of Node 20 answers 505 when a request line comes in several segments',
    is: ({ lines, lineEnd, cuts }) =>
      cuts.some((cut) => cut < (lines[0] ?? '').length + lineEnd.length),
  },
  {
    name: 'rare-name',
    accepts: 'node',
    of: 'node-20',
    reason:
      'uWebSockets.js of Node 20 reads letters, digits and hyphens in header names only, and waits for more after any other character',
    is: (request) => someHeader(request, /^[A-Za-z0-9-]*[!#$%&'*+.^_`|~]/),
  },
  {
    name: 'version',
    accepts: 'node',
    of: 'all',
    reason: 'HTTP/1.1 is the only version; Node reads others that begin with 1 as well',
    is: (request) => !/ HTTP\/1\.1$/.test(firstLine(request)),
  },
  {
    name: 'absolute-form',
    accepts: 'node',
    of: 'all',
    reason:
      'uWebSockets.js takes a target that begins with a slash only (RFC 9112, section 3.2.2, wants the absolute form read as well)',
    is: (request) => /^POST http:/.test(firstLine(request)),
  },
  {
    name: 'leading-empty-line',
    accepts: 'node',
    of: 'all',
    reason:
      'uWebSockets.js does not pass over an empty line before a request line (RFC 9112, section 2.2: SHOULD)',
    is: (request) => /^[\r\n]/.test(firstLine(request)),
  },
  {
    name: 'host',
    accepts: 'node',
    of: 'all',
    reason:
      'a Host that is empty, not valid or there twice is refused (RFC 9112, section 3.2); Node takes any',
    is: (request) =>
      request.lines.filter((line) => /^host:/i.test(line)).length !== 1 ||
      someHeader(
        request,
        /^host:(?![\t ]*(?:localhost|127\.0\.0\.1|localhost:8080|\[::1\]:80)[\t ]*$)/i,
      ),
  },
  {
    name: 'trailer',
    accepts: 'node',
    of: 'all',
    reason:
      'uWebSockets.js cannot read a trailer: one that is announced is refused, and one that is not ends the connection; nothing is stored',
    is: (request) =>
      isChunked(request) &&
      (someHeader(request, /^trailer/i) || /0\r\n[^\r\n]+\r\n\r\n$/.test(request.tail)),
  },
  {
    name: 'chunk-extension',
    accepts: 'node',
    of: 'all',
    reason:
      'uWebSockets.js answers 400 to a chunk extension (RFC 9112, section 7.1.1, wants it ignored)',
    is: (request) => isChunked(request) && /(?:^|\n)[0-9A-Fa-f]+;/.test(request.tail),
  },
  {
    name: 'two-blanks',
    accepts: 'node',
    of: 'all',
    reason:
      'the parts of a request line are one blank apart (RFC 9112, section 3); Node passes over more',
    is: (request) => / {2}/.test(firstLine(request)),
  },
  {
    name: 'identity-coding',
    accepts: 'node',
    of: 'all',
    reason:
      'the only transfer coding is chunked, alone (RFC 9112, section 6.1); Node passes over others before it',
    is: (request) => someHeader(request, /^transfer-encoding:[ \t]*(?!chunked[ \t]*$)/i),
  },
  {
    name: 'bytes-behind-answered',
    accepts: 'ingress',
    of: 'all',
    reason:
      'bytes behind a request that may yet become one do not spoil its answer; Node says 400 to them, in its place',
    is: (request) => !isChunked(request) && leftover(request),
  },
  {
    name: 'behind-the-request',
    accepts: 'node',
    of: 'all',
    reason:
      'what comes behind a request in its segment and is not one ends the connection before the answer; nothing is stored',
    is: (request) => leftover(request),
  },
  {
    name: 'expectation',
    accepts: 'ingress',
    of: 'all',
    reason:
      'an expectation that is not known is ignored, as RFC 9110, section 10.1.1, allows; Node answers 417',
    is: (request) => someHeader(request, /^expect:/i),
  },
  {
    name: 'empty-name',
    accepts: 'ingress',
    of: 'all',
    reason:
      'uWebSockets.js ends a head at a header without a name; what the check needs must be before it, so nothing is read otherwise than it was judged',
    is: (request) => someHeader(request, /^:/),
  },
  {
    name: 'beyond-ascii-at-the-end',
    accepts: 'ingress',
    of: 'all',
    reason:
      'uWebSockets.js cuts bytes beyond ASCII off both ends of a value, as if they were blanks',
    is: (request) => someHeader(request, /(?:[\x80-\xff][ \t]*$|:[ \t]*[\x80-\xff])/),
  },
  {
    name: 'delete-character',
    accepts: 'ingress',
    of: 'all',
    reason:
      'uWebSockets.js takes the character DEL in values and targets, and bytes beyond ASCII in targets; none of them ends a line or a name',
    is: (request) => someHeader(request, /\x7f/) || /[\x7f-\xff]/.test(firstLine(request)),
  },
  {
    name: 'tab-behind-framing',
    accepts: 'ingress',
    of: 'all',
    reason:
      'blanks and tabs around a value are not part of it (RFC 9112, section 5); Node refuses a tab behind a length or a coding',
    is: (request) => someHeader(request, /^(?:transfer-encoding|content-length):.*\t/i),
  },
  {
    name: 'chunk-lines',
    accepts: 'ingress',
    of: 'all',
    reason:
      'uWebSockets.js reads the line of a chunk up to its size and passes over two bytes, whatever they are; Node wants CR and LF',
    is: (request) => isChunked(request) && !isStrict(request.tail),
  },
];

/**
 * Whether chunks are as RFC 9112, section 7.1, has them: each as long as it says, CR and LF around
 * it.
 */
function isStrict(tail: string): boolean {
  for (let at = 0; at < tail.length; ) {
    const size = /^[0-9A-Fa-f]+(?=\r\n)/.exec(tail.slice(at))?.[0];
    if (size === undefined) return false;
    const start = at + size.length + 2;
    const end = start + Number.parseInt(size, 16);
    if (tail.slice(end, end + 2) !== '\r\n') return false;
    if (end === start) return end + 2 === tail.length;
    at = end + 2;
  }
  return false;
}

/** Bytes behind the body that a Content-Length, or the last chunk, ends. */
function leftover(request: MadeRequest): boolean {
  if (isChunked(request)) return !request.tail.endsWith('0\r\n\r\n');
  const said = request.lines
    .map((line) => /^content-length:[ \t]*(\d+)/i.exec(line)?.[1])
    .find((found) => found !== undefined);
  return said !== undefined && request.tail.length > Number(said);
}

/**
 * Whether something that is no request comes behind this one in a later segment. By then the event
 * may be on its way: uWebSockets.js ends the connection, and only a repeat under the event's own id
 * tells what became of it.
 */
export function isFollowed(request: MadeRequest): boolean {
  return (
    request.cuts.length > 0 &&
    (leftover(request) || (isChunked(request) && !isStrict(request.tail)))
  );
}

export function classOf(request: MadeRequest, pair: Pair, modules: string): string | undefined {
  const isOld = Number(modules) < 127;
  const whole = received(request);
  return differences.find(
    ({ accepts, of, is }) =>
      (accepts === 'ingress') === pair.ingress && (of === 'all' || isOld) && is(whole),
  )?.name;
}

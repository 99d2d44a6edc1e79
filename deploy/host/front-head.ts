/**
 * The head that the strict front hands on: what the binary behind reads rightly, and whose
 * connection it is. Pure but for the connection's address.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { limits } from '../../schemas/limits.ts';
import type { Refused } from './front-refusal.ts';

/** A head that is handed on. */
export interface Head {
  readonly path: string;
  /** Names and values in turns, as they came. */
  readonly headers: readonly string[];
}

/**
 * The head that the ingress gets; why there is none; undefined for `OPTIONS *`, which asks for no
 * route.
 */
export function headFor(
  trustedProxies: number,
  req: IncomingMessage,
): Head | { readonly refused: Refused } | undefined {
  const { method = '', url = '', rawHeaders, httpVersionMajor } = req;
  if (httpVersionMajor !== 1)
    return {
      refused: [505, 'version-unsupported', `HTTP/${req.httpVersion} is not supported here`],
    };
  if (url === '*' && method === 'OPTIONS') return undefined;
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url);
  if (absolute === null && !url.startsWith('/'))
    return { refused: [400, 'target-invalid', 'the target of the request does not begin with /'] };
  const [, authority, rest = ''] = absolute ?? [];
  const path = authority === undefined ? url : rest.startsWith('/') ? rest : `/${rest}`;
  const headers = [...linesFor(rawHeaders, authority), ...addressLines(trustedProxies, req)];
  const isWithoutLength =
    req.headers['content-length'] === undefined && req.headers['transfer-encoding'] === undefined;
  // Node's client adds Connection, and Transfer-Encoding where no length is said: with too many
  // lines the server behind would not answer at all.
  const lines = headers.length / 2 + (isWithoutLength ? 2 : 1);
  if (lines > limits.httpHeadMaxLines || rawHeaders.length > 2 * limits.httpHeadMaxLines)
    return {
      refused: [
        431,
        'head-too-large',
        `the request has more than ${limits.httpHeadMaxLines - 2} header lines`,
      ],
    };
  return { path, headers };
}

/** Names that the binary behind reads: others mean nothing to the ingress. */
const readName = /^[A-Za-z0-9-]+$/;
const ofProxies = new Set(['forwarded', 'x-forwarded-for']);
/** The trailer was read here, and the answer 100 is given here. */
const ofConnection = new Set(['trailer', 'te', 'expect', 'keep-alive', 'proxy-connection']);

/**
 * `authority`: that of a target in absolute form, which counts instead of Host (RFC 9112, section
 * 3.2.2).
 */
function linesFor(rawHeaders: readonly string[], authority: string | undefined): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    const lower = name.toLowerCase();
    if (!readName.test(name) || ofProxies.has(lower) || ofConnection.has(lower)) continue;
    lines.push(
      name,
      lower === 'host' && authority !== undefined ? authority : (rawHeaders[at + 1] as string),
    );
  }
  return lines;
}

function addressLines(trustedProxies: number, req: IncomingMessage): readonly string[] {
  const peer = req.socket.remoteAddress ?? '';
  if (trustedProxies === 0) return ['X-Forwarded-For', peer];
  const of = (wanted: string): string[] =>
    req.rawHeaders.filter(
      (_, at) => at % 2 === 1 && (req.rawHeaders[at - 1] as string).toLowerCase() === wanted,
    );
  const forwarded = of('forwarded');
  const common = of('x-forwarded-for');
  const quoted = isIP(peer) === 6 ? `"[${peer}]"` : peer;
  return [
    ...(forwarded.length === 0 ? [] : ['Forwarded', `${forwarded.join(', ')}, for=${quoted}`]),
    ...(forwarded.length > 0 && common.length === 0
      ? []
      : ['X-Forwarded-For', [...common, peer].join(', ')]),
  ];
}

/**
 * Whether a part of the answer's raw headers is handed on. Node's server writes these two itself.
 */
export function isAnswerLine(_part: string, at: number, parts: readonly string[]): boolean {
  const name = (parts[at - (at % 2)] as string).toLowerCase();
  return name !== 'transfer-encoding' && name !== 'date';
}

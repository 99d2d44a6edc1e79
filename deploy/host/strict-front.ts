/**
 * What stands in front of an HTTP server with known faults (http-server.ts): Node's own server, whose parser is strict, hands each request on over
 * loopback as a proxy does, in a form that the one behind it reads rightly.
 *
 * Only Node 20's binary needs it, which is for development: each request costs a second parsing.
 *
 * Invariants:
 * 1. What is not HTTP/1.1 is refused here, and its connection ends: no byte behind it is run as a request.
 * 2. Nothing is stored here: an answer is the ingress's own, and what ends without one ends without one.
 * 3. Whose connection it is, is said to the ingress as by any proxy that is trusted; without other proxies a client's own words about it are dropped.
 * 4. Bodies flow at the pace of whoever reads them: nothing of them is kept here.
 */
import type { ClientRequest, IncomingMessage, Server, ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect, isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import type { IngressConfig } from '../../schemas/config.ts';
import { afterThisRound } from '../../schemas/kernel/clock.ts';
import { systemCodeOf } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import { listenFault } from './plain-server.ts';

export interface StrictFront {
  readonly port: number;
  readonly url: string;
  /** Takes no more connections; what is in flight goes on. */
  stopListening(): void;
  /** Ends what is left. */
  close(): Promise<void>;
}

/** What the ingress is configured with behind the front: an address of its own, and one more proxy in front of it. */
export function behindFront(config: IngressConfig): IngressConfig {
  return { ...config, host: '127.0.0.1', port: 0, trustedProxies: config.trustedProxies + 1 };
}

/** Listens where `config` says, for the ingress on `ingressPort` of loopback. Throws `SluiceError` `port-taken`, `address-unusable`. */
export async function openStrictFront(config: IngressConfig, ingressPort: number): Promise<StrictFront> {
  const { host, port, trustedProxies } = config;
  const agent = new Agent({ keepAlive: true });
  const target: Target = { agent, port: ingressPort, trustedProxies };
  const upgraded = new Set<Socket>();
  const server = createServer(
    {
      maxHeaderSize: limits.httpHeadMaxBytes,
      headersTimeout: limits.httpHeadMaxMs,
      requestTimeout: 0,
      connectionsCheckingInterval: limits.httpHeadMaxMs / 4,
    },
    (req, res) => handOn(target, req, res),
  );
  server.maxHeadersCount = 2 * limits.httpHeadMaxLines;
  server.on('upgrade', (req, socket, head) => handOver(target, req, socket, head, upgraded));
  server.on('connect', (_req, socket) =>
    refuseRaw(socket, 405, 'method-not-allowed', 'this server is not a proxy: CONNECT is not supported'),
  );
  server.on('clientError', (thrown, socket) => refuseUnread(thrown, socket));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (thrown) => reject(listenFault(thrown, { host, port, section: 'ingress' })));
    server.listen({ host, port }, resolve);
  });
  const actual = (server.address() as AddressInfo).port;
  return {
    port: actual,
    url: `http://${isIP(host) === 6 ? `[${host}]` : host}:${actual}`,
    stopListening: () => void server.close(),
    async close() {
      for (const socket of upgraded) socket.destroy();
      await closed(server);
      agent.destroy();
    },
  };
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

interface Target {
  readonly agent: Agent;
  readonly port: number;
  readonly trustedProxies: number;
}

/** A head that is handed on. */
interface Head {
  readonly path: string;
  /** Names and values in turns, as they came. */
  readonly headers: readonly string[];
}

type Refused = readonly [status: number, code: string, message: string];

function handOn(target: Target, req: IncomingMessage, res: ServerResponse): void {
  const head = headFor(target, req);
  if (head === undefined) return void res.writeHead(204, { Allow: 'GET, HEAD, POST, OPTIONS' }).end();
  if ('refused' in head) return refuse(res, head.refused);
  const { agent, port } = target;
  const up: ClientRequest = request({
    agent,
    host: '127.0.0.1',
    port,
    method: req.method,
    path: head.path,
    headers: [...head.headers] as never,
  });
  let answered = false;
  up.once('response', (answer) => {
    answered = true;
    res.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.rawHeaders.filter(isAnswerLine));
    answer.pipe(res, { end: false });
    answer.once('end', () => afterBody(req, () => res.end()));
    answer.once('error', () => res.destroy());
  });
  up.on('error', (thrown) => {
    if (answered) return;
    // Nobody listens there any more: the instance stops.
    if (systemCodeOf(thrown) === 'ECONNREFUSED') refuse(res, [503, 'draining', 'the instance stops']);
    else req.socket.destroy();
  });
  res.once('close', () => {
    if (!res.writableFinished) up.destroy();
  });
  // Before any of the body: a length alone may be refused.
  up.flushHeaders();
  pour(req, up, () => answered);
}

/** Calls `then` once the body has ended, or has had its time: whoever still sends to a connection that is closed loses the answer (RFC 9112, section 9.6). */
function afterBody(req: IncomingMessage, then: () => void): void {
  if (req.complete) return then();
  req.resume();
  const timer = setTimeout(then, limits.httpLingerMs);
  req.once('close', () => clearTimeout(timer));
  req.once('end', () => {
    clearTimeout(timer);
    then();
  });
}

/**
 * The body, a piece at a time, each read and judged before the next is written: who writes to a connection that was closed after an early answer
 * loses that answer. What comes behind an answer is read and dropped, as the connection ends with it.
 */
function pour(req: IncomingMessage, up: ClientRequest, isAnswered: () => boolean): void {
  const next = (): void => afterThisRound(() => afterThisRound(() => req.resume()));
  const length = Number(req.headers['content-length'] ?? Number.NaN);
  let bytes = 0;
  req.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (isAnswered() || up.destroyed) return;
    const flows = up.write(chunk);
    // The last piece, as of most: nothing more is written.
    if (bytes === length) return;
    req.pause();
    if (flows) next();
    else up.once('drain', next);
  });
  req.once('end', () => up.end());
}

/** The head that the ingress gets; why there is none; undefined for `OPTIONS *`, which asks for no route. */
function headFor(target: Target, req: IncomingMessage): Head | { readonly refused: Refused } | undefined {
  const { method = '', url = '', rawHeaders, httpVersionMajor } = req;
  if (httpVersionMajor !== 1) return { refused: [505, 'version-unsupported', `HTTP/${req.httpVersion} is not supported here`] };
  if (url === '*' && method === 'OPTIONS') return undefined;
  if (rawHeaders.length > 2 * limits.httpHeadMaxLines)
    return { refused: [431, 'head-too-large', `the request has more than ${limits.httpHeadMaxLines} header lines`] };
  const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(url);
  if (absolute === null && !url.startsWith('/'))
    return { refused: [400, 'target-invalid', 'the target of the request does not begin with /'] };
  const [, authority, rest = ''] = absolute ?? [];
  const path = authority === undefined ? url : rest.startsWith('/') ? rest : `/${rest}`;
  return { path, headers: [...linesFor(rawHeaders, authority), ...addressLines(target, req)] };
}

/** Names that the binary behind reads: others mean nothing to the ingress. */
const readName = /^[A-Za-z0-9-]+$/;
const ofProxies = new Set(['forwarded', 'x-forwarded-for']);
/** The trailer was read here, and the answer 100 is given here. */
const ofConnection = new Set(['trailer', 'te', 'expect', 'keep-alive', 'proxy-connection']);

/** `authority`: that of a target in absolute form, which counts instead of Host (RFC 9112, section 3.2.2). */
function linesFor(rawHeaders: readonly string[], authority: string | undefined): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    const lower = name.toLowerCase();
    if (!readName.test(name) || ofProxies.has(lower) || ofConnection.has(lower)) continue;
    lines.push(name, lower === 'host' && authority !== undefined ? authority : (rawHeaders[at + 1] as string));
  }
  return lines;
}

function addressLines({ trustedProxies }: Target, req: IncomingMessage): readonly string[] {
  const peer = req.socket.remoteAddress ?? '';
  if (trustedProxies === 0) return ['X-Forwarded-For', peer];
  const of = (wanted: string): string[] =>
    req.rawHeaders.filter((_, at) => at % 2 === 1 && (req.rawHeaders[at - 1] as string).toLowerCase() === wanted);
  const forwarded = of('forwarded');
  const common = of('x-forwarded-for');
  const quoted = isIP(peer) === 6 ? `"[${peer}]"` : peer;
  return [
    ...(forwarded.length === 0 ? [] : ['Forwarded', `${forwarded.join(', ')}, for=${quoted}`]),
    ...(forwarded.length > 0 && common.length === 0 ? [] : ['X-Forwarded-For', [...common, peer].join(', ')]),
  ];
}

/** Whether a part of the answer's raw headers is handed on. Node's server writes these two itself. */
function isAnswerLine(_part: string, at: number, parts: readonly string[]): boolean {
  const name = (parts[at - (at % 2)] as string).toLowerCase();
  return name !== 'transfer-encoding' && name !== 'date';
}

/** A WebSocket: its handshake goes on as a head of our own, the rest as it is. */
function handOver(target: Target, req: IncomingMessage, socket: Duplex, first: Buffer, upgraded: Set<Socket>): void {
  const head = headFor(target, req);
  if (head === undefined || 'refused' in head) return refuseRaw(socket, 400, 'not-http', 'the handshake cannot be read');
  const up = connect(target.port, '127.0.0.1');
  upgraded.add(up);
  const end = (): void => {
    upgraded.delete(up);
    up.destroy();
    socket.destroy();
  };
  up.once('connect', () => {
    const lines = head.headers.map((part, at) => (at % 2 === 0 ? `${part}: ` : `${part}\r\n`)).join('');
    up.write(`${req.method} ${head.path} HTTP/1.1\r\n${lines}\r\n`, 'latin1');
    if (first.length > 0) up.write(first);
    socket.pipe(up).pipe(socket);
  });
  for (const side of [up, socket]) {
    side.on('error', end);
    side.once('close', end);
  }
}

function bodyOf(code: string, message: string): string {
  return JSON.stringify({ error: { code, message, expected: 'a request of HTTP/1.1 (RFC 9112)' } });
}

function refuse(res: ServerResponse, [status, code, message]: Refused): void {
  const body = bodyOf(code, message);
  res.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close', ...(status === 503 ? { 'Retry-After': '1' } : {}) });
  res.end(body);
}

/** What Node's parser says of bytes that are no request. */
function refuseUnread(thrown: Error, socket: Duplex): void {
  const code = systemCodeOf(thrown);
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  if (code === 'HPE_HEADER_OVERFLOW') return refuseRaw(socket, 431, 'head-too-large', 'the head of the request is too large');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return refuseRaw(socket, 408, 'head-late', 'the head of the request did not arrive in time');
  refuseRaw(socket, 400, 'not-http', 'the request cannot be read');
}

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

function refuseRaw(socket: Duplex, status: number, code: string, message: string): void {
  const body = bodyOf(code, message);
  const head = `HTTP/1.1 ${status} ${reasons[status]}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`;
  socket.on('error', () => socket.destroy());
  socket.end(head + body);
}

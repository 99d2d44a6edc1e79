/**
 * What stands in front of an HTTP server with known faults (http-server.ts): Node's own server,
 * whose parser is strict, hands each request on over loopback as a proxy does, in a form that the
 * one after it reads rightly.
 *
 * Only Node 20's binary needs it, which is for development: each request costs a second parsing.
 *
 * Invariants:
 * 1. What is not HTTP/1.1 is refused here, and its connection ends: no byte after it is run as a
 *    request (front-turns.ts, front-socket.ts).
 * 2. Nothing is stored here: an answer is the ingress's own. A request that the ingress ends
 *    without one is answered 503, outcome unknown.
 * 3. Whose connection it is, is said to the ingress as by any proxy that is trusted; without other
 *    proxies a client's own words about it are dropped.
 * 4. Bodies flow at the pace of whoever reads them: nothing of them is kept here.
 * 5. Each client has at most one connection behind, and shares it with nobody.
 */
import type { ClientRequest, IncomingMessage, Server, ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { urlOf } from '../../ingest/http/listen.ts';
import type { IngressConfig } from '../../schemas/config.ts';
import { afterThisRound } from '../../schemas/kernel/clock.ts';
import { systemCodeOf } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import { headFor, isAnswerLine } from './front-head.ts';
import type { Refused } from './front-refusal.ts';
import { refuse, refuseRaw, refuseUnread } from './front-refusal.ts';
import { asksForWebSocket, handOver, readWithoutUpgrade } from './front-socket.ts';
import type { Turn, Turns } from './front-turns.ts';
import { createTurns } from './front-turns.ts';
import { listenFault } from './plain-server.ts';

/** How long a head may take to arrive. */
const httpHeadMaxMs = 10_000;

export interface StrictFront {
  readonly port: number;
  readonly url: string;
  /** Takes no more connections; what is in flight continues. */
  stopListening(): void;
  /** Ends what is left. */
  close(): Promise<void>;
}

/**
 * What the ingress is configured with behind the front: an address of its own, and one more proxy
 * in front of it.
 */
export function behindFront(config: IngressConfig): IngressConfig {
  return { ...config, host: '127.0.0.1', port: 0, trustedProxies: config.trustedProxies + 1 };
}

/**
 * Listens where `config` says, for the ingress on `ingressPort` of loopback. Throws `SluiceError`
 * `port-taken`, `address-unusable`.
 */
export async function openStrictFront(
  config: IngressConfig,
  ingressPort: number,
): Promise<StrictFront> {
  const { host, trustedProxies } = config;
  const agents = new Map<Duplex, Agent>();
  const target: Target = {
    agentOf: (socket) => agents.get(socket) ?? keptOpen(socket, agents),
    port: ingressPort,
    trustedProxies,
  };
  const sockets = new Map<Duplex, Turns>();
  const turnsOf = (socket: Duplex): Turns => sockets.get(socket) ?? createTurns(socket);
  const server = createServer(bounds, (req, res) => {
    if (!turnsOf(req.socket).take(turnOf(target, req, res))) refuse(res, tooManyWait);
  });
  server.maxHeadersCount = 2 * limits.httpHeadMaxLines;
  // Whoever sent all and said so still hears the answer. Node has had this since version 0.7, and
  // says it nowhere.
  Object.assign(server, { httpAllowHalfOpen: true });
  keepSockets(server, sockets);
  takeRaw(server, target, turnsOf);
  await listen(server, config);
  const actual = (server.address() as AddressInfo).port;
  return {
    port: actual,
    url: urlOf(host, actual),
    stopListening: () => void server.close(),
    async close() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      for (const socket of sockets.keys()) socket.destroy();
      await closed;
    },
  };
}

/** The turns of each connection, while it is open. */
function keepSockets(server: Server, sockets: Map<Duplex, Turns>): void {
  server.on('connection', (socket: Duplex) => {
    // Once more where a request with an Upgrade is read again.
    if (sockets.has(socket)) return;
    sockets.set(socket, createTurns(socket));
    socket.on('error', () => socket.destroy());
    socket.once('close', () => sockets.delete(socket));
  });
}

/** What has no response of Node's: upgrades, CONNECT, and what cannot be read. */
function takeRaw(server: Server, target: Target, turnsOf: (socket: Duplex) => Turns): void {
  const take = (req: IncomingMessage, socket: Duplex, start: Turn['start']): void => {
    if (!turnsOf(socket).take(turnWith(req, start))) socket.destroy();
  };
  server.on('upgrade', (req, socket, behind) =>
    take(req, socket, (done) => {
      if (asksForWebSocket(req)) return handOverTo(target, req, socket, behind);
      done();
      readWithoutUpgrade(server, req, socket, behind);
    }),
  );
  server.on('connect', (req, socket) =>
    take(req, socket, () =>
      refuseRaw(
        socket,
        405,
        'method-not-allowed',
        'this server is not a proxy: CONNECT is not supported',
      ),
    ),
  );
  server.on('clientError', (thrown, socket) =>
    turnsOf(socket).fail(() => refuseUnread(thrown, socket)),
  );
}

function listen(server: Server, { host, port }: IngressConfig): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    // Later ones are of connections that could not be accepted, as files ran out: the next one is
    // tried.
    server.on('error', (thrown) => reject(listenFault(thrown, { host, port, section: 'ingress' })));
    server.listen({ host, port }, resolve);
  });
}

/**
 * How long a connection behind is kept without a request: less than the server there keeps it, so
 * that none is written to while it is closed.
 */
const keptMs = 4_000;

const bounds = {
  maxHeaderSize: limits.httpHeadMaxBytes,
  headersTimeout: httpHeadMaxMs,
  /**
   * As the ingress itself: a client that keeps its connection must not find it closed sooner here.
   */
  keepAliveTimeout: httpHeadMaxMs,
  requestTimeout: 0,
  connectionsCheckingInterval: httpHeadMaxMs / 4,
};

const stops: Refused = [
  503,
  'draining',
  'the instance stops',
  { expected: 'send it again to another one' },
];
const noAnswer: Refused = [
  503,
  'no-answer',
  'the request was not answered',
  { expected: 'send it again, under the same id', outcome: 'unknown' },
];
const tooManyWait: Refused = [
  503,
  'too-many-waiting',
  'too many requests wait on this connection',
  { expected: 'fewer requests before their answers' },
];

function turnWith(req: IncomingMessage, start: Turn['start'], res?: ServerResponse): Turn {
  return { isComplete: () => req.complete, isAnswered: () => res?.headersSent === true, start };
}

function turnOf(target: Target, req: IncomingMessage, res: ServerResponse): Turn {
  return turnWith(
    req,
    (done) => {
      res.once('close', done);
      handOn(target, req, res);
    },
    res,
  );
}

function handOverTo(
  { port, trustedProxies }: Target,
  req: IncomingMessage,
  socket: Duplex,
  behind: Buffer,
): void {
  const head = headFor(trustedProxies, req);
  if (head === undefined || 'refused' in head)
    return refuseRaw(socket, 400, 'not-http', 'the handshake cannot be read');
  handOver(port, head, socket, behind);
}

function keptOpen(client: Duplex, agents: Map<Duplex, Agent>): Agent {
  const agent = new Agent({ keepAlive: true, timeout: keptMs, maxSockets: 1 });
  agents.set(client, agent);
  client.once('close', () => {
    agents.delete(client);
    agent.destroy();
  });
  return agent;
}

interface Target {
  /**
   * Each client has a connection of its own behind: how one client's ends is nothing to the others.
   */
  readonly agentOf: (client: Duplex) => Agent;
  readonly port: number;
  readonly trustedProxies: number;
}

function handOn(target: Target, req: IncomingMessage, res: ServerResponse): void {
  const head = headFor(target.trustedProxies, req);
  if (head === undefined)
    return void res.writeHead(204, { Allow: 'GET, HEAD, POST, OPTIONS' }).end();
  if ('refused' in head) return refuse(res, head.refused);
  const { agentOf, port } = target;
  res.on('error', () => res.destroy());
  const up: ClientRequest = request({
    agent: agentOf(req.socket),
    host: '127.0.0.1',
    port,
    method: req.method,
    path: head.path,
    headers: [...head.headers] as never,
  });
  let answered = false;
  let answerEnded = false;
  up.once('response', (answer) => {
    answered = true;
    res.writeHead(
      answer.statusCode ?? 502,
      answer.statusMessage,
      answer.rawHeaders.filter(isAnswerLine),
    );
    answer.pipe(res, { end: false });
    answer.once('end', () => {
      answerEnded = true;
      afterBody(req, () => res.end());
    });
    answer.once('error', () => res.destroy());
  });
  up.on('error', (thrown) => {
    if (answered || res.destroyed) return;
    // Nobody listens there any more: the instance stops.
    const refused = systemCodeOf(thrown) === 'ECONNREFUSED' ? stops : noAnswer;
    afterBody(req, () => refuse(res, refused));
  });
  res.once('close', () => {
    if (!res.writableFinished) up.destroy();
  });
  // Before any of the body: a length alone may be refused.
  up.flushHeaders();
  // An answer that is streamed begins long before the body of lines has ended.
  pour(req, up, () => answerEnded);
}

/**
 * Calls `then` once the body has ended, or has had its time: whoever still sends to a connection
 * that is closed loses the answer (RFC 9112, section 9.6).
 */
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
 * The body, a piece at a time, each read and judged before the next is written: who writes to a
 * connection that was closed after an early answer loses that answer. What comes behind an answer
 * is read and dropped, as the connection ends with it.
 */
function pour(req: IncomingMessage, up: ClientRequest, isOver: () => boolean): void {
  const next = (): void => afterThisRound(() => afterThisRound(() => req.resume()));
  const length = Number(req.headers['content-length'] ?? Number.NaN);
  let bytes = 0;
  req.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (isOver() || up.destroyed) return;
    const flows = up.write(chunk);
    // The last piece, as of most: nothing more is written.
    if (bytes === length) return;
    req.pause();
    if (flows) next();
    else up.once('drain', next);
  });
  req.once('end', () => up.end());
}

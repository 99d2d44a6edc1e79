/**
 * A few answers over HTTP beside the ingress: health, readiness, metrics. Node's own server, whose
 * parser is strict.
 *
 * Invariants:
 * 1. Only GET and HEAD, only the paths that are named; of others nothing is said.
 * 2. Where `isOwnHost` is given, a request whose Host it does not take gets 421 and nothing else.
 * 3. Connections are bounded, and so is the time that a request may take to arrive.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { urlOf } from '../../ingest/http/listen.ts';
import type { PlainAnswer } from '../../ingest/http/plain-answer.ts';
import { messageOf, SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';

/**
 * A listener for metrics or health: connections at once, and how long a request may take to
 * arrive.
 */
const plainConnectionsMax = 64;
const plainRequestMaxMs = 5_000;

export interface PlainServer {
  /** Without a path. */
  readonly url: string;
  close(): Promise<void>;
}

export interface PlainServerOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** The section of the configuration that has both. */
  readonly section: string;
  readonly isOwnHost?: (header: string) => boolean;
  /** By path. */
  readonly routes: Readonly<Record<string, () => Promise<PlainAnswer>>>;
}

/** Throws `SluiceError` `port-taken`, `address-unusable`. */
export async function servePlain(options: PlainServerOptions): Promise<PlainServer> {
  const { host, port } = options;
  const server = createServer(
    { headersTimeout: plainRequestMaxMs, requestTimeout: plainRequestMaxMs },
    (request, response) =>
      void answerTo(options, request, response).then((answer) => send(request, response, answer)),
  );
  server.maxConnections = plainConnectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (thrown) => reject(listenFault(thrown, options)));
    server.listen({ host, port }, resolve);
  });
  return {
    url: urlOf(host, (server.address() as AddressInfo).port),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const textAnswer = (status: number, line: string): PlainAnswer => ({
  status,
  contentType: 'text/plain',
  body: `${line}\n`,
});

async function answerTo(
  { isOwnHost, routes }: PlainServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<PlainAnswer> {
  const { method = '', url = '', headers } = request;
  if (isOwnHost?.(headers.host ?? '') === false)
    return textAnswer(421, 'this server does not answer to that host name');
  const path = url.split('?', 1)[0] as string;
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route === undefined) return textAnswer(404, 'there is nothing at this path');
  if (method !== 'GET' && method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD');
    return textAnswer(405, 'use GET on this path');
  }
  return route().catch((thrown: unknown) => textAnswer(503, messageOf(thrown)));
}

function send(
  { method }: IncomingMessage,
  response: ServerResponse,
  { status, contentType, body }: PlainAnswer,
): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(method === 'HEAD' ? undefined : body);
}

/** Why a server does not listen, as a `SluiceError` `port-taken` or `address-unusable`. */
export function listenFault(
  cause: unknown,
  { host, port, section }: Pick<PlainServerOptions, 'host' | 'port' | 'section'>,
): SluiceError {
  if (systemCodeOf(cause) === 'EADDRINUSE') {
    return new SluiceError('port-taken', `port ${port} of ${host} is taken`, {
      cause,
      fix: `stop the process that listens there, or set ${section}.port to another (0 means any free port)`,
    });
  }
  return new SluiceError(
    'address-unusable',
    `${section} cannot listen on port ${port} of ${host}: ${messageOf(cause)}`,
    {
      cause,
      fix: `set ${section}.host and ${section}.port to an address of this machine and a port that this user may use`,
    },
  );
}

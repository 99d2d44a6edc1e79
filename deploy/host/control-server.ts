/**
 * The control plane of a running instance: status, and commands, over HTTP on a Unix socket. Who
 * may connect is the file system's to say; no network reaches it, and no proxy or web page.
 *
 * Invariants:
 * 1. The socket's mode is 0600, in a folder that only its user can enter (control-place.ts).
 * 2. What a command sends is bounded, and so are connections.
 */
import { chmodSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { mebi } from '../../schemas/kernel/bytes.ts';
import { messageOf } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { ControlAnswer } from './commands.ts';
import { jsonAnswer } from './commands.ts';
import type { ControlPlace } from './control-place.ts';
import { makeControlPlace, makeRuntimePlace } from './control-place.ts';

/** What a command sends, and connections at once. */
export const controlRequestMaxBytes = mebi;
export const controlConnectionsMax = 64;
/** How long a command may take to arrive. */
const controlRequestMaxMs = 5_000;

export interface ControlRoutes {
  /** GET, by path. */
  readonly reads: Readonly<Record<string, () => Promise<ControlAnswer>>>;
  /** POST, by path; `body` is the JSON text. */
  readonly commands?: Readonly<Record<string, Command>>;
}

/** `gone` aborts when whoever sent the command hangs up before it is answered. */
type Command = (body: string, gone: AbortSignal) => Promise<ControlAnswer>;

export interface ControlServer {
  readonly socket: string;
  close(): Promise<void>;
}

/**
 * Listens for the instance on `dir`, whose lock the caller holds. Throws `SluiceError`
 * `socket-path-too-long`.
 */
export async function serveControl(dir: string, routes: ControlRoutes): Promise<ControlServer> {
  const server = createServer(
    { connectionsCheckingInterval: controlRequestMaxMs / 5 },
    (request, response) =>
      void answerTo(routes, request, hangUp(response)).then((answer) => send(response, answer)),
  );
  server.maxConnections = controlConnectionsMax;
  // Whoever asks nothing, or reads no answer, gives its place to others.
  server.requestTimeout = controlRequestMaxMs;
  server.headersTimeout = controlRequestMaxMs;
  server.setTimeout(2 * limits.controlAnswerMaxMs);
  // Some shared folders, such as those of virtual machines, hold files and no sockets.
  const place = await listenIn(server, makeControlPlace(dir)).catch(() =>
    listenIn(server, makeRuntimePlace(dir)),
  );
  return {
    socket: place.socket,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          place.remove();
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function hangUp(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}

async function listenIn(server: Server, place: ControlPlace): Promise<ControlPlace> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(place.socket, () => {
        server.off('error', reject);
        resolve();
      });
    });
    chmodSync(place.socket, 0o600);
    return place;
  } catch (thrown) {
    place.remove();
    throw thrown;
  }
}

async function answerTo(
  { reads, commands = {} }: ControlRoutes,
  request: IncomingMessage,
  gone: AbortSignal,
): Promise<ControlAnswer> {
  const path = request.url ?? '';
  try {
    if (request.method === 'GET' && Object.hasOwn(reads, path))
      return await (reads[path] as () => Promise<ControlAnswer>)();
    if (request.method === 'POST' && Object.hasOwn(commands, path)) {
      const body = await readBody(request);
      if (body === undefined) {
        const message = `a command has at most ${controlRequestMaxBytes} bytes`;
        return jsonAnswer(413, { code: 'command-too-large', message });
      }
      return await (commands[path] as Command)(body, gone);
    }
    return jsonAnswer(404, {
      code: 'command-unknown',
      message: 'this instance does not know that command',
    });
  } catch (thrown) {
    return jsonAnswer(503, { code: 'command-failed', message: messageOf(thrown) });
  }
}

/**
 * Undefined when it is too long: it is read to its end, as the answer would not arrive otherwise,
 * and not kept.
 */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= controlRequestMaxBytes) chunks.push(chunk);
  }
  return bytes > controlRequestMaxBytes ? undefined : Buffer.concat(chunks).toString('utf8');
}

function send(response: ServerResponse, { status, contentType, body }: ControlAnswer): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
  });
  response.end(body);
}

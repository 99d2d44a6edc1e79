/**
 * Requests with an Upgrade that pass the strict front: a WebSocket is handed over once the ingress
 * has accepted it, and not before; what asks for another protocol is read as a request without an
 * Upgrade (RFC 9110, section 7.8).
 *
 * Invariant: no byte of a client reaches the server behind unread, but those of a WebSocket that
 * was accepted.
 */
import type { IncomingMessage, Server } from 'node:http';
import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { Head } from './front-head.ts';
import { isAnswerLine } from './front-head.ts';
import { linger, refuseRaw } from './front-refusal.ts';

export function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  const wanted = headers.upgrade ?? '';
  return (
    method === 'GET' && wanted.split(',').some((name) => name.trim().toLowerCase() === 'websocket')
  );
}

/** Gives the connection back to the server, the request without its Upgrade first. */
export function readWithoutUpgrade(
  server: Server,
  req: IncomingMessage,
  socket: Duplex,
  behind: Buffer,
): void {
  const { method, url, httpVersion, rawHeaders } = req;
  const lines = textOfLines(
    rawHeaders.filter((_, at) => (rawHeaders[at - (at % 2)] as string).toLowerCase() !== 'upgrade'),
  );
  socket.unshift(
    Buffer.concat([
      Buffer.from(`${method} ${url} HTTP/${httpVersion}\r\n${lines}\r\n`, 'latin1'),
      behind,
    ]),
  );
  server.emit('connection', socket);
}

/** `first`: what came behind the handshake already. */
export function handOver(
  port: number,
  { path, headers }: Head,
  socket: Duplex,
  first: Buffer,
): void {
  const up = request({
    agent: false,
    host: '127.0.0.1',
    port,
    method: 'GET',
    path,
    headers: [...headers] as never,
  });
  up.once('upgrade', ({ statusCode, statusMessage, rawHeaders }, behind, answered) => {
    socket.write(
      `HTTP/1.1 ${statusCode} ${statusMessage}\r\n${textOfLines(rawHeaders)}\r\n`,
      'latin1',
    );
    socket.write(answered);
    behind.write(first);
    join(socket, behind);
  });
  up.once('response', (answer) => {
    const lines = textOfLines([
      ...answer.rawHeaders.filter(isAnswerLine).filter(isOfAnswerAlone),
      'Connection',
      'close',
    ]);
    socket.write(`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${lines}\r\n`, 'latin1');
    answer.once('error', () => socket.destroy());
    answer.pipe(socket);
    answer.once('end', () => linger(socket));
  });
  up.on('error', (thrown) => {
    if (systemCodeOf(thrown) === 'ECONNREFUSED')
      refuseRaw(socket, 503, 'draining', 'the instance stops');
    else socket.destroy();
  });
  socket.once('close', () => up.destroy());
  up.end();
}

function join(client: Duplex, behind: Duplex): void {
  client.pipe(behind).pipe(client);
  behind.on('error', () => behind.destroy());
  // What was written last still arrives: it says why the connection ends.
  behind.once('close', () => {
    client.end();
    linger(client);
  });
  client.once('close', () => behind.destroy());
}

function textOfLines(parts: readonly string[]): string {
  return parts.map((part, at) => (at % 2 === 0 ? `${part}: ` : `${part}\r\n`)).join('');
}

function isOfAnswerAlone(_part: string, at: number, parts: readonly string[]): boolean {
  const name = (parts[at - (at % 2)] as string).toLowerCase();
  return name !== 'connection' && name !== 'keep-alive';
}

/**
 * What the strict front answers itself: requests that are not HTTP/1.1, and those that come when
 * nobody listens after it.
 */

import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { RefusedCode } from '../../schemas/kernel/error-codes.ts';
import { systemCodeOf } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';

export type Refused = readonly [status: number, code: RefusedCode, message: string, more?: More];

interface More {
  readonly expected: string;
  readonly outcome?: 'unknown';
}

function bodyOf(
  code: RefusedCode,
  message: string,
  more: More = { expected: 'a request of HTTP/1.1 (RFC 9112)' },
): string {
  return JSON.stringify({ error: { code, message, ...more } });
}

export function refuse(res: ServerResponse, [status, code, message, more]: Refused): void {
  const body = bodyOf(code, message, more);
  res.writeHead(status, {
    'Content-Type': 'application/json',
    Connection: 'close',
    ...(status === 503 ? { 'Retry-After': '1' } : {}),
  });
  res.end(body);
}

/** What Node's parser says of bytes that are no request. */
export function refuseUnread(thrown: Error, socket: Duplex): void {
  const code = systemCodeOf(thrown);
  if (code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  if (code === 'HPE_HEADER_OVERFLOW')
    return refuseRaw(socket, 431, 'head-too-large', 'the head of the request is too large');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return refuseRaw(socket, 408, 'head-late', 'the head of the request did not arrive in time');
  refuseRaw(socket, 400, 'not-http', 'the request cannot be read');
}

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable',
};

export function refuseRaw(
  socket: Duplex,
  status: number,
  code: RefusedCode,
  message: string,
): void {
  const body = bodyOf(code, message);
  const head = `HTTP/1.1 ${status} ${reasons[status]}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n`;
  socket.end(head + body);
  linger(socket);
}

/**
 * Drops what still comes, for as long as the answer may need; then the connection ends, whatever
 * the client does.
 */
export function linger(socket: Duplex): void {
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), limits.httpLingerMs);
  socket.once('close', () => clearTimeout(timer));
}

/**
 * HTTP/1.1 on a raw keep-alive socket, one request under way: the injector must cost less than what
 * it measures.
 */
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { LoadAnswer, LoadConnection, LoadRequest } from './connection.ts';
import { noAnswer } from './connection.ts';

export interface HttpTarget {
  readonly url: URL;
  /** `team/app` */
  readonly stream: string;
  readonly apiKey: string | undefined;
  /** Epoch ms. */
  readonly now: () => number;
}

const headEnd = '\r\n\r\n';

export function httpConnection(
  { url, stream, apiKey, now }: HttpTarget,
  ready: () => void,
): LoadConnection {
  const port = Number(url.port || 80);
  const fixed =
    `POST /v1/${stream} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Type: application/json\r\n` +
    // A CloudEvent in binary mode: what a stream takes whatever its envelope or pointers.
    'ce-specversion: 1.0\r\nce-type: sluice.load\r\nce-source: /sluice/load\r\n' +
    (apiKey === undefined ? '' : `Authorization: Bearer ${apiKey}\r\n`);
  let socket: Socket | undefined;
  let open = false;
  let closed = false;
  let done: ((answer: LoadAnswer) => void) | undefined;
  let received = '';

  const settle = (answer: LoadAnswer): void => {
    const then = done;
    done = undefined;
    received = '';
    then?.(answer);
  };
  const dial = (): Socket => {
    received = '';
    const dialed = connect(port, url.hostname);
    socket = dialed;
    dialed.setNoDelay(true);
    dialed.once('connect', () => {
      open = true;
      ready();
    });
    dialed.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      const answer = readAnswer(received);
      if (answer === undefined) return;
      settle(answer);
      ready();
    });
    dialed.once('error', () => undefined);
    dialed.once('close', () => {
      const was = open;
      open = false;
      if (done !== undefined) settle(noAnswer(was ? 'reset' : 'connect'));
      if (closed) return;
      // The first request that finds no server is told so; the next one dials again.
      socket = undefined;
      ready();
    });
    return dialed;
  };
  dial();
  return {
    get room() {
      return !closed && done === undefined && (open || socket === undefined) ? 1 : 0;
    },
    send(request, then) {
      done = then;
      if (socket !== undefined) {
        socket.write(textOf(fixed, request, now()));
        return;
      }
      const dialed = dial();
      dialed.once('connect', () => dialed.write(textOf(fixed, request, now())));
    },
    close() {
      closed = true;
      socket?.destroy();
    },
  };
}

function textOf(fixed: string, { id, key, body }: LoadRequest, nowMs: number): string {
  return `${fixed}ce-id: ${id}\r\nce-partitionkey: ${key}\r\nX-Client-Timestamp: ${nowMs}\r\nContent-Length: ${Buffer.byteLength(body)}${headEnd}${body}`;
}

/**
 * A whole answer, or undefined while more must come. The server's answers to single events have a
 * Content-Length. Pure.
 */
export function readAnswer(text: string): LoadAnswer | undefined {
  const end = text.indexOf(headEnd);
  if (end < 0) return undefined;
  const head = text.slice(0, end + 2);
  const length = Number(header(head, 'content-length') ?? 0);
  const body = text.slice(end + headEnd.length);
  if (body.length < length) return undefined;
  const status = Number(head.slice(9, 12));
  const timing = header(head, 'server-timing');
  const bus = timing === undefined ? undefined : /bus;dur=([\d.]+)/.exec(timing)?.[1];
  return {
    status,
    ack: header(head, 'x-sluice-ack') ?? '',
    route: status < 300 ? (/"route":"(\w+)"/.exec(body)?.[1] ?? '') : '',
    networkMs: millis(header(head, 'x-network-latency')),
    processingMs: millis(header(head, 'x-processing-latency')),
    busMs: bus === undefined ? undefined : Number(bus),
    error: status < 300 ? '' : (/"code":"([^"]+)"/.exec(body)?.[1] ?? `status-${status}`),
    unknown: body.includes('"outcome":"unknown"'),
  };
}

function header(head: string, name: string): string | undefined {
  const at = head.toLowerCase().indexOf(`\r\n${name}:`);
  if (at < 0) return undefined;
  return head.slice(at + name.length + 3, head.indexOf('\r\n', at + 2)).trim();
}

function millis(text: string | undefined): number | undefined {
  const value = Number.parseFloat(text ?? '');
  return Number.isNaN(value) ? undefined : value;
}

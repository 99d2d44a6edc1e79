/**
 * HTTP/1.1 on a raw keep-alive socket, one request in flight: the injector must cost less than what
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

export function httpConnection(target: HttpTarget, ready: () => void): LoadConnection {
  return new HttpConnection(target, ready);
}

class HttpConnection implements LoadConnection {
  readonly #target: HttpTarget;
  /** There is room again, or more to be told. */
  readonly #ready: () => void;
  /** What every request begins with. */
  readonly #head: string;
  #socket: Socket | undefined;
  #isOpen = false;
  #isClosed = false;
  /** Of the request in flight. */
  #then: ((answer: LoadAnswer) => void) | undefined;
  #received = '';

  constructor(target: HttpTarget, ready: () => void) {
    this.#target = target;
    this.#ready = ready;
    this.#head = headOf(target);
    this.#dial();
  }

  get room(): number {
    const canSend = this.#isOpen || this.#socket === undefined;
    return !this.#isClosed && this.#then === undefined && canSend ? 1 : 0;
  }

  send(request: LoadRequest, then: (answer: LoadAnswer) => void): void {
    this.#then = then;
    if (this.#socket !== undefined) {
      this.#write(this.#socket, request);
      return;
    }
    const dialed = this.#dial();
    dialed.once('connect', () => this.#write(dialed, request));
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
  }

  #dial(): Socket {
    const { url } = this.#target;
    this.#received = '';
    const dialed = connect(Number(url.port || 80), url.hostname);
    this.#socket = dialed;
    dialed.setNoDelay(true);
    dialed.once('connect', () => {
      this.#isOpen = true;
      this.#ready();
    });
    dialed.on('data', (chunk: Buffer) => this.#hear(chunk));
    dialed.once('error', () => undefined);
    dialed.once('close', () => this.#end());
    return dialed;
  }

  #write(socket: Socket, request: LoadRequest): void {
    socket.write(textOf(this.#head, request, this.#target.now()));
  }

  #hear(chunk: Buffer): void {
    this.#received += chunk.toString('latin1');
    const answer = readAnswer(this.#received);
    if (answer === undefined) return;
    this.#settle(answer);
    this.#ready();
  }

  /** The first request that finds no server is told so; the next one dials again. */
  #end(): void {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    if (this.#then !== undefined) this.#settle(noAnswer(wasOpen ? 'reset' : 'connect'));
    if (this.#isClosed) return;
    this.#socket = undefined;
    this.#ready();
  }

  #settle(answer: LoadAnswer): void {
    const then = this.#then;
    this.#then = undefined;
    this.#received = '';
    then?.(answer);
  }
}

function headOf({ url, stream, apiKey }: HttpTarget): string {
  return (
    `POST /v1/${stream} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Type: application/json\r\n` +
    // A CloudEvent in binary mode: what a stream takes whatever its envelope or pointers.
    'ce-specversion: 1.0\r\nce-type: sluice.load\r\nce-source: /sluice/load\r\n' +
    (apiKey === undefined ? '' : `Authorization: Bearer ${apiKey}\r\n`)
  );
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

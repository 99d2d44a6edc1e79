/**
 * An HTTP proxy in front of a server of S3 or Firehose that does with each request what a test says: it hands requests on with their own head
 * (signatures cover it), so the server sees what the client sent.
 *
 * Conditional writes go on one after the other: S3 decides each of them atomically, moto looks and writes in two steps.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';

const wait = promisify(setTimeout);

export type Fault =
  | { readonly kind: 'pass' }
  /** Handed on after a pause. */
  | { readonly kind: 'late'; readonly ms: number }
  /** Handed on when a test says so. */
  | { readonly kind: 'held'; readonly until: Promise<void> }
  /** The connection ends before the server hears of it. */
  | { readonly kind: 'reset' }
  /** The server does it, and nobody hears of that. */
  | { readonly kind: 'lost-reply' }
  /** The server does it, and half of the answer's body comes. */
  | { readonly kind: 'half-reply' }
  /** Answered instead of the server. */
  | { readonly kind: 'answer'; readonly status: number; readonly body: string; readonly contentType?: string };

export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface FaultProxy {
  readonly endpoint: string;
  /** Every request, in the order they came. */
  readonly asked: Asked[];
  /** What becomes of a request; `nth` counts from 0. */
  decide: (asked: Asked, nth: number) => Fault;
  close(): Promise<void>;
}

export const pass: Fault = { kind: 'pass' };
/** What S3 says when it is asked too often. */
export const slowDown: Fault = {
  kind: 'answer',
  status: 503,
  body: '<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>',
};

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  let writing: Promise<unknown> = Promise.resolve();

  const forward = (asked: Asked): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const out = request(`${target}${asked.path}`, { method: asked.method, headers: asked.headers, agent }, (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.once('end', () => resolve({ status: res.statusCode ?? 502, headers: res.headers, body: Buffer.concat(chunks) }));
        res.once('error', reject);
      });
      out.once('error', reject);
      out.end(asked.body);
    });

  const inTurn = (asked: Asked): Promise<Reply> => {
    if (asked.headers['if-none-match'] === undefined && asked.headers['if-match'] === undefined) return forward(asked);
    const next = writing.then(() => forward(asked));
    writing = next.catch(() => undefined);
    return next;
  };

  const carryOut = async (asked: Asked, fault: Fault, res: ServerResponse): Promise<void> => {
    if (fault.kind === 'reset') {
      res.destroy();
      return;
    }
    if (fault.kind === 'answer') {
      res.writeHead(fault.status, { 'content-type': fault.contentType ?? 'application/xml' }).end(fault.body);
      return;
    }
    if (fault.kind === 'late') await wait(fault.ms);
    if (fault.kind === 'held') await fault.until;
    const reply = await inTurn(asked);
    if (fault.kind === 'lost-reply') {
      res.destroy();
      return;
    }
    res.writeHead(reply.status, reply.headers);
    if (fault.kind === 'half-reply') {
      res.write(reply.body.subarray(0, reply.body.length / 2), () => res.destroy());
      return;
    }
    res.end(reply.body);
  };

  const server = createServer((req: IncomingMessage, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.once('end', () => {
      const asked: Asked = { method: req.method ?? '', path: req.url ?? '', headers: req.headers, body: Buffer.concat(chunks) };
      proxy.asked.push(asked);
      carryOut(asked, proxy.decide(asked, proxy.asked.length - 1), res).catch(() => res.destroy());
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const proxy: FaultProxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    decide: () => pass,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        agent.destroy();
      }),
  };
  return proxy;
}

/**
 * An HTTP proxy that does with each request what a test says, in front of the emulators of AWS,
 * which never fail by themselves: late answers, connections cut before or after the request was
 * carried out, refusals, and records of a PutRecords that are refused one by one. It hands requests
 * on with their own head (signatures cover it), so the server sees what the client sent.
 *
 * Conditional writes go on one after the other: S3 decides each of them atomically, moto looks and
 * writes in two steps.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { cbor } from '@smithy/core/cbor';

const wait = promisify(setTimeout);

export type Fault =
  | { readonly kind: 'pass' }
  /** Handed on after a pause. */
  | { readonly kind: 'late'; readonly ms: number }
  /** Handed on when a test lets it go. */
  | { readonly kind: 'held'; readonly until: Promise<void> }
  /** The connection ends before the server hears of it. */
  | { readonly kind: 'reset' }
  /** The server does it, and nobody hears of that. */
  | { readonly kind: 'lost-reply' }
  /** The server does it, and half of the answer's body comes. */
  | { readonly kind: 'half-reply' }
  /**
   * The server does it; its answer begins, and goes on with white space that never ends, as S3
   * sends it while it completes an upload.
   */
  | { readonly kind: 'endless-reply' }
  /** Answered instead of the server. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly body: string | Uint8Array;
      readonly contentType?: string;
    }
  /**
   * Of PutRecords: every `every`th record, counted over all of them, is answered as throttled and
   * not handed on.
   */
  | { readonly kind: 'refuse-records'; readonly every: number };

export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** Such as `GetRecords`, of AWS' JSON and CBOR protocols; empty for others. */
  readonly operation: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface FaultProxy {
  readonly endpoint: string;
  /** Every request in the order they came, when they are to be kept. */
  readonly asked: Asked[];
  /** What becomes of a request; `nth` counts from 0, anew when this is set. At first: `pass`. */
  decide: (asked: Asked, nth: number) => Fault;
  /** Requests, or records of one, that did not get through as they should. */
  readonly happened: number;
  close(): Promise<void>;
}

export const pass: Fault = { kind: 'pass' };
/** What S3 says when it is asked too often. */
export const slowDown: Fault = {
  kind: 'answer',
  status: 503,
  body: '<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>',
};
/** What Kinesis says when a shard is asked too often. */
export const throttled: Fault = {
  kind: 'answer',
  status: 400,
  body: JSON.stringify({
    __type: 'ProvisionedThroughputExceededException',
    message: 'Rate exceeded for shard',
  }),
  contentType: 'application/x-amz-json-1.1',
};
/** What Firehose says when it is given too much. */
export const hoseThrottled: Fault = {
  kind: 'answer',
  status: 503,
  body: JSON.stringify({ __type: 'ServiceUnavailableException', message: 'Slow down.' }),
  contentType: 'application/x-amz-json-1.1',
};
const recordThrottled = {
  ErrorCode: 'ProvisionedThroughputExceededException',
  ErrorMessage: 'Rate exceeded for shard',
};
/** Far below the time that a client lets a socket be silent. */
const dripMs = 20;

interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface FaultProxyOptions {
  /** Whether `asked` is kept. Default false. */
  readonly keep?: boolean;
}

export async function startFaultProxy(
  target: string,
  { keep = false }: FaultProxyOptions = {},
): Promise<FaultProxy> {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  let writing: Promise<unknown> = Promise.resolve();
  let happened = 0;
  let requests = 0;
  let recordsAsked = 0;
  let decide: FaultProxy['decide'] = () => pass;

  const forward = ({ method, path, headers, body }: Asked): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const sized = { ...headers, 'content-length': String(body.length) };
      const out = request(
        `${target}${path}`,
        { method, headers: body.length > 0 ? sized : headers, agent },
        (res) => {
          const chunks: Buffer[] = [];
          res.on('data', (chunk: Buffer) => chunks.push(chunk));
          res.once('end', () =>
            resolve({
              status: res.statusCode ?? 502,
              headers: res.headers,
              body: Buffer.concat(chunks),
            }),
          );
          res.once('error', reject);
        },
      );
      out.once('error', reject);
      out.end(body);
    });

  const inTurn = (asked: Asked): Promise<Reply> => {
    if (asked.headers['if-none-match'] === undefined && asked.headers['if-match'] === undefined)
      return forward(asked);
    const next = writing.then(() => forward(asked));
    writing = next.catch(() => undefined);
    return next;
  };

  /**
   * Hands on the other records, and puts the answers together in the records' order. Emulators do
   * not look at the signature.
   */
  const refuseRecords = async (asked: Asked, every: number): Promise<Reply> => {
    const { Records: records, ...rest } = cbor.deserialize(asked.body) as {
      readonly Records: readonly unknown[];
    };
    const from = recordsAsked;
    recordsAsked += records.length;
    const isRefused = (n: number): boolean => (from + n) % every === every - 1;
    const taken = records.filter((_, n) => !isRefused(n));
    happened += records.length - taken.length;
    let given: unknown[] = [];
    if (taken.length > 0) {
      const reply = await forward({
        ...asked,
        body: Buffer.from(cbor.serialize({ ...rest, Records: taken })),
      });
      if (reply.status !== 200) return reply;
      given = (cbor.deserialize(reply.body) as { Records: unknown[] }).Records;
    }
    const outcomes = records.map((_, n) => (isRefused(n) ? recordThrottled : given.shift()));
    const body = Buffer.from(
      cbor.serialize({ FailedRecordCount: records.length - taken.length, Records: outcomes }),
    );
    return {
      status: 200,
      headers: {
        'content-type': 'application/x-amz-cbor-1.1',
        'content-length': String(body.length),
      },
      body,
    };
  };

  const carryOut = async (asked: Asked, fault: Fault, res: ServerResponse): Promise<void> => {
    if (fault.kind !== 'pass' && fault.kind !== 'refuse-records') happened++;
    if (fault.kind === 'reset') {
      res.destroy();
      return;
    }
    if (fault.kind === 'answer') {
      res
        .writeHead(fault.status, { 'content-type': fault.contentType ?? 'application/xml' })
        .end(fault.body);
      return;
    }
    if (fault.kind === 'late') await wait(fault.ms);
    if (fault.kind === 'held') await fault.until;
    const refusing = fault.kind === 'refuse-records' && asked.operation === 'PutRecords';
    const reply = await (refusing ? refuseRecords(asked, fault.every) : inTurn(asked));
    if (fault.kind === 'lost-reply') {
      res.destroy();
      return;
    }
    if (fault.kind === 'endless-reply') {
      const { 'content-length': _length, ...headers } = reply.headers;
      res.writeHead(reply.status, { ...headers, 'transfer-encoding': 'chunked' });
      while (!res.destroyed) {
        res.write(' ');
        await wait(dripMs);
      }
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
      const { method = '', url: path = '', headers } = req;
      const operation = String(headers['x-amz-target'] ?? '').split('.')[1] ?? '';
      const asked: Asked = { method, path, operation, headers, body: Buffer.concat(chunks) };
      if (keep) proxy.asked.push(asked);
      carryOut(asked, decide(asked, requests++), res).catch(() => res.destroy());
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const proxy: FaultProxy = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    get decide() {
      return decide;
    },
    set decide(next) {
      decide = next;
      requests = 0;
      recordsAsked = 0;
    },
    get happened() {
      return happened;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        agent.destroy();
      }),
  };
  return proxy;
}

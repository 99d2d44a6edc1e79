/**
 * An HTTP proxy that fails on command, in front of the emulators, which never do: late answers, connections cut before or after the request was
 * carried out, refusals, and records of a PutRecords that are refused one by one.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { cbor } from '@smithy/core/cbor';
import { freePort } from './free-port.ts';

export type Fault =
  | { readonly kind: 'none' }
  /** The connection is cut, and the server never sees the request. */
  | { readonly kind: 'reset' }
  /** The server carries it out; the connection is cut instead of the answer. */
  | { readonly kind: 'lost-reply' }
  | { readonly kind: 'answer'; readonly status: number; readonly body: string; readonly headers?: Readonly<Record<string, string>> }
  /** Of a PutRecords: every `every`th record is answered as throttled and not handed on. */
  | { readonly kind: 'refuse-records'; readonly every: number };

export interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
  /** Such as `GetRecords`, of AWS' JSON and CBOR protocols; empty for others. */
  readonly operation: string;
}

export interface FaultProxy {
  readonly endpoint: string;
  /** What happens to each request from here on, after `latencyMs` of it. */
  on(decide: (asked: ProxiedRequest) => Fault, latencyMs?: number): void;
  clear(): void;
  /** Requests, or records of one, that something happened to. */
  readonly happened: number;
  stop(): Promise<void>;
}

const none: Fault = { kind: 'none' };

export async function faultProxy(target: string): Promise<FaultProxy> {
  const { hostname, port: targetPort } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  let decide: (asked: ProxiedRequest) => Fault = () => none;
  let latencyMs = 0;
  let happened = 0;

  const forward = (req: IncomingMessage, body: Buffer): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const headers = { ...req.headers, 'content-length': String(body.length) };
      delete headers['transfer-encoding'];
      const out = request({ hostname, port: targetPort, method: req.method, path: req.url, headers, agent }, resolve);
      out.once('error', reject);
      out.end(body);
    });

  const handle = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const body = await bytesOf(req);
    const operation = String(req.headers['x-amz-target'] ?? '').split('.')[1] ?? '';
    const fault = decide({ method: req.method ?? '', path: req.url ?? '', operation });
    if (latencyMs > 0) await sleep(latencyMs);
    if (fault.kind === 'refuse-records' && operation === 'PutRecords') return refuseRecords(req, res, body, fault.every);
    if (fault.kind !== 'none' && fault.kind !== 'refuse-records') happened++;
    if (fault.kind === 'reset') return void req.socket.destroy();
    if (fault.kind === 'answer') return void res.writeHead(fault.status, fault.headers).end(fault.body);
    const answer = await forward(req, body);
    if (fault.kind === 'lost-reply') {
      await bytesOf(answer);
      return void req.socket.destroy();
    }
    res.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(res);
  };

  /** Hands on the others, and puts the answers together in the records' order. The signature is not looked at by emulators. */
  const refuseRecords = async (req: IncomingMessage, res: ServerResponse, body: Buffer, every: number): Promise<void> => {
    const asked = cbor.deserialize(body) as { Records: unknown[] };
    const isRefused = asked.Records.map((_, n) => n % every === every - 1);
    const rest = { ...asked, Records: asked.Records.filter((_, n) => isRefused[n] !== true) };
    happened += isRefused.filter(Boolean).length;
    const refusal = { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'Rate exceeded for shard' };
    let given: unknown[] = [];
    if (rest.Records.length > 0) {
      const answer = await forward(req, Buffer.from(cbor.serialize(rest)));
      const bytes = await bytesOf(answer);
      if (answer.statusCode !== 200) return void res.writeHead(answer.statusCode ?? 502, answer.headers).end(bytes);
      given = (cbor.deserialize(bytes) as { Records: unknown[] }).Records;
    }
    const records = isRefused.map((refused) => (refused ? refusal : given.shift()));
    const reply = Buffer.from(cbor.serialize({ FailedRecordCount: isRefused.filter(Boolean).length, Records: records }));
    res.writeHead(200, { 'content-type': 'application/x-amz-cbor-1.1', 'content-length': String(reply.length) }).end(reply);
  };

  const server = createServer((req, res) => {
    handle(req, res).catch(() => req.socket.destroy());
  });
  const port = await freePort();
  await new Promise<void>((resolve) => void server.listen(port, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${port}`,
    on(next, ms = 0) {
      decide = next;
      latencyMs = ms;
    },
    clear() {
      decide = () => none;
      latencyMs = 0;
    },
    get happened() {
      return happened;
    },
    stop: () =>
      new Promise((resolve) => {
        agent.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function bytesOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

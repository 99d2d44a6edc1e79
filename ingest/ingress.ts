/**
 * The ingress over HTTP: uWebSockets.js in front, pure decisions in the middle, record writers behind.
 *
 * Invariants:
 * 1. Durable first, answer second: a 2xx leaves only after every event it speaks of was settled as applied by a writer.
 * 2. Every admitted request is answered exactly once, or its client has gone; its bytes are released exactly once.
 * 3. Nothing of a body that did not arrive whole is written.
 * 4. Conservation: each event found in a body, and each request refused before that, is counted once, as accepted or as refused.
 */

import type { HttpResponse } from 'uWebSockets.js';
import uws from 'uWebSockets.js';
import type { SluiceConfig, StreamConfig } from '../schemas/config.ts';
import type { Clock } from '../schemas/kernel/clock.ts';
import { SluiceError } from '../schemas/kernel/errors.ts';
import type { Random } from '../schemas/kernel/random.ts';
import { uuidv7 } from '../schemas/kernel/random.ts';
import { limits } from '../schemas/limits.ts';
import type { Path } from '../schemas/ports/record.ts';
import { paths } from '../schemas/ports/record.ts';
import type { RecordWriter } from '../schemas/ports/record-writer.ts';
import type { Batcher } from './delivery/batcher.ts';
import { createBatcher } from './delivery/batcher.ts';
import type { RouteLimits } from './delivery/route.ts';
import { decideRoute } from './delivery/route.ts';
import { decompress, encodingOf } from './http/decompress.ts';
import { listen } from './http/listen.ts';
import type { LocalRoutes } from './http/local-routes.ts';
import { mountLocal } from './http/local-routes.ts';
import type { PlainAnswer } from './http/plain-answer.ts';
import { serve, statusTexts } from './http/plain-answer.ts';
import type { IncomingRequest } from './http/request.ts';
import { collectBody, readHead } from './http/request.ts';
import type { Answer, EventResult } from './protocol/answer.ts';
import { answerBatch, answerRefusal, answerSingle, resultOf } from './protocol/answer.ts';
import type { RequestHead } from './protocol/attributes.ts';
import { bodyKindOf, readEvents } from './protocol/events.ts';
import type { Refusal } from './protocol/refusal.ts';
import { isRefusal } from './protocol/refusal.ts';
import type { IngressCounts } from './telemetry/metrics.ts';
import { ingressMetrics } from './telemetry/metrics.ts';

export interface IngressOptions {
  readonly config: Pick<SluiceConfig, 'streams' | 'routing' | 'ingress'>;
  readonly writers: Readonly<Record<Path, RecordWriter>>;
  readonly clock: Clock;
  readonly random: Random;
  /** Further routes by path, answered to this machine only: they tell about the inside, and command it. */
  readonly local?: LocalRoutes;
}

export interface Ingress {
  readonly port: number;
  readonly url: string;
  counts(): IngressCounts;
  /** Readiness off, no new connections, pending requests answered; what cannot finish within `limits.drainMs` gets 503. */
  drain(): Promise<void>;
}

interface BoundStream {
  readonly config: StreamConfig;
  readonly bounds: RouteLimits;
  readonly batchers: Readonly<Record<Path, Batcher>>;
}

interface Pending {
  readonly res: HttpResponse;
  readonly head: IncomingRequest;
  readonly requestId: string;
  /** Epoch ms and monotonic ms of its first byte. */
  readonly receivedAtMs: number;
  readonly startedMs: number;
  /** Monotonic ms when the body was whole, and when its events were found. */
  bodyMs: number | undefined;
  checkedMs: number | undefined;
  heldBytes: number;
  open: boolean;
}

const requestIdPattern = /^[A-Za-z0-9._-]{1,128}$/;
const traceparentPattern = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const drainPollMs = 10;
const retryAfterSeconds = '1';

/** Starts listening. Throws `SluiceError` `port-taken`, `stream-missing`, `route-impossible`. */
export async function createIngress(options: IngressOptions): Promise<Ingress> {
  const { config, clock, random } = options;
  const streams = await bindStreams(options);
  const metrics = ingressMetrics();
  const pending = new Set<Pending>();
  let inFlightBytes = 0;
  let draining = false;

  const newId = (): string => uuidv7(clock.now(), random);

  const hold = (request: Pending, bytes: number): void => {
    request.heldBytes += bytes;
    inFlightBytes += bytes;
  };

  const release = (request: Pending): void => {
    inFlightBytes -= request.heldBytes;
    request.heldBytes = 0;
    request.open = false;
    pending.delete(request);
  };

  const answer = (request: Pending, { status, body }: Answer, close = false): void => {
    if (!request.open) return;
    release(request);
    const { res, head } = request;
    const now = clock.monotonic();
    res.cork(() => {
      res.writeStatus(statusTexts[status] ?? String(status));
      res.writeHeader('Content-Type', 'application/json');
      res.writeHeader('X-Request-Id', request.requestId);
      res.writeHeader('X-Processing-Latency', `${Math.round(now - request.startedMs)}ms`);
      const sent = head.clientTimestamp === '' ? Number.NaN : Number(head.clientTimestamp);
      if (Number.isFinite(sent)) res.writeHeader('X-Network-Latency', `${Math.max(0, Math.round(request.receivedAtMs - sent))}ms`);
      res.writeHeader('Server-Timing', serverTiming(request, now));
      if (status === 200 || status === 207) res.writeHeader('X-Sluice-Ack', 'replicated');
      if (status === 503) res.writeHeader('Retry-After', retryAfterSeconds);
      res.end(body, close || draining);
    });
  };

  const refuse = (request: Pending, refusal: Refusal, close = false): void => {
    metrics.refused(refusal.code);
    answer(request, answerRefusal(refusal), close);
  };

  /** The body is whole: check it, route its events, and answer when all are settled. */
  const accept = (request: Pending, stream: BoundStream, body: Buffer): void => {
    const { head } = request;
    const kind = bodyKindOf(head.contentType);
    if (typeof kind !== 'string') return refuse(request, kind);
    const requestHead = headOf(head, request.receivedAtMs, random);
    const read = readEvents(body, kind, stream.config, requestHead, newId);
    request.checkedMs = clock.monotonic();
    if (isRefusal(read)) return refuse(request, read);
    const { single, events } = read;
    const results: EventResult[] = [];
    let open = events.length;
    const settle = (index: number, result: EventResult): void => {
      results[index] = result;
      if (isRefusal(result)) metrics.refused(result.code);
      else metrics.accepted(result.route);
      if (--open > 0) return;
      answer(request, single ? answerSingle(results[0] as EventResult) : answerBatch(results));
    };
    for (let index = 0; index < events.length; index++) {
      const event = events[index] as (typeof events)[number];
      if (isRefusal(event)) {
        settle(index, event);
        continue;
      }
      const { attributes, data } = event;
      const routed = decideRoute(attributes, body.subarray(data.start, data.end), stream.bounds);
      if (isRefusal(routed)) settle(index, routed);
      else stream.batchers[routed.route].add(routed, (outcome) => settle(index, resultOf(attributes.id, routed.route, outcome)));
    }
  };

  const onPost = (res: HttpResponse, head: IncomingRequest, stream: BoundStream | undefined, name: string): void => {
    const request: Pending = {
      res,
      head,
      requestId: requestIdPattern.test(head.requestId) ? head.requestId : newId(),
      receivedAtMs: clock.now(),
      startedMs: clock.monotonic(),
      bodyMs: undefined,
      checkedMs: undefined,
      heldBytes: 0,
      open: true,
    };
    pending.add(request);
    let whole = false;
    res.onAborted(() => {
      if (!request.open) return;
      // A client that leaves before its body was whole has sent no event; later its events are settled without it.
      if (!whole) metrics.refused('client-gone');
      release(request);
    });
    const { bodyMaxBytes, bodyDecodedMaxBytes, inFlightMaxBytes } = config.ingress;
    const early = decideAdmission(head, name, stream !== undefined, draining, inFlightBytes, config.ingress);
    const encoding = encodingOf(head.contentEncoding);
    if (early !== undefined) return refuse(request, early, true);
    collectBody(
      res,
      head.contentLength,
      bodyMaxBytes,
      (bytes) => hold(request, bytes),
      (body) => {
        if (!request.open || stream === undefined) return;
        whole = true;
        request.bodyMs = clock.monotonic();
        if (body === 'too-large') return refuse(request, bodyTooLarge(bodyMaxBytes), true);
        metrics.request(body.length);
        if (typeof encoding !== 'string') return refuse(request, encoding);
        if (encoding === 'identity') return accept(request, stream, body);
        void decompress(body, Math.min(bodyDecodedMaxBytes, inFlightMaxBytes)).then((decoded) => {
          if (isRefusal(decoded)) return refuse(request, decoded);
          if (!request.open) return metrics.refused('client-gone');
          hold(request, decoded.length);
          accept(request, stream, decoded);
        });
      },
    );
  };

  const app = uws.App();
  app.post('/v1/:team/:app', (res, req) => {
    const name = `${req.getParameter(0)}/${req.getParameter(1)}`;
    onPost(res, readHead(req), streams.get(name), name);
  });
  app.any('/v1/:team/:app', (res, req) => {
    const refusal: Refusal = {
      status: 405,
      code: 'method-not-allowed',
      message: `${req.getMethod().toUpperCase()} is not taken here`,
      expected: 'POST',
    };
    metrics.refused(refusal.code);
    res.cork(() => {
      res
        .writeStatus(statusTexts[405] as string)
        .writeHeader('Allow', 'POST')
        .writeHeader('Content-Type', 'application/json');
      res.end(answerRefusal(refusal).body, true);
    });
  });
  const plain =
    (status: number, body: string, contentType = 'text/plain') =>
    async (): Promise<PlainAnswer> => ({ status, contentType, body });
  const extras: Record<string, () => Promise<PlainAnswer>> = {
    '/healthz': plain(200, 'ok\n'),
    '/readyz': () => (draining ? plain(503, 'draining\n')() : plain(200, 'ready\n')()),
    '/metrics': async () => ({ status: 200, contentType: metrics.contentType, body: await metrics.text(inFlightBytes) }),
  };
  for (const [path, route] of Object.entries(extras)) app.get(path, (res) => serve(res, route));
  mountLocal(app, options.local ?? {});
  app.any('/*', (res, req) => {
    const refusal: Refusal = {
      status: 404,
      code: 'not-found',
      message: `there is nothing at ${req.getUrl().slice(0, 200)}`,
      expected: 'POST /v1/{team}/{app}',
    };
    res.cork(() => {
      res.writeStatus(statusTexts[404] as string).writeHeader('Content-Type', 'application/json');
      res.end(answerRefusal(refusal).body, true);
    });
  });

  const { host } = config.ingress;
  const listener = await listen(app, host, config.ingress.port);
  const port = uws.us_socket_local_port(listener);
  return {
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    counts: () => metrics.counts(inFlightBytes),
    async drain() {
      if (draining) return;
      draining = true;
      uws.us_listen_socket_close(listener);
      const deadline = clock.monotonic() + limits.drainMs;
      while (pending.size > 0 && clock.monotonic() < deadline) {
        await new Promise<void>((resolve) => void clock.setTimer(drainPollMs, resolve));
      }
      const refusal: Refusal = {
        status: 503,
        code: 'draining',
        message: 'the instance stops',
        expected: 'send it again, under the same id',
        outcome: 'unknown',
      };
      for (const request of [...pending]) {
        // Events that were handed to a writer are counted by what it says of them.
        if (request.checkedMs === undefined) refuse(request, refusal, true);
        else answer(request, answerRefusal(refusal), true);
      }
      app.close();
    },
  };
}

/** Whether a request may send its body at all. Pure. */
function decideAdmission(
  head: IncomingRequest,
  name: string,
  known: boolean,
  draining: boolean,
  inFlightBytes: number,
  bounds: SluiceConfig['ingress'],
): Refusal | undefined {
  if (draining) return { status: 503, code: 'draining', message: 'the instance stops', expected: 'send it again to another one' };
  if (!known)
    return {
      status: 404,
      code: 'stream-unknown',
      message: `there is no stream '${name.slice(0, 130)}'`,
      expected: 'a team and app of the configuration',
    };
  const { contentLength } = head;
  if (contentLength !== undefined && contentLength > bounds.bodyMaxBytes) return bodyTooLarge(bounds.bodyMaxBytes);
  if (inFlightBytes + (contentLength ?? 0) > bounds.inFlightMaxBytes) {
    const message = `${inFlightBytes} bytes of requests wait for their answers; at most ${bounds.inFlightMaxBytes} may`;
    return { status: 503, code: 'overloaded', message, expected: 'send it again after Retry-After' };
  }
  return undefined;
}

function bodyTooLarge(maxBytes: number): Refusal {
  return {
    status: 413,
    code: 'body-too-large',
    message: `the body has more than ${maxBytes} bytes`,
    expected: `at most ${maxBytes} bytes`,
  };
}

function headOf(head: IncomingRequest, receivedAtMs: number, random: Random): RequestHead {
  const { eventId, eventType, eventTime, partitionKey, traceparent } = head;
  return {
    receivedtime: new Date(receivedAtMs).toISOString(),
    traceparent: traceparentPattern.test(traceparent) ? traceparent : newTraceparent(random),
    ...(eventId === '' ? {} : { id: eventId }),
    ...(eventType === '' ? {} : { type: eventType }),
    ...(eventTime === '' ? {} : { time: eventTime }),
    ...(partitionKey === '' ? {} : { key: partitionKey }),
  };
}

const traceBytes = Buffer.alloc(24);

/** W3C trace context, sampled: https://www.w3.org/TR/trace-context/#traceparent-header */
function newTraceparent(random: Random): string {
  random.fill(traceBytes);
  traceBytes[0] = (traceBytes[0] ?? 0) | 1;
  traceBytes[16] = (traceBytes[16] ?? 0) | 1;
  return `00-${traceBytes.toString('hex', 0, 16)}-${traceBytes.toString('hex', 16, 24)}-01`;
}

function serverTiming(request: Pending, nowMs: number): string {
  const { startedMs, bodyMs, checkedMs } = request;
  if (bodyMs === undefined) return `total;dur=${(nowMs - startedMs).toFixed(1)}`;
  if (checkedMs === undefined) return `recv;dur=${(bodyMs - startedMs).toFixed(1)}`;
  return `recv;dur=${(bodyMs - startedMs).toFixed(1)}, check;dur=${(checkedMs - bodyMs).toFixed(1)}, bus;dur=${(nowMs - checkedMs).toFixed(1)}`;
}

async function bindStreams({ config, writers, clock, random }: IngressOptions): Promise<ReadonlyMap<string, BoundStream>> {
  const bound = new Map<string, BoundStream>();
  for (const stream of config.streams) {
    const [kinesis, kafka] = await Promise.all(paths.map((path) => writers[path].describe(stream.name)));
    const bounds: RouteLimits = {
      thresholdBytes: config.routing.largeMessageThresholdBytes,
      kinesisRecordMaxBytes: kinesis?.recordMaxBytes ?? 0,
      kafkaRecordMaxBytes: kafka?.recordMaxBytes ?? 0,
    };
    if (bounds.thresholdBytes + limits.recordHeadMaxBytes > bounds.kinesisRecordMaxBytes) {
      const found = `a record of '${stream.name}' takes ${bounds.kinesisRecordMaxBytes} bytes on the small path`;
      throw new SluiceError('route-impossible', `${found}, too few for the threshold of ${bounds.thresholdBytes}`, {
        fix: 'lower routing.large_message_threshold_kb',
      });
    }
    const batcher = (path: Path): Batcher => createBatcher(writers[path], stream.name, clock, random);
    bound.set(stream.name, { config: stream, bounds, batchers: { kinesis: batcher('kinesis'), kafka: batcher('kafka') } });
  }
  return bound;
}

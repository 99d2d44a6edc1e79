/**
 * `GET /v1/{team}/{app}/ws`: an event a message, an acknowledgement an event.
 *
 * Invariants:
 * 1. An event is acknowledged once it is where its stream's ack says, with the client's own `ref`; acknowledgements may come in any order.
 * 2. Of one connection at most `wsCreditEvents` events are under way, its credit. What it sends beyond waits unread, at most
 *    `wsOverdraftEvents` events and within the bytes that all requests may hold; then it is closed, with the reason.
 * 3. What was sent again under its id after a lost connection is answered as what became of it the first time.
 * 4. A connection whose sender is not let in any more (its key is gone, its token over) is closed with 4401, also when it is idle, within
 *    `accessRecheckMs`. What arrives after that is not stored.
 */
import type { HttpRequest, HttpResponse, TemplatedApp, us_socket_context_t, WebSocket } from 'uWebSockets.js';
import { limits } from '../../schemas/limits.ts';
import type { Grant } from '../access/grant.ts';
import type { PostContext } from '../http/body.ts';
import { Exchange } from '../http/exchange.ts';
import type { Admitted } from '../http/gate.ts';
import { admit, identify, refuseEarly, shareOf } from '../http/gate.ts';
import { requestHeadOf } from '../http/head.ts';
import type { AddressRule } from '../http/request.ts';
import { readHead } from '../http/request.ts';
import { Standing } from '../http/standing.ts';
import type { EventResult } from '../protocol/answer.ts';
import { errorOf, takenMembers } from '../protocol/answer.ts';
import { withoutMark } from '../protocol/byte-order-mark.ts';
import type { ClientContext } from '../protocol/client-context.ts';
import { clientContextOf } from '../protocol/client-context.ts';
import { readFrame } from '../protocol/frame.ts';
import type { Refusal } from '../protocol/refusal.ts';
import { isRefusal } from '../protocol/refusal.ts';
import type { Share } from '../room.ts';

interface Connection {
  /** Who sends, and where; judged again before each message. */
  readonly standing: Standing;
  /** Where its messages count, each as long as it is held. */
  readonly share: Share;
  readonly session: string;
  readonly traceparent: string;
  /** What the handshake showed of the client, where the stream keeps it. */
  readonly client: ClientContext | undefined;
  /** Events under way. */
  open: number;
  /** Messages beyond the credit, in order. */
  readonly held: Buffer[];
  /** Acknowledgements of this turn of the event loop: they leave together. */
  acks: string[];
  closed: boolean;
  /** Ends what asks, as long as it is open, whether its sender is still let in. */
  leave: () => void;
}

type Socket = WebSocket<Connection>;

export interface Sockets {
  readonly count: number;
  /** Waits until what is under way is acknowledged, or `until` says stop; then closes all. */
  close(until: () => boolean, pause: () => Promise<void>): Promise<void>;
}

/** Of a close frame's reason (RFC 6455, section 5.5); what access refuses with is ASCII. */
const reasonMaxBytes = 123;
const sessionPattern = /^[A-Za-z0-9._-]{8,64}$/;
const policyViolation = 1008;
const goingAway = 1001;
const tryAgainLater = 1013;
/** As HTTP's 401; of the codes that are everybody's own (RFC 6455, section 7.4.2). */
const notLetIn = 4401;

export function mountSockets(app: TemplatedApp, context: PostContext, rule: AddressRule): Sockets {
  const sockets = new Set<Socket>();
  const { intake, quotas, clock, metrics, newId, bounds } = context;

  const flush = (ws: Socket, connection: Connection): void => {
    const { acks } = connection;
    connection.acks = [];
    if (connection.closed) return;
    ws.cork(() => {
      for (const ack of acks) ws.send(ack);
    });
    if (ws.getBufferedAmount() > limits.wsUnreadMaxBytes) ws.end(policyViolation, 'acknowledgements are not read');
  };

  const acknowledge = (ws: Socket, connection: Connection, ref: string | undefined, result: EventResult): void => {
    connection.open--;
    connection.acks.push(ackText(ref, result));
    if (connection.acks.length === 1) queueMicrotask(() => flush(ws, connection));
    const next = connection.held.shift();
    if (next !== undefined) read(ws, connection, next);
  };

  const judge = (ws: Socket, { standing }: Connection): boolean => {
    const refused = standing.judge();
    if (refused === undefined) return true;
    ws.end(refused.status === 503 ? tryAgainLater : notLetIn, refused.message.slice(0, reasonMaxBytes));
    return false;
  };

  const read = (ws: Socket, connection: Connection, body: Buffer): void => {
    if (!judge(ws, connection)) return refuseLate(connection, body);
    const { session, share } = connection;
    const { stream, grant } = connection.standing.admitted;
    const nowMs = clock.now();
    connection.open++;
    const head = requestHeadOf(
      { eventId: '', eventType: '', eventTime: '', partitionKey: '', traceparent: connection.traceparent },
      nowMs,
      context.random,
      connection.client,
    );
    const text = withoutMark(body);
    const { ref, event } = readFrame(text, stream.config, head, session, newId);
    const over = isRefusal(event) ? undefined : (share.overload(0) ?? quotas.admitEvents(grant, stream.config.name, 1, nowMs).refused);
    const startedMs = clock.monotonic();
    intake.take({ stream, keyName: grant.name }, over ?? event, text, (result) => {
      letGo(share, body);
      metrics.latency('bus', clock.monotonic() - startedMs);
      acknowledge(ws, connection, ref, result);
    });
  };

  app.ws<Connection>('/v1/:team/:app/ws', {
    maxPayloadLength: bounds.bodyMaxBytes,
    idleTimeout: limits.wsIdleSeconds,
    sendPingsAutomatically: true,
    maxBackpressure: 2 * limits.wsUnreadMaxBytes,
    upgrade(res, req, socketContext) {
      upgrade(res, req, socketContext);
    },
    open(ws) {
      const connection = ws.getUserData();
      const { session } = connection;
      sockets.add(ws);
      connection.share.enter();
      connection.leave = context.rechecks.add(() => void judge(ws, connection));
      const { name, ack } = connection.standing.admitted.stream.config;
      ws.send(JSON.stringify({ hello: { stream: name, session, ack, credit: limits.wsCreditEvents, maxBytes: bounds.bodyMaxBytes } }));
    },
    message(ws, message) {
      const connection = ws.getUserData();
      metrics.request('ws', message.byteLength);
      if (context.draining) return ws.end(goingAway, 'the instance stops; send again what was not acknowledged');
      // The message is only valid in this callback.
      const body = Buffer.from(new Uint8Array(message));
      connection.share.enter().hold(body.length);
      if (connection.open < limits.wsCreditEvents && connection.held.length === 0) return read(ws, connection, body);
      connection.held.push(body);
      const tooMany = connection.held.length > limits.wsOverdraftEvents;
      if (!tooMany && connection.share.overload(0) === undefined) return;
      for (const late of connection.held.splice(0)) refuseLate(connection, late);
      if (tooMany) ws.end(policyViolation, `more than ${limits.wsOverdraftEvents} events beyond the credit of ${limits.wsCreditEvents}`);
      else ws.end(tryAgainLater, 'events beyond the credit find no room now');
    },
    close(ws) {
      const connection = ws.getUserData();
      connection.closed = true;
      connection.leave();
      connection.share.leave();
      for (const late of connection.held.splice(0)) refuseLate(connection, late);
      sockets.delete(ws);
    },
  });

  /** A message that arrived and is not taken any more, because its connection ends. */
  function refuseLate({ standing, share }: Connection, body: Buffer): void {
    letGo(share, body);
    const { stream, grant } = standing.admitted;
    const refusal: Refusal = standing.refused ?? {
      status: 503,
      code: 'connection-closed',
      message: 'its connection ended before it was taken',
    };
    intake.take({ stream, keyName: grant.name }, refusal, body, () => undefined);
  }

  function upgrade(res: HttpResponse, req: HttpRequest, socketContext: us_socket_context_t): void {
    const name = `${req.getParameter(0)}/${req.getParameter(1)}`;
    const head = readHead(res, req, rule);
    const [key, protocol, extensions] = ['sec-websocket-key', 'sec-websocket-protocol', 'sec-websocket-extensions'].map((header) =>
      req.getHeader(header),
    );
    const asked = req.getQuery('session') ?? '';
    const exchange = new Exchange(res, head, context, () => undefined);
    const early = refuseEarly(context, exchange) ?? tooMany(sockets.size);
    if (early !== undefined) return exchange.refuse(early, true);
    const enter = (grant: Grant | Refusal): void => {
      const admitted: Admitted | Refusal = admit(context, exchange, grant, name);
      if (isRefusal(admitted)) return exchange.refuse(admitted, true);
      const connection: Connection = {
        standing: new Standing(context, admitted, head.origin),
        share: shareOf(context, admitted.grant),
        session: sessionPattern.test(asked) ? asked : newId(),
        traceparent: head.traceparent,
        client: clientContextOf(admitted.stream.config.context, head, context.addressSecret),
        open: 0,
        held: [],
        acks: [],
        closed: false,
        leave: () => undefined,
      };
      // Of the subprotocols on offer the first is taken: browsers insist on an answer.
      const [subprotocol = ''] = (protocol ?? '').split(',');
      exchange.upgrade(() => res.upgrade(connection, key ?? '', subprotocol.trim(), extensions ?? '', socketContext));
    };
    const identified = identify(context, head);
    if (identified instanceof Promise) void identified.then(enter);
    else enter(identified);
  }

  return {
    get count() {
      return sockets.size;
    },
    async close(until, pause) {
      const busy = (): boolean => [...sockets].some((ws) => ws.getUserData().open > 0);
      while (busy() && !until()) await pause();
      for (const ws of [...sockets]) ws.end(goingAway, 'the instance stops; send again what was not acknowledged');
    },
  };
}

function letGo(share: Share, { length }: Buffer): void {
  share.release(length);
  share.leave();
}

function tooMany(count: number): Refusal | undefined {
  if (count < limits.wsConnectionsMax) return undefined;
  const message = `${count} WebSockets are open; at most ${limits.wsConnectionsMax} may`;
  return {
    status: 503,
    code: 'too-many-connections',
    message,
    expected: `connect again later (as after close code ${tryAgainLater})`,
    retryAfterSeconds: 10,
  };
}

function ackText(ref: string | undefined, result: EventResult): string {
  const head = ref === undefined ? '{' : `{"ref":${ref},`;
  if (!isRefusal(result)) return `${head}${takenMembers(result)}}`;
  const retry = result.status === 503 || result.status === 429 ? `,"retryAfter":${result.retryAfterSeconds ?? 1}` : '';
  return `${head}"status":${result.status}${retry},"error":${JSON.stringify(errorOf(result))}}`;
}

/**
 * `GET /v1/{team}/{app}/ws`: an event a message, an acknowledgement an event.
 *
 * Invariants:
 * 1. An event is acknowledged once it is where its stream's ack says, with the client's own `ref`;
 *    acknowledgements may come in any order.
 * 2. Of one connection at most `wsCreditEvents` events are under way, its credit. What it sends
 *    beyond waits unread, at most `wsOverdraftEvents` events and within the bytes that all requests
 *    may hold; then it is closed, with the reason.
 * 3. What was sent again under its id after a lost connection is answered as what became of it the
 *    first time.
 * 4. A connection whose sender is not let in any more (its key is gone, its token over) is closed
 *    with 4401, also when it is idle, within `accessRecheckMs`. What arrives after that is not
 *    stored.
 */
import type {
  HttpRequest,
  HttpResponse,
  TemplatedApp,
  us_socket_context_t,
  WebSocket,
} from 'uWebSockets.js';
import { limits } from '../../schemas/limits.ts';
import type { Grant } from '../access/grant.ts';
import { networkOf } from '../http/address.ts';
import type { PostContext } from '../http/body.ts';
import type { Door } from '../http/door.ts';
import { handshakeLines } from '../http/door.ts';
import { Exchange } from '../http/exchange.ts';
import type { Admitted } from '../http/gate.ts';
import { admit, identify, refuseEarly, shareOf } from '../http/gate.ts';
import { requestHeadOf } from '../http/head.ts';
import { decideHandshake } from '../http/head-check.ts';
import type { IncomingRequest } from '../http/request.ts';
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
import { Census } from './census.ts';
import { closeCodes } from './close-codes.ts';

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
  /** Bytes on their way to a client that does not read as fast, as they were counted last. */
  unreadBytes: number;
  /** Messages beyond the quota since the last that was within it. */
  overQuota: number;
  /** Control frames since that time (monotonic ms). */
  controls: number;
  controlsSinceMs: number;
  closed: boolean;
  /** Counts it as open, until the call of what is returned. */
  readonly enter: () => () => void;
  /** Ends that, and what asks, as long as it is open, whether its sender is still let in. */
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

export function mountSockets(app: TemplatedApp, context: PostContext, door: Door): Sockets {
  const sockets = new Set<Socket>();
  const { intake, quotas, clock, metrics, newId, bounds, access } = context;
  const census = new Census(bounds.addressWebSocketsMax);
  const messageMaxBytes = Math.min(bounds.bodyMaxBytes, limits.wsMessageMaxBytes);

  const flush = (ws: Socket, connection: Connection): void => {
    const { acks } = connection;
    connection.acks = [];
    if (connection.closed) return;
    ws.cork(() => {
      for (const ack of acks) ws.send(ack);
    });
    countUnread(ws, connection);
  };

  /** What the client has not read yet counts like everything that is held for it. */
  const countUnread = (ws: Socket, connection: Connection): void => {
    const { share } = connection;
    const unread = ws.getBufferedAmount();
    share.hold(unread - connection.unreadBytes);
    connection.unreadBytes = unread;
    if (unread > limits.wsUnreadMaxBytes)
      ws.end(closeCodes.policyViolation, 'acknowledgements are not read');
    else if (unread > 0 && share.overload(0) !== undefined)
      ws.end(closeCodes.tryAgainLater, 'acknowledgements that are not read find no room now');
  };

  /** Acknowledges what is settled, then closes with a reason. */
  const end = (ws: Socket, connection: Connection, code: number, reason: string): void => {
    if (connection.acks.length > 0) flush(ws, connection);
    if (!connection.closed) ws.end(code, reason);
  };

  const acknowledge = (
    ws: Socket,
    connection: Connection,
    ref: string | undefined,
    result: EventResult,
  ): void => {
    connection.open--;
    connection.acks.push(ackText(ref, result));
    if (connection.acks.length === 1) queueMicrotask(() => flush(ws, connection));
    const next = connection.held.shift();
    if (next !== undefined) read(ws, connection, next);
  };

  const judge = (ws: Socket, connection: Connection): boolean => {
    const refused = connection.standing.judge();
    if (refused === undefined) return true;
    end(
      ws,
      connection,
      refused.status === 503 ? closeCodes.tryAgainLater : closeCodes.notLetIn,
      refused.message.slice(0, reasonMaxBytes),
    );
    return false;
  };

  const read = (ws: Socket, connection: Connection, body: Buffer): void => {
    if (!judge(ws, connection)) return refuseLate(connection, body);
    const { session, share } = connection;
    const { stream, grant } = connection.standing.admitted;
    const nowMs = clock.now();
    connection.open++;
    const head = requestHeadOf(
      {
        eventId: '',
        eventType: '',
        eventTime: '',
        partitionKey: '',
        traceparent: connection.traceparent,
      },
      nowMs,
      context.random,
      connection.client,
    );
    const text = withoutMark(body);
    const { ref, event } = readFrame(text, stream.config, head, session, newId);
    // Good or not, a message costs one event.
    const { refused } = quotas.admitEvents(grant, stream.config.name, 1, nowMs);
    connection.overQuota = refused === undefined ? 0 : connection.overQuota + 1;
    const over = refused ?? (isRefusal(event) ? undefined : share.overload(0));
    const startedMs = clock.monotonic();
    intake.take({ stream, keyName: grant.name }, over ?? event, text, (result) => {
      letGo(share, body);
      metrics.latency('bus', clock.monotonic() - startedMs);
      acknowledge(ws, connection, ref, result);
    });
    if (connection.overQuota > limits.wsOverQuotaMax)
      end(
        ws,
        connection,
        closeCodes.policyViolation,
        `more than ${limits.wsOverQuotaMax} messages in a row are over the quota`,
      );
  };

  /** Each is answered by the server itself: a client that sends nothing else is not kept. */
  const onControl = (ws: Socket): void => {
    const connection = ws.getUserData();
    if (++connection.controls <= limits.wsControlsPerMinute) return;
    const nowMs = clock.monotonic();
    if (nowMs - connection.controlsSinceMs < 60_000)
      return end(
        ws,
        connection,
        closeCodes.policyViolation,
        `more than ${limits.wsControlsPerMinute} pings and pongs in a minute`,
      );
    connection.controls = 1;
    connection.controlsSinceMs = nowMs;
  };

  app.ws<Connection>('/v1/:team/:app/ws', {
    // Beyond this it ends the connection without a close frame: what is not much too big is told so
    // (1009).
    maxPayloadLength: 2 * messageMaxBytes,
    idleTimeout: limits.wsIdleSeconds,
    sendPingsAutomatically: true,
    maxBackpressure: 2 * limits.wsUnreadMaxBytes,
    upgrade(res, req, socketContext) {
      door.enter('none', false, (_res, _req, head) => upgrade(res, req, head, socketContext))(
        res,
        req,
      );
    },
    open(ws) {
      const connection = ws.getUserData();
      const { session } = connection;
      sockets.add(ws);
      connection.share.enter();
      const counted = connection.enter();
      const asked = context.rechecks.add(() => void judge(ws, connection));
      connection.leave = () => {
        counted();
        asked();
      };
      const { name, ack } = connection.standing.admitted.stream.config;
      ws.send(
        JSON.stringify({
          hello: {
            stream: name,
            session,
            ack,
            credit: limits.wsCreditEvents,
            maxBytes: messageMaxBytes,
          },
        }),
      );
    },
    message(ws, message) {
      const connection = ws.getUserData();
      metrics.request('ws', message.byteLength);
      if (context.draining)
        return end(
          ws,
          connection,
          closeCodes.goingAway,
          'the instance stops; send again what was not acknowledged',
        );
      if (message.byteLength > messageMaxBytes) return tooBig(ws, connection);
      // The message is only valid in this callback.
      const body = Buffer.from(new Uint8Array(message));
      connection.share.enter().hold(body.length);
      if (connection.open < limits.wsCreditEvents && connection.held.length === 0)
        return read(ws, connection, body);
      connection.held.push(body);
      const tooMany = connection.held.length > limits.wsOverdraftEvents;
      if (!tooMany && connection.share.overload(0) === undefined) return;
      for (const late of connection.held.splice(0)) refuseLate(connection, late);
      if (tooMany)
        ws.end(
          closeCodes.policyViolation,
          `more than ${limits.wsOverdraftEvents} events beyond the credit of ${limits.wsCreditEvents}`,
        );
      else
        end(ws, connection, closeCodes.tryAgainLater, 'events beyond the credit find no room now');
    },
    ping: onControl,
    pong: onControl,
    drain(ws) {
      countUnread(ws, ws.getUserData());
    },
    close(ws) {
      const connection = ws.getUserData();
      connection.closed = true;
      connection.leave();
      connection.share.release(connection.unreadBytes);
      connection.share.leave();
      for (const late of connection.held.splice(0)) refuseLate(connection, late);
      sockets.delete(ws);
    },
  });

  function tooBig(ws: Socket, connection: Connection): void {
    const { grant, stream } = connection.standing.admitted;
    quotas.spend(grant, stream.config.name, 1, clock.now());
    metrics.refused(stream.config.name, 'message-too-big');
    end(
      ws,
      connection,
      closeCodes.messageTooBig,
      `a message has more than ${messageMaxBytes} bytes; larger events go by POST`,
    );
  }

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

  function upgrade(
    res: HttpResponse,
    req: HttpRequest,
    head: IncomingRequest,
    socketContext: us_socket_context_t,
  ): void {
    const name = `${req.getParameter(0)}/${req.getParameter(1)}`;
    const challenge = req.getHeader('sec-websocket-key');
    const protocol = req.getHeader('sec-websocket-protocol');
    const extensions = req.getHeader('sec-websocket-extensions');
    const unfit = decideHandshake(
      challenge,
      req.getHeader('sec-websocket-version'),
      req.getHeader('connection'),
      req.getHeader('upgrade'),
    );
    if (unfit !== undefined) return door.refuse(res, req, head, unfit, handshakeLines);
    const asked = req.getQuery('session') ?? '';
    const exchange = new Exchange(res, head, context, () => undefined);
    const early = refuseEarly(context, exchange);
    if (early !== undefined) return exchange.refuse(early, true);
    const enter = (grant: Grant | Refusal): void => {
      const admitted: Admitted | Refusal = admit(context, exchange, grant, name);
      if (isRefusal(admitted)) return exchange.refuse(admitted, true);
      const key = access.isOpen ? '' : admitted.grant.name;
      const network = networkOf(head.address);
      const full = census.refuse(key, network);
      if (full !== undefined) return exchange.refuse(full, true);
      const connection: Connection = {
        standing: new Standing(context, admitted, head.origin),
        share: shareOf(context, admitted.grant),
        session: sessionPattern.test(asked) ? asked : newId(),
        traceparent: head.traceparent,
        client: clientContextOf(admitted.stream.config.context, head, context.addressSecret),
        open: 0,
        held: [],
        acks: [],
        unreadBytes: 0,
        overQuota: 0,
        controls: 0,
        controlsSinceMs: exchange.startedMs,
        closed: false,
        leave: () => undefined,
        enter: () => census.add(key, network),
      };
      // Of the subprotocols on offer the first is taken: browsers insist on an answer.
      const [subprotocol = ''] = protocol.split(',');
      exchange.upgrade(() =>
        res.upgrade(connection, challenge, subprotocol.trim(), extensions, socketContext),
      );
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
      for (const ws of [...sockets])
        ws.end(closeCodes.goingAway, 'the instance stops; send again what was not acknowledged');
    },
  };
}

function letGo(share: Share, { length }: Buffer): void {
  share.release(length);
  share.leave();
}

function ackText(ref: string | undefined, result: EventResult): string {
  const head = ref === undefined ? '{' : `{"ref":${ref},`;
  if (!isRefusal(result)) return `${head}${takenMembers(result)}}`;
  const retry =
    result.status === 503 || result.status === 429
      ? `,"retryAfter":${result.retryAfterSeconds ?? 1}`
      : '';
  return `${head}"status":${result.status}${retry},"error":${JSON.stringify(errorOf(result))}}`;
}

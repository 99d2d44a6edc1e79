/**
 * One WebSocket: an event a message, an acknowledgement an event. What the server calls is passed
 * on by sockets.ts.
 *
 * Invariants:
 * 1. A message is acknowledged once, after its event is settled, under the client's own `ref`;
 *    acknowledgements may come in any order.
 * 2. At most `wsCreditEvents` of its events are in flight, its credit. What it sends beyond waits
 *    unread, at most `wsOverdraftEvents` events and within the bytes that all requests may hold;
 *    then it is closed, with the reason.
 * 3. What was sent again under its id after a lost connection is answered as what became of it the
 *    first time.
 * 4. One whose sender is not let in any more (its key is gone, its token over) is closed with 4401,
 *    also when it is idle, within `accessRecheckMs`. What arrives after that is not stored.
 */
import type { WebSocket } from 'uWebSockets.js';
import { limits } from '../../../schemas/limits.ts';
import type { EventResult } from '../../event/answer.ts';
import { withoutMark } from '../../event/byte-order-mark.ts';
import type { ClientContext } from '../../event/client-context.ts';
import type { Refusal } from '../../event/refusal.ts';
import { isRefusal } from '../../event/refusal.ts';
import type { PostContext } from '../../http/body.ts';
import { requestHeadOf } from '../../http/head.ts';
import type { Standing } from '../../http/standing.ts';
import type { Share } from '../../room.ts';
import { answerFrame } from './answer.ts';
import { closeCodes } from './close-codes.ts';
import { readFrame } from './frame.ts';

export interface SocketData {
  readonly connection: Connection;
}

export type Socket = WebSocket<SocketData>;

/** What its handshake said, and where it counts. */
export interface ConnectionOptions {
  /** Who sends, and where; judged again before each message. */
  readonly standing: Standing;
  /** Where its messages count, each as long as it is held. */
  readonly share: Share;
  readonly session: string;
  readonly traceparent: string;
  /** What the handshake showed of the client, where the stream keeps it. */
  readonly client: ClientContext | undefined;
  /** Counts it as open, until the call of what is returned. */
  readonly enter: () => () => void;
  readonly startedMs: number;
  readonly messageMaxBytes: number;
}

/** Of a close frame's reason (RFC 6455, section 5.5); what access refuses with is ASCII. */
const reasonMaxBytes = 123;
const minuteMs = 60_000;
export const stops = 'the instance stops; send again what was not acknowledged';

export class Connection {
  readonly #context: PostContext;
  readonly #options: ConnectionOptions;
  readonly #standing: Standing;
  readonly #share: Share;
  /** Events in flight. */
  #open = 0;
  /** Messages beyond the credit, in order. */
  readonly #held: Buffer[] = [];
  /** Acknowledgements of this turn of the event loop: they leave together. */
  #acks: string[] = [];
  /** Bytes on their way to a client that does not read as fast, as they were counted last. */
  #unreadBytes = 0;
  /** Messages beyond the quota since the last that was within it. */
  #overQuota = 0;
  /** Control frames since that time (monotonic ms). */
  #controls = 0;
  #controlsSinceMs: number;
  #closed = false;
  /** Ends its being counted, and its being asked whether its sender is still let in. */
  #leave: () => void = () => undefined;

  constructor(context: PostContext, options: ConnectionOptions) {
    this.#context = context;
    this.#options = options;
    this.#standing = options.standing;
    this.#share = options.share;
    this.#controlsSinceMs = options.startedMs;
  }

  get isBusy(): boolean {
    return this.#open > 0;
  }

  /** The handshake is over. */
  greet(ws: Socket): void {
    const { session, messageMaxBytes, enter } = this.#options;
    this.#share.enter();
    const counted = enter();
    const asked = this.#context.rechecks.add(() => void this.#judge(ws));
    this.#leave = () => {
      counted();
      asked();
    };
    const { name, ack } = this.#standing.admitted.stream.config;
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
  }

  /** `message` is only valid in this call. */
  receive(ws: Socket, message: ArrayBuffer): void {
    this.#context.metrics.request('ws', message.byteLength);
    if (this.#context.isShuttingDown) return this.#end(ws, closeCodes.goingAway, stops);
    if (message.byteLength > this.#options.messageMaxBytes) return this.#tooBig(ws);
    const body = Buffer.from(new Uint8Array(message));
    this.#share.enter().hold(body.length);
    if (this.#open < limits.wsCreditEvents && this.#held.length === 0) return this.#read(ws, body);
    this.#held.push(body);
    const tooMany = this.#held.length > limits.wsOverdraftEvents;
    if (!tooMany && this.#share.overload(0) === undefined) return;
    this.#refuseHeld();
    if (tooMany)
      ws.end(
        closeCodes.policyViolation,
        `more than ${limits.wsOverdraftEvents} events beyond the credit of ${limits.wsCreditEvents}`,
      );
    else
      this.#end(ws, closeCodes.tryAgainLater, 'there is no room now for events beyond the credit');
  }

  /** Each is answered by the server itself: a client that sends nothing else is not kept. */
  control(ws: Socket): void {
    if (++this.#controls <= limits.wsControlsPerMinute) return;
    const nowMs = this.#context.clock.monotonic();
    if (nowMs - this.#controlsSinceMs < minuteMs)
      return this.#end(
        ws,
        closeCodes.policyViolation,
        `more than ${limits.wsControlsPerMinute} pings and pongs in a minute`,
      );
    this.#controls = 1;
    this.#controlsSinceMs = nowMs;
  }

  /** What the client has not read yet counts like everything that is held for it. */
  countUnread(ws: Socket): void {
    const unread = ws.getBufferedAmount();
    this.#share.hold(unread - this.#unreadBytes);
    this.#unreadBytes = unread;
    if (unread > limits.wsUnreadMaxBytes)
      ws.end(closeCodes.policyViolation, 'acknowledgements are not read');
    else if (unread > 0 && this.#share.overload(0) !== undefined)
      ws.end(
        closeCodes.tryAgainLater,
        'there is no room now for acknowledgements that are not read',
      );
  }

  /** It is closed, by whomever. */
  gone(): void {
    this.#closed = true;
    this.#leave();
    this.#share.release(this.#unreadBytes);
    this.#share.leave();
    this.#refuseHeld();
  }

  #read(ws: Socket, body: Buffer): void {
    if (!this.#judge(ws)) return this.#refuseLate(body);
    const { intake, quotas, clock, metrics, newId } = this.#context;
    const { stream, grant } = this.#standing.admitted;
    const nowMs = clock.now();
    this.#open++;
    const text = withoutMark(body);
    const { ref, event } = readFrame(
      text,
      stream.config,
      this.#headOf(nowMs),
      this.#options.session,
      newId,
    );
    // Good or not, a message costs one event.
    const { refused } = quotas.admitEvents(grant, stream.config.name, 1, nowMs);
    this.#overQuota = refused === undefined ? 0 : this.#overQuota + 1;
    const over = refused ?? (isRefusal(event) ? undefined : this.#share.overload(0));
    const startedMs = clock.monotonic();
    intake.take({ stream, keyName: grant.name }, over ?? event, text, (result) => {
      this.#letGo(body);
      metrics.latency('bus', clock.monotonic() - startedMs);
      this.#acknowledge(ws, ref, result);
    });
    if (this.#overQuota > limits.wsOverQuotaMax)
      this.#end(
        ws,
        closeCodes.policyViolation,
        `more than ${limits.wsOverQuotaMax} messages in a row are over the quota`,
      );
  }

  #headOf(nowMs: number): ReturnType<typeof requestHeadOf> {
    const { traceparent, client } = this.#options;
    return requestHeadOf(
      { eventId: '', eventType: '', eventTime: '', partitionKey: '', traceparent },
      nowMs,
      this.#context.random,
      client,
    );
  }

  #acknowledge(ws: Socket, ref: string | undefined, result: EventResult): void {
    this.#open--;
    this.#acks.push(answerFrame(ref, result));
    if (this.#acks.length === 1) queueMicrotask(() => this.#flush(ws));
    const next = this.#held.shift();
    if (next !== undefined) this.#read(ws, next);
  }

  #flush(ws: Socket): void {
    const acks = this.#acks;
    this.#acks = [];
    if (this.#closed) return;
    ws.cork(() => {
      for (const ack of acks) ws.send(ack);
    });
    this.countUnread(ws);
  }

  #judge(ws: Socket): boolean {
    const refused = this.#standing.judge();
    if (refused === undefined) return true;
    this.#end(
      ws,
      refused.status === 503 ? closeCodes.tryAgainLater : closeCodes.notLetIn,
      refused.message.slice(0, reasonMaxBytes),
    );
    return false;
  }

  /** Acknowledges what is settled, then closes with a reason. */
  #end(ws: Socket, code: number, reason: string): void {
    if (this.#acks.length > 0) this.#flush(ws);
    if (!this.#closed) ws.end(code, reason);
  }

  #tooBig(ws: Socket): void {
    const { grant, stream } = this.#standing.admitted;
    const { quotas, clock, metrics } = this.#context;
    quotas.spend(grant, stream.config.name, 1, clock.now());
    metrics.refused(stream.config.name, 'message-too-big');
    this.#end(
      ws,
      closeCodes.messageTooBig,
      `a message has more than ${this.#options.messageMaxBytes} bytes; larger events go by POST`,
    );
  }

  #refuseHeld(): void {
    for (const late of this.#held.splice(0)) this.#refuseLate(late);
  }

  /** A message that arrived and is not taken any more, because its connection ends. */
  #refuseLate(body: Buffer): void {
    this.#letGo(body);
    const { stream, grant } = this.#standing.admitted;
    const refusal: Refusal = this.#standing.refused ?? {
      status: 503,
      code: 'connection-closed',
      message: 'its connection closed before it was accepted',
    };
    this.#context.intake.take({ stream, keyName: grant.name }, refusal, body, () => undefined);
  }

  #letGo({ length }: Buffer): void {
    this.#share.release(length);
    this.#share.leave();
  }
}

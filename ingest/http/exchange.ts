/**
 * One HTTP request and its answer: what it holds while it is in flight, and how its answer is
 * written.
 *
 * Invariants:
 * 1. It is answered exactly once, or its client has gone. Its bytes are released exactly once: when
 *    it is answered, or, where the client has gone, when the events that were handed on are
 *    settled.
 * 2. `res` is not touched once it was answered or its client has gone.
 * 3. Header values that come from the client were checked to have no line break.
 */
import type { HttpResponse } from 'uWebSockets.js';
import { limits } from '../../schemas/limits.ts';
import type { Grant } from '../access/grant.ts';
import type { Answer } from '../event/answer.ts';
import { answerRefusal } from '../event/answer.ts';
import type { Refusal } from '../event/refusal.ts';
import type { Share } from '../room.ts';
import { textOfBytes } from './address.ts';
import type { Hall } from './hall.ts';
import { answerAndClose, statusTexts } from './plain-answer.ts';
import type { IncomingRequest } from './request.ts';
import { requestIdOf } from './request-id.ts';
import { strangerTooSlow, tooSlow } from './slow.ts';
import { sentAt, serverTiming } from './timing.ts';

/**
 * RFC 9110, section 11.6.1; RFC 6750, section 3. Basic is understood too, but not asked for:
 * browsers would ask their user for a password.
 */
const challenge = '\r\nWWW-Authenticate: Bearer realm="sluice"';

export class Exchange {
  readonly head: IncomingRequest;
  readonly requestId: string;
  /** Epoch ms and monotonic ms of its first byte. */
  readonly receivedAtMs: number;
  readonly startedMs: number;
  /** Monotonic ms when the body was whole, and when its events were found. */
  bodyMs: number | undefined;
  checkedMs: number | undefined;
  /** For the log: what it asked for, and who asked. */
  stream = '';
  grant: Grant | undefined;
  events = 0;
  /** Called once when the client leaves before it was answered. */
  onGone: () => void;
  /** Called once when its body does not arrive in time; without, it is refused. */
  onLate: ((refusal: Refusal) => void) | undefined;
  /** Headers that were decided on the way, each ending in a line break. */
  extraHeaders = '';
  /**
   * Its events were handed on: what becomes of them is counted, whether its client stays or leaves.
   */
  isTaken = false;
  /** Its body is on its way, and what came of it so far. */
  isArriving = false;
  arrivedBytes = 0;
  readonly #hall: Hall;
  readonly #res: HttpResponse;
  #share: Share;
  #heldBytes = 0;
  #isPaused = false;
  /**
   * What had arrived when it was looked at, and since when no more has; since when its answer waits
   * for its client to read. Monotonic ms.
   */
  #seenBytes = 0;
  #quietSinceMs: number;
  #unreadSinceMs: number | undefined;
  #isFree = false;
  #isOpen = true;
  #isStreaming = false;
  /** Where it stands among the open ones. */
  #seat: number;

  constructor(res: HttpResponse, head: IncomingRequest, hall: Hall, onGone: () => void) {
    this.onGone = onGone;
    this.#res = res;
    this.#hall = hall;
    this.#share = hall.room.all.enter();
    this.head = head;
    this.requestId = requestIdOf(head.requestId, hall.newId);
    this.receivedAtMs = hall.clock.now();
    this.startedMs = hall.clock.monotonic();
    this.#quietSinceMs = this.startedMs;
    this.bodyMs = undefined;
    this.checkedMs = undefined;
    this.#seat = hall.open.push(this) - 1;
    res.onAborted(() => {
      if (!this.#isOpen) return;
      this.#close();
      if (!this.isTaken) this.free();
      this.onGone();
    });
  }

  /** Its answer has begun. */
  get isStreaming(): boolean {
    return this.#isStreaming;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Monotonic ms. */
  now(): number {
    return this.#hall.clock.monotonic();
  }

  /** The most that it could hold if it were alone. */
  get roomBytes(): number {
    return this.#share.maxBytes;
  }

  /**
   * Counts what it holds in that share from now on, as the sender became known; why `more` bytes do
   * not fit there.
   */
  enter(share: Share, more: number): Refusal | undefined {
    if (!this.#isOpen) return undefined;
    this.#share.release(this.#heldBytes);
    this.#share.leave();
    this.#share = share.enter();
    this.#share.hold(this.#heldBytes);
    return this.#share.overload(more);
  }

  /** Why `bytes` more cannot be held. */
  overload(bytes: number): Refusal | undefined {
    return this.#share.overload(bytes);
  }

  hold(bytes: number): void {
    if (!this.#isOpen) return;
    this.#heldBytes += bytes;
    this.#share.hold(bytes);
  }

  /** Holds so many more, or says why not. */
  tryHold(bytes: number): Refusal | undefined {
    const over = this.#share.overload(bytes);
    if (over === undefined) this.hold(bytes);
    return over;
  }

  letGo(bytes: number): void {
    if (this.#isFree) return;
    this.#heldBytes -= bytes;
    this.#share.release(bytes);
  }

  /**
   * Releases everything: it is answered, or its client has gone and nothing of it is in flight
   * any more.
   */
  free(): void {
    if (this.#isFree) return;
    this.#isFree = true;
    this.#share.release(this.#heldBytes);
    this.#share.leave();
  }

  answer(answer: Answer, close = false): void {
    if (!this.#isOpen) return this.free();
    this.#release();
    const now = this.#hall.clock.monotonic();
    const headers = this.#headersOf(answer, now);
    const { status, body } = answer;
    const res = this.#res;
    const closes = close || this.#hall.isShuttingDown || this.head.closes;
    res.cork(() => {
      res.writeStatus(statusTexts[status] ?? String(status));
      // One call for all headers: each call into the server costs more than the text.
      res.writeHeader('Content-Type', headers);
      if (!closes) this.#readOn();
      res.end(body, closes);
    });
    this.#answered(status, now);
  }

  /** Begins an answer that is written while the body still comes. */
  beginStream(ack: string): void {
    this.#isStreaming = true;
    const res = this.#res;
    const now = this.#hall.clock.monotonic();
    res.cork(() => {
      res.writeStatus(statusTexts[207] as string);
      res.writeHeader(
        'Content-Type',
        `application/x-ndjson\r\n${this.#commonHeaders(now)}\r\nX-Sluice-Ack: ${ack}`,
      );
    });
  }

  /**
   * Writes a part of a streamed answer. False when the client does not keep up: `onWritable` tells
   * when it does.
   */
  writePart(text: string): boolean {
    if (!this.#isOpen) return true;
    let flowing = true;
    this.#res.cork(() => {
      flowing = this.#res.write(text);
    });
    if (!flowing) this.#unreadSinceMs ??= this.now();
    return flowing;
  }

  onWritable(then: () => void): void {
    this.#res.onWritable(() => {
      this.#unreadSinceMs = undefined;
      then();
      return true;
    });
  }

  /**
   * Ends a streamed answer. Its connection stays: asked to close it, uWebSockets.js writes the
   * header `Connection` among the chunks of the body. What is left of the request is read and
   * dropped.
   */
  endStream(text: string): void {
    if (!this.#isOpen) return;
    this.#release();
    const res = this.#res;
    res.cork(() => {
      res.write(text);
      this.#readOn();
      res.end();
    });
    this.#hall.metrics.answered(207);
    if (this.#hall.log.isLevelEnabled('debug')) this.#tell(207, this.#hall.clock.monotonic());
  }

  /** Ends the connection without an answer, as one has begun already. */
  breakOff(): void {
    if (!this.#isOpen) return;
    this.#release();
    this.#res.close();
  }

  /**
   * Hands the connection over to a WebSocket. After a cork uWebSockets.js looks whether the answer
   * closes its connection, at where that stood before the upgrade: in the memory of the WebSocket
   * now, if that has the same place, and ends it now and then. Any other answer's cork will do, as
   * the upgrade is written at once.
   */
  upgrade(handOver: () => void): void {
    if (!this.#isOpen) return;
    this.#release();
    (this.#hall.open.at(-1) ?? this).#res.cork(handOver);
    this.#hall.metrics.answered(101);
  }

  pause(): void {
    this.#isPaused = true;
    if (this.#isOpen) this.#res.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (this.#isOpen) this.#res.resume();
  }

  /** A connection that stays paused behind its answer would never read its next request. */
  #readOn(): void {
    if (this.#isPaused) this.#res.resume();
  }

  /**
   * Ends it when its body or its client's reading stands still. uWebSockets.js ends a connection
   * silently when less than 160 KB arrive in 8 to 12 seconds; a pause starts that time again,
   * so a slow client is served, and one that is too slow is told.
   */
  look(nowMs: number): void {
    if (this.#unreadSinceMs !== undefined && nowMs - this.#unreadSinceMs > limits.bodyIdleMs)
      return this.breakOff();
    if (!this.isArriving) return;
    if (this.#isPaused || this.arrivedBytes !== this.#seenBytes) this.#quietSinceMs = nowMs;
    this.#seenBytes = this.arrivedBytes;
    const isStranger =
      this.grant === undefined && nowMs - this.startedMs > limits.strangerBodyMaxMs;
    if (isStranger || nowMs - this.#quietSinceMs > limits.bodyIdleMs) {
      this.isArriving = false;
      const refusal = isStranger ? strangerTooSlow : tooSlow;
      if (this.onLate === undefined) this.refuse(refusal, true);
      else this.onLate(refusal);
      return;
    }
    if (this.#isPaused) return;
    this.#res.pause();
    this.#res.resume();
  }

  /** The client's address, in its one form; empty when it has gone. */
  address(): string {
    if (this.head.address !== '' || !this.#isOpen) return this.head.address;
    return textOfBytes(new Uint8Array(this.#res.getRemoteAddress()));
  }

  /** Answers a request whose events were not found: it is counted as one refusal. */
  refuse(refusal: Refusal, close = false): void {
    if (!this.#isOpen) return;
    this.#countRefused(refusal);
    this.answer(answerRefusal(refusal), close);
  }

  /**
   * Refuses a request in its handler, before its body is looked at. Where only the chunks tell
   * where the body ends, nothing behind the head is: a trailer would be run as a request, and its
   * error sent instead of this answer.
   */
  refuseAtOnce(refusal: Refusal): void {
    if (this.head.contentLength !== undefined) return this.refuse(refusal, true);
    if (!this.#isOpen) return;
    this.#countRefused(refusal);
    this.#release();
    const now = this.#hall.clock.monotonic();
    const answer = answerRefusal(refusal);
    answerAndClose(this.#res, answer.status, this.#headersOf(answer, now), answer.body);
    this.#answered(answer.status, now);
  }

  /** Refuses a request that carries no events: nothing is counted. */
  turnDown(refusal: Refusal): void {
    this.answer(answerRefusal(refusal));
  }

  #release(): void {
    this.free();
    this.#close();
  }

  #close(): void {
    this.isArriving = false;
    this.#isOpen = false;
    const { open } = this.#hall;
    const last = open.pop();
    // The last one takes its seat: nothing else moves, however many are open.
    if (last !== undefined && last !== this) {
      open[this.#seat] = last;
      last.#seat = this.#seat;
    }
  }

  #countRefused({ code }: Refusal): void {
    const { intake, metrics } = this.#hall;
    metrics.refused(intake.streams.has(this.stream) ? this.stream : undefined, code);
  }

  #headersOf({ status, contentType, ack, retryAfterSeconds }: Answer, now: number): string {
    let headers = `${contentType ?? 'application/json'}\r\n${this.#commonHeaders(now)}`;
    if (ack !== undefined) headers += `\r\nX-Sluice-Ack: ${ack}`;
    if (status === 401) headers += challenge;
    if (retryAfterSeconds !== undefined) headers += `\r\nRetry-After: ${retryAfterSeconds}`;
    return headers;
  }

  /** Counts an answer that was written as a whole. */
  #answered(status: number, now: number): void {
    const { head, receivedAtMs, startedMs } = this;
    const { log, metrics } = this.#hall;
    metrics.answered(status);
    metrics.latency('end_to_end', now - startedMs);
    if (this.bodyMs !== undefined && this.checkedMs !== undefined) {
      metrics.latency('processing', this.checkedMs - this.bodyMs);
      metrics.latency('bus', now - this.checkedMs);
    }
    const sent = sentAt(head, receivedAtMs);
    if (sent !== undefined) metrics.latency('network', Math.max(0, receivedAtMs - sent));
    if (log.isLevelEnabled('debug')) this.#tell(status, now);
  }

  #commonHeaders(now: number): string {
    const { head, receivedAtMs, startedMs, bodyMs, checkedMs } = this;
    let headers = `${this.extraHeaders}X-Request-Id: ${this.requestId}\r\nX-Processing-Latency: ${Math.round(now - startedMs)}ms`;
    const sent = sentAt(head, receivedAtMs);
    if (sent !== undefined)
      headers += `\r\nX-Network-Latency: ${Math.max(0, Math.round(receivedAtMs - sent))}ms`;
    return `${headers}\r\nServer-Timing: ${serverTiming(startedMs, bodyMs, checkedMs, now)}`;
  }

  #tell(status: number, now: number): void {
    const { requestId, stream, grant, events } = this;
    const ms = Math.round(now - this.startedMs);
    this.#hall.log.debug({ requestId, stream, key: grant?.name, status, events, ms }, 'request');
  }
}

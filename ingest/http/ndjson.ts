/**
 * NDJSON of any length in bounded memory. A short body is collected and answered like every other. A longer one is taken line by line as it
 * comes, and its answer is NDJSON too: a result an event, in the order in which they are settled, the verdict last.
 *
 * Invariants:
 * 1. Of a long body at most `ndjsonOpenMaxEvents` events and `ndjsonOpenMaxBytes` bytes (and one chunk) are unsettled; past that its
 *    connection is not read. A client that does not read its results is not read either.
 * 2. The events of a long body stand for themselves: those before a broken end are in their stream, and their results say so.
 * 3. The last line of the answer is the verdict. An answer without one was cut off.
 * 4. Its sender is judged before each line, and every `accessRecheckMs`: a key that is gone or a token that is over ends it with that verdict, and
 *    nothing that comes after is stored.
 */

import type { HttpResponse } from 'uWebSockets.js';
import type { Transform } from 'node:stream';
import { PassThrough } from 'node:stream';
import { sleep } from '../../schemas/kernel/clock.ts';
import { messageOf } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { EventResult } from '../protocol/answer.ts';
import { answerBatch, createTally, errorOf, resultLine } from '../protocol/answer.ts';
import type { RequestHead } from '../protocol/attributes.ts';
import { withoutMark } from '../protocol/byte-order-mark.ts';
import { clientContextOf } from '../protocol/client-context.ts';
import { checkLinesHead, readEvents, readLine } from '../protocol/events.ts';
import type { Refusal } from '../protocol/refusal.ts';
import { isRefusal } from '../protocol/refusal.ts';
import type { PostContext } from './body.ts';
import { settleAll } from './body.ts';
import { decompressor, encodingOf } from './decompress.ts';
import type { Exchange } from './exchange.ts';
import type { Admitted } from './gate.ts';
import { requestHeadOf } from './head.ts';
import { Standing } from './standing.ts';

const newline = 0x0a;
const overloadPauseMs = 20;
const partMaxChars = 16_384;

/** Takes over a request with lines. */
export function streamLines(
  context: PostContext,
  res: HttpResponse,
  exchange: Exchange,
  admitted: Admitted | Promise<Admitted | Refusal>,
): void {
  const encoding = encodingOf(exchange.head.contentEncoding);
  if (typeof encoding !== 'string') return exchange.refuse(encoding, true);
  let body: Transform | undefined;
  let early: Buffer = Buffer.alloc(0);
  let arrived = 0;
  const onGone = exchange.onGone;
  exchange.onGone = () => {
    onGone();
    body?.destroy(new Error('the client has gone'));
  };
  if (exchange.head.contentLength === 0) {
    // Its end is not always told (request.ts).
    void readBody(context, exchange, admitted, new PassThrough().end());
    return;
  }
  res.onData((chunk, isLast) => {
    arrived += chunk.byteLength;
    // The chunk is only valid in this callback.
    const copy = Buffer.concat([early, new Uint8Array(chunk)]);
    if (body === undefined) {
      // What it is packed with shows in its first two bytes.
      if (copy.length < 2 && !isLast) {
        early = copy;
        return;
      }
      early = Buffer.alloc(0);
      body = encoding === 'identity' ? new PassThrough() : decompressor(encoding, copy);
      // It may break before anybody reads it, and after.
      body.on('error', () => undefined);
      void readBody(context, exchange, admitted, body);
    }
    const flowing = body.write(copy);
    if (isLast) {
      context.metrics.request('ndjson', arrived);
      body.end();
    } else if (!flowing) {
      exchange.pause();
      body.once('drain', () => exchange.resume());
    }
  });
}

async function readBody(
  context: PostContext,
  exchange: Exchange,
  admission: Admitted | Promise<Admitted | Refusal>,
  body: Transform,
): Promise<void> {
  const admitted = await admission;
  if (isRefusal(admitted)) return exchange.refuse(admitted, true);
  const client = clientContextOf(admitted.stream.config.context, exchange.head, context.addressSecret);
  const head = requestHeadOf(exchange.head, exchange.receivedAtMs, context.random, client);
  const unread = checkLinesHead(head);
  if (unread !== undefined) return exchange.refuse(unread, true);
  const standing = new Standing(context, admitted, exchange.head.origin);
  const stay: Stay = { standing, wake: () => undefined };
  const leave = context.rechecks.add(() => {
    if (standing.judge() === undefined) return;
    // Its reading ends, as at a broken body; what it is answered depends on why.
    body.destroy(new Error('its sender is not let in any more'));
    stay.wake();
  });
  const stop = exchange.onGone;
  exchange.onGone = () => {
    stop();
    leave();
    stay.wake();
  };
  await readLines(context, exchange, stay, head, body).finally(leave);
}

interface Stay {
  readonly standing: Standing;
  /** Looks again whether there is room, or a reason to go on. */
  wake: () => void;
}

async function readLines(context: PostContext, exchange: Exchange, stay: Stay, head: RequestHead, body: Transform): Promise<void> {
  const { standing } = stay;
  const first: Buffer[] = [];
  let bytes = 0;
  let lines = 0;
  let long: LongBody | undefined;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      if (long === undefined) {
        first.push(chunk);
        bytes += chunk.length;
        const over = exchange.tryHold(chunk.length);
        if (over !== undefined) return exchange.refuse(over, true);
        lines += countLines(chunk);
        if (bytes <= limits.ndjsonCollectedMaxBytes && lines < limits.requestEventsMax) continue;
        const refused = standing.judge();
        if (refused !== undefined) return exchange.refuse(refused, true);
        exchange.bodyMs = exchange.now();
        exchange.isTaken = true;
        exchange.letGo(bytes);
        long = new LongBody(context, exchange, standing, head);
        const taking = long;
        stay.wake = () => taking.wake();
        await long.feed(withoutMark(Buffer.concat(first)));
      } else await long.feed(chunk);
      if (standing.refused !== undefined) break;
    }
  } catch (thrown) {
    if (!exchange.isOpen) return long?.leave();
    const refusal: Refusal = standing.refused ?? {
      status: 400,
      code: 'not-inflatable',
      message: `the body does not inflate: ${messageOf(thrown)}`,
    };
    if (long === undefined) exchange.refuse(refusal, true);
    else await long.end(refusal);
    return;
  }
  if (!exchange.isOpen) return long?.leave();
  if (long !== undefined) return long.end(standing.refused);
  exchange.bodyMs = exchange.now();
  const whole = withoutMark(Buffer.concat(first));
  const request = { contentType: 'application/x-ndjson', ce: undefined, head };
  const { admitted } = standing;
  settleAll(context, exchange, admitted, whole, readEvents(whole, request, admitted.stream.config, context.newId), (_single, results) =>
    answerBatch(results),
  );
}

function countLines(chunk: Buffer): number {
  let lines = 0;
  for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, at + 1)) lines++;
  return lines;
}

/** The part of a long body that is under way. */
class LongBody {
  readonly #context: PostContext;
  readonly #exchange: Exchange;
  readonly #standing: Standing;
  readonly #head: RequestHead;
  readonly #tally = createTally();
  #rest: Buffer[] = [];
  #restBytes = 0;
  /** Why the line under way is skipped to its end. */
  #skipping: Refusal | undefined;
  #index = 0;
  #openEvents = 0;
  #openBytes = 0;
  #flowing = true;
  #part = '';
  #room: (() => void) | undefined;

  constructor(context: PostContext, exchange: Exchange, standing: Standing, head: RequestHead) {
    this.#context = context;
    this.#exchange = exchange;
    this.#standing = standing;
    this.#head = head;
    exchange.checkedMs = exchange.now();
    exchange.beginStream(standing.admitted.stream.config.ack);
    exchange.onWritable(() => {
      this.#flowing = true;
      this.#room?.();
    });
  }

  async feed(chunk: Buffer): Promise<void> {
    const { clock } = this.#context;
    while (this.#exchange.isOpen && this.#exchange.overload(chunk.length) !== undefined && this.#openEvents > 0)
      await sleep(clock, overloadPauseMs);
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      this.#line(this.#joined(chunk.subarray(start, end)));
      if (this.#standing.refused !== undefined) return;
      start = end + 1;
      while (this.#isFull() && this.#exchange.isOpen && this.#standing.refused === undefined) await this.#hasRoom();
    }
    this.#keep(chunk.subarray(start));
  }

  /** What is left is the last line. Resolves once everything is settled and the verdict is written. */
  async end(refusal: Refusal | undefined): Promise<void> {
    if (refusal === undefined) this.#line(this.#joined(Buffer.alloc(0)));
    while (this.#openEvents > 0 && this.#exchange.isOpen) await this.#hasRoom();
    if (!this.#exchange.isOpen) return this.leave();
    refusal ??= this.#standing.refused;
    if (refusal !== undefined) this.#context.metrics.refused(this.#standing.admitted.stream.config.name, refusal.code);
    const more = refusal === undefined ? '' : `,"error":${JSON.stringify(errorOf(refusal))}`;
    const { status, body } = this.#tally.answer(more);
    this.#exchange.events = this.#index;
    this.#exchange.endStream(`${this.#part}{"verdict":${refusal?.status ?? status},${body.slice(1)}\n`);
  }

  /** Its client has gone: what is under way is settled without it. */
  leave(): void {
    if (this.#openEvents === 0) this.#exchange.free();
  }

  /** Looks again whether there is room, or anybody to answer. */
  wake(): void {
    this.#room?.();
  }

  #keep(piece: Buffer): void {
    if (this.#skipping !== undefined || piece.length === 0) return;
    const { bounds } = this.#context;
    const tooLong = this.#restBytes + piece.length > bounds.bodyMaxBytes;
    this.#skipping = tooLong ? lineTooLong(bounds.bodyMaxBytes) : this.#exchange.overload(piece.length);
    if (this.#skipping !== undefined) return this.#letGoRest();
    this.#restBytes += piece.length;
    this.#exchange.hold(piece.length);
    this.#rest.push(piece);
  }

  #letGoRest(): void {
    this.#exchange.letGo(this.#restBytes);
    this.#rest = [];
    this.#restBytes = 0;
  }

  /** The line that ends with `piece`, or why it was not kept. */
  #joined(piece: Buffer): Buffer | Refusal {
    this.#keep(piece);
    const line = this.#skipping ?? (this.#rest.length === 1 ? (this.#rest[0] as Buffer) : Buffer.concat(this.#rest));
    this.#letGoRest();
    this.#skipping = undefined;
    return line;
  }

  #line(line: Buffer | Refusal): void {
    const { intake, quotas, clock, newId } = this.#context;
    if (this.#standing.judge() !== undefined) return;
    const { grant, stream } = this.#standing.admitted;
    const from = { stream, keyName: grant.name };
    const event = isRefusal(line) ? line : readLine(line, 0, line.length, stream.config, this.#head, newId);
    if (event === undefined) return;
    const body = isRefusal(line) ? Buffer.alloc(0) : line;
    const { refused } = isRefusal(event) ? { refused: undefined } : quotas.admitEvents(grant, stream.config.name, 1, clock.now());
    const index = this.#index++;
    this.#openEvents++;
    this.#openBytes += body.length;
    this.#exchange.hold(body.length);
    intake.take(from, refused ?? event, body, (result) => this.#settled(index, body.length, result));
  }

  #settled(index: number, bytes: number, result: EventResult): void {
    this.#openEvents--;
    this.#openBytes -= bytes;
    this.#tally.add(result);
    this.#exchange.letGo(bytes);
    if (!this.#exchange.isOpen) this.leave();
    else {
      this.#part += `${resultLine(index, result)}\n`;
      if (this.#part.length >= partMaxChars) {
        this.#flowing = this.#exchange.writePart(this.#part) && this.#flowing;
        this.#part = '';
      }
    }
    this.#room?.();
  }

  #isFull(): boolean {
    return this.#openEvents >= limits.ndjsonOpenMaxEvents || this.#openBytes >= limits.ndjsonOpenMaxBytes || !this.#flowing;
  }

  #hasRoom(): Promise<void> {
    return new Promise((resolve) => {
      this.#room = () => {
        this.#room = undefined;
        resolve();
      };
      if (!this.#exchange.isOpen) this.#room();
    });
  }
}

function lineTooLong(maxBytes: number): Refusal {
  return { status: 413, code: 'line-too-long', message: `a line has more than ${maxBytes} bytes`, expected: `at most ${maxBytes} bytes` };
}

/**
 * NDJSON of any length in bounded memory. A short body is collected and answered like every other.
 * A longer one is taken line by line as it comes, and its answer is NDJSON too (long-body.ts).
 *
 * Invariants:
 * 1. Nothing is inflated before it is known who sends it. What comes out is bounded as it comes:
 *    `bodyDecodedMaxBytes`, or so many times what arrived (`inflationMax`) where that is more, so
 *    that a long compressed file passes and a bomb does not. The inflater is destroyed at every
 *    end.
 * 2. The connection of a body that is not taken as fast as it comes is not read. A client that does
 *    not read its results is not read either.
 * 3. The events of a long body stand for themselves: those before a broken end are in their stream,
 *    and their results say so.
 * 4. The last line of the answer is the verdict. An answer without one was cut off.
 * 5. Its sender is judged before each line, and every `accessRecheckMs`: a key that is gone or a
 *    token that is over ends it with that verdict, and nothing that comes after is stored.
 * 6. Blank lines are not held, and cost what events cost.
 */
import type { HttpResponse } from 'uWebSockets.js';
import type { Transform } from 'node:stream';
import { PassThrough } from 'node:stream';
import { assert } from '../../../schemas/kernel/assert.ts';
import { messageOf } from '../../../schemas/kernel/errors.ts';
import { limits } from '../../../schemas/limits.ts';
import { answerEvents } from '../../event/answer.ts';
import { withoutMark } from '../../event/byte-order-mark.ts';
import { clientContextOf } from '../../event/client-context.ts';
import type { RequestHead } from '../../event/given.ts';
import type { Refusal } from '../../event/refusal.ts';
import { isRefusal } from '../../event/refusal.ts';
import type { PostContext } from '../../http/body.ts';
import { settleAll } from '../../http/body.ts';
import type { Encoding, Inflater } from '../../http/decompress.ts';
import {
  checkEnd,
  decompressor,
  encodingOf,
  inflatesTooLarge,
  notInflatable,
  windowBytes,
} from '../../http/decompress.ts';
import type { Exchange } from '../../http/exchange.ts';
import type { Admitted } from '../../http/gate.ts';
import { refuseCharged } from '../../http/gate.ts';
import { requestHeadOf } from '../../http/head.ts';
import { afterItsSegment } from '../../http/request.ts';
import { Standing } from '../../http/standing.ts';
import { BlankLines } from './blank-lines.ts';
import { checkLinesHead, readLines } from './lines.ts';
import { LongBody } from './long-body.ts';

/**
 * A compressed NDJSON body may inflate to `bodyDecodedMaxBytes`, or to so many times what arrived
 * of it. JSON of like events packs 10 to 30 times.
 */
const inflationMax = 50;
assert(
  limits.ndjsonCollectedMaxBytes <= limits.bodyMaxBytes,
  'a body that is collected is within the bound of bodies',
);

/** Takes over a request with lines. */
export function streamLines(
  context: PostContext,
  res: HttpResponse,
  exchange: Exchange,
  admitted: Admitted | Promise<Admitted | Refusal>,
): void {
  const encoding = encodingOf(exchange.head.contentEncoding);
  if (typeof encoding !== 'string') return exchange.refuseAtOnce(encoding);
  new ArrivingLines(context, exchange, encoding).take(res, admitted);
}

/** A body as it arrives: passed on once its sender and how it is packed are known. */
class ArrivingLines {
  readonly #context: PostContext;
  readonly #exchange: Exchange;
  readonly #encoding: Encoding;
  /** What came before it could be passed on. */
  #early: Buffer = Buffer.alloc(0);
  #isWhole: boolean;
  #sender: Admitted | undefined;
  #body: Transform | undefined;

  constructor(context: PostContext, exchange: Exchange, encoding: Encoding) {
    this.#context = context;
    this.#exchange = exchange;
    this.#encoding = encoding;
    this.#isWhole = exchange.head.contentLength === 0;
  }

  take(res: HttpResponse, admitted: Admitted | Promise<Admitted | Refusal>): void {
    if (admitted instanceof Promise) {
      void admitted.then((late) => {
        if (!isRefusal(late)) this.#begin(late);
      });
    } else this.#sender = admitted;
    // The end of a body of no bytes is not always told (http/request.ts).
    if (this.#isWhole) return this.#begin(this.#sender);
    this.#exchange.isArriving = true;
    res.onData((chunk, isLast) => {
      if (this.#exchange.isOpen) this.#arrived(chunk, isLast);
    });
  }

  #arrived(chunk: ArrayBuffer, isLast: boolean): void {
    const exchange = this.#exchange;
    exchange.arrivedBytes += chunk.byteLength;
    if (isLast) {
      this.#isWhole = true;
      exchange.isArriving = false;
      this.#context.metrics.request('ndjson', exchange.arrivedBytes);
    }
    // The chunk is only valid in this callback.
    const copy = Buffer.from(new Uint8Array(chunk));
    if (this.#body !== undefined) return this.#pass(this.#body, copy);
    const over = exchange.tryHold(copy.length);
    if (over !== undefined) return exchange.refuse(over, true);
    this.#early = Buffer.concat([this.#early, copy]);
    this.#begin(this.#sender);
  }

  /** Begins to read, when it can. */
  #begin(sender: Admitted | undefined): void {
    this.#sender = sender;
    const exchange = this.#exchange;
    const early = this.#early;
    // What it is packed with shows in its first two bytes.
    if (sender === undefined || !exchange.isOpen || (early.length < 2 && !this.#isWhole)) return;
    const encoding = this.#encoding;
    // At most an eighth of its share: where that is small one with a large window must be let in,
    // too.
    const window =
      encoding === 'identity'
        ? 0
        : Math.min(windowBytes(encoding, early), Math.floor(exchange.roomBytes / 8));
    const over = exchange.tryHold(window);
    if (over !== undefined) return exchange.refuse(over, true);
    const body = encoding === 'identity' ? new PassThrough() : decompressor(encoding, early);
    // It may break before anybody reads it, and after.
    body.on('error', () => undefined);
    exchange.letGo(early.length);
    void new LinesBody(this.#context, exchange, sender, encoding, body).read();
    this.#body = body;
    this.#early = Buffer.alloc(0);
    this.#pass(body, early);
  }

  #pass(body: Transform, chunk: Buffer): void {
    const flowing = body.write(chunk);
    if (this.#isWhole) afterItsSegment(() => body.end());
    else if (!flowing) {
      this.#exchange.pause();
      body.once('drain', () => this.#exchange.resume());
    }
  }
}

/** A body whose sender is known, as it is read. */
class LinesBody {
  readonly #context: PostContext;
  readonly #exchange: Exchange;
  readonly #standing: Standing;
  readonly #encoding: Encoding;
  readonly #body: Transform;
  readonly #blanks = new BlankLines();
  #first: Buffer[] = [];
  #bytes = 0;
  #decodedBytes = 0;
  #long: LongBody | undefined;
  /** Why its reading was ended from outside. */
  #ended: Refusal | undefined;

  constructor(
    context: PostContext,
    exchange: Exchange,
    admitted: Admitted,
    encoding: Encoding,
    body: Transform,
  ) {
    this.#context = context;
    this.#exchange = exchange;
    this.#standing = new Standing(context, admitted, exchange.head.origin);
    this.#encoding = encoding;
    this.#body = body;
  }

  async read(): Promise<void> {
    const exchange = this.#exchange;
    const { random, addressSecret } = this.#context;
    const client = clientContextOf(
      this.#standing.admitted.stream.config.context,
      exchange.head,
      addressSecret,
    );
    const head = requestHeadOf(exchange.head, exchange.receivedAtMs, random, client);
    const leave = this.#context.rechecks.add(() => {
      const refused = this.#standing.judge();
      if (refused !== undefined) this.#end(refused);
    });
    const { onGone } = exchange;
    exchange.onGone = () => {
      onGone();
      this.#end(undefined);
    };
    exchange.onLate = (refusal) => this.#end(refusal);
    const refused = checkLinesHead(head) ?? (await this.#readAll(head));
    leave();
    this.#body.destroy();
    if (!exchange.isOpen) this.#long?.leave();
    else if (this.#long !== undefined) await this.#long.end(refused);
    else if (refused !== undefined) refuseCharged(this.#context, exchange, refused, true);
    else this.#settle(head);
  }

  /** Its reading ends, as at a broken body. */
  #end(refusal: Refusal | undefined): void {
    this.#ended ??= refusal;
    this.#body.destroy(new Error('it is read no more'));
    this.#long?.wake();
  }

  /** Reads to its end, or says why not. */
  async #readAll(head: RequestHead): Promise<Refusal | undefined> {
    try {
      for await (const chunk of this.#body as AsyncIterable<Buffer>) {
        this.#decodedBytes += chunk.length;
        const refused =
          this.#checkInflation() ??
          (await this.#readChunk(chunk, head)) ??
          this.#long?.stopped ??
          this.#payForBlanks();
        if (refused !== undefined) return refused;
      }
    } catch (thrown) {
      return this.#ended ?? notInflatable(messageOf(thrown), this.#encoding);
    }
    return this.#encoding === 'identity'
      ? undefined
      : checkEnd(this.#body as Inflater, this.#encoding, this.#exchange.arrivedBytes);
  }

  #checkInflation(): Refusal | undefined {
    if (this.#encoding === 'identity') return undefined;
    const { arrivedBytes } = this.#exchange;
    const most = Math.max(this.#context.bounds.bodyDecodedMaxBytes, inflationMax * arrivedBytes);
    return this.#decodedBytes > most ? inflatesTooLarge(arrivedBytes, most) : undefined;
  }

  async #readChunk(chunk: Buffer, head: RequestHead): Promise<Refusal | undefined> {
    const pieces = this.#blanks.without(chunk);
    // Without its blank lines a copy: a piece would keep the memory of its whole chunk.
    const piece =
      pieces.length === 1 && pieces[0]?.length === chunk.length ? chunk : Buffer.concat(pieces);
    if (this.#long !== undefined) {
      await this.#long.feed(piece);
      return undefined;
    }
    const over = this.#exchange.tryHold(piece.length);
    if (over !== undefined) return over;
    this.#first.push(piece);
    this.#bytes += piece.length;
    if (
      this.#bytes <= limits.ndjsonCollectedMaxBytes &&
      this.#blanks.lines < limits.requestEventsMax
    )
      return undefined;
    const refused = this.#standing.judge();
    if (refused !== undefined) return refused;
    const exchange = this.#exchange;
    exchange.bodyMs = exchange.now();
    exchange.isTaken = true;
    exchange.letGo(this.#bytes);
    this.#long = new LongBody(this.#context, exchange, this.#standing, head);
    const first = withoutMark(Buffer.concat(this.#first));
    this.#first = [];
    await this.#long.feed(first);
    return undefined;
  }

  /** Those of a short body are paid for with its events, of which one is enough to be let in. */
  #payForBlanks(): Refusal | undefined {
    const { blank } = this.#blanks;
    const isShort = this.#long === undefined && blank < limits.requestEventsMax;
    if (blank === 0 || isShort) return undefined;
    this.#spendBlanks();
    const { grant, stream } = this.#standing.admitted;
    return this.#context.quotas.mayCome(grant, stream.config.name, this.#context.clock.now())
      .refused;
  }

  #spendBlanks(): void {
    const { grant, stream } = this.#standing.admitted;
    this.#context.quotas.spend(
      grant,
      stream.config.name,
      this.#blanks.blank,
      this.#context.clock.now(),
    );
    this.#blanks.blank = 0;
  }

  /** A short body: it is answered as a whole. */
  #settle(head: RequestHead): void {
    const [context, exchange] = [this.#context, this.#exchange];
    exchange.bodyMs = exchange.now();
    const { admitted } = this.#standing;
    const request = { contentType: 'application/x-ndjson', ce: undefined, head };
    const whole = withoutMark(Buffer.concat(this.#first));
    settleAll(
      context,
      exchange,
      admitted,
      whole,
      readLines(whole, request, admitted.stream.config, context.newId),
      answerEvents,
    );
    this.#spendBlanks();
  }
}

/**
 * A long NDJSON body as it is taken, line by line, and its answer: a result an event, in the order
 * in which they are settled, the verdict last.
 *
 * Invariants:
 * 1. At most `ndjsonOpenMaxEvents` events and `ndjsonOpenMaxBytes` bytes (and one chunk) are
 *    unsettled; past that `feed` waits.
 * 2. What is held of it counts until it is settled, also when its client has gone.
 * 3. Each line costs one event. At the first that is over the quota reading ends: the verdict says
 *    from where on to send again, and when.
 */
import { sleep } from '../../../schemas/kernel/clock.ts';
import { limits } from '../../../schemas/limits.ts';
import type { EventResult } from '../../event/answer.ts';
import { createTally, errorOf, resultLine } from '../../event/answer.ts';
import type { RequestHead } from '../../event/given.ts';
import type { Refusal } from '../../event/refusal.ts';
import { isRefusal } from '../../event/refusal.ts';
import type { PostContext } from '../../http/body.ts';
import type { Exchange } from '../../http/exchange.ts';
import type { Standing } from '../../http/standing.ts';
import { readLine } from './lines.ts';

const newline = 0x0a;
const overloadPauseMs = 20;
const partMaxChars = 16_384;

/** The part of a long body that is in flight. */
export class LongBody {
  readonly #context: PostContext;
  readonly #exchange: Exchange;
  readonly #standing: Standing;
  readonly #head: RequestHead;
  readonly #tally = createTally();
  #rest: Buffer[] = [];
  #restBytes = 0;
  /** Why nothing more is read: its sender's quota is used up. */
  #over: Refusal | undefined;
  /** Why the line in flight is skipped to its end. */
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
    while (
      this.#exchange.isOpen &&
      this.#exchange.overload(chunk.length) !== undefined &&
      this.#openEvents > 0
    )
      await sleep(clock, overloadPauseMs);
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      this.#line(this.#joined(chunk.subarray(start, end)));
      if (this.stopped !== undefined) return;
      start = end + 1;
      while (this.#isFull() && this.#exchange.isOpen && this.stopped === undefined)
        await this.#hasRoom();
    }
    this.#keep(chunk.subarray(start));
  }

  /** Why nothing more of it is read. */
  get stopped(): Refusal | undefined {
    return this.#standing.refused ?? this.#over;
  }

  /**
   * What is left is the last line. Resolves once everything is settled and the verdict is written.
   */
  async end(refusal: Refusal | undefined): Promise<void> {
    if (refusal === undefined) this.#line(this.#joined(Buffer.alloc(0)));
    while (this.#openEvents > 0 && this.#exchange.isOpen) await this.#hasRoom();
    if (!this.#exchange.isOpen) return this.leave();
    refusal ??= this.stopped;
    if (refusal !== undefined)
      this.#context.metrics.refused(this.#standing.admitted.stream.config.name, refusal.code);
    const retryAfter =
      refusal?.retryAfterSeconds === undefined ? '' : `,"retryAfter":${refusal.retryAfterSeconds}`;
    const more =
      refusal === undefined ? '' : `${retryAfter},"error":${JSON.stringify(errorOf(refusal))}`;
    const { status, body } = this.#tally.answer(more);
    this.#exchange.events = this.#index;
    this.#exchange.endStream(
      `${this.#part}{"verdict":${refusal?.status ?? status},${body.slice(1)}\n`,
    );
  }

  /** Its client has gone: what is in flight is settled without it. */
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
    this.#skipping = tooLong
      ? lineTooLong(bounds.bodyMaxBytes)
      : this.#exchange.overload(piece.length);
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
    const line =
      this.#skipping ??
      (this.#rest.length === 1 ? (this.#rest[0] as Buffer) : Buffer.concat(this.#rest));
    this.#letGoRest();
    this.#skipping = undefined;
    return line;
  }

  #line(line: Buffer | Refusal): void {
    const { intake, quotas, clock, newId } = this.#context;
    if (this.#standing.judge() !== undefined) return;
    const { grant, stream } = this.#standing.admitted;
    const from = { stream, keyName: grant.name };
    const event = isRefusal(line)
      ? line
      : readLine(line, 0, line.length, stream.config, this.#head, newId);
    if (event === undefined) return;
    const body = isRefusal(line) ? Buffer.alloc(0) : line;
    // Good or not, a line costs one event; past the quota it would cost work to read more of them,
    // only to refuse them.
    const { refused } = quotas.admitEvents(grant, stream.config.name, 1, clock.now());
    if (refused !== undefined) {
      this.#over = {
        ...refused,
        expected: `after Retry-After send the rest again, from index ${this.#index}`,
      };
      return;
    }
    const index = this.#index++;
    this.#openEvents++;
    this.#openBytes += body.length;
    this.#exchange.hold(body.length);
    intake.take(from, event, body, (result) => this.#settled(index, body.length, result));
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
    return (
      this.#openEvents >= limits.ndjsonOpenMaxEvents ||
      this.#openBytes >= limits.ndjsonOpenMaxBytes ||
      !this.#flowing
    );
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
  return {
    status: 413,
    code: 'line-too-long',
    message: `a line has more than ${maxBytes} bytes`,
    expected: `at most ${maxBytes} bytes`,
  };
}

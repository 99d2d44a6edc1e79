/**
 * Gathers records of one stream and route into writes. While a write is in flight, new records wait
 * for part of a write's duration and leave together, sooner when they fill a batch. So the batch
 * grows with the load and with the latency of the stream, and a lone event does not wait.
 *
 * Invariants:
 * 1. A record is settled once, with an outcome of the writer or the reason why it was not written:
 *    nothing is acknowledged from memory.
 * 2. Only records that were refused as retryable are written again, and only for `writeAgainMaxMs`;
 *    an unknown outcome is never repeated here, the client decides.
 * 3. At most `batchesInFlightMax` writes are in flight, each within `batchMaxRecords` and
 *    `batchMaxBytes`. They start evenly, a quarter of the last one's time apart and at most
 *    `batchPaceMaxMs`: if they started together, they would end together, and records in between
 *    would wait for a whole write.
 * 4. In order of keys, one unit of a key is in flight; when it fails, what waits after it fails
 *    with it, so nothing overtakes it. Of a unit whose first records are in the stream only the
 *    rest is written again.
 * 5. While the breaker is open nothing is written and everything is refused at once; half open, one
 *    write goes.
 */
import type { Aggregation } from '../../schemas/config.ts';
import type { BackoffOptions } from '../../schemas/kernel/backoff.ts';
import { backoffMs } from '../../schemas/kernel/backoff.ts';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { afterThisRound, sleep } from '../../schemas/kernel/clock.ts';
import type { RefusedCode } from '../../schemas/kernel/error-codes.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { OutgoingRecord } from '../../schemas/ports/record.ts';
import type { RecordWriter, WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { Breaker } from './breaker.ts';
import type { LaneItem, Lanes, TakeBounds } from './lanes.ts';
import { createFifo, createLanes } from './lanes.ts';
import type { Packed, Unit, Waiting } from './packing.ts';
import { boundsOf, pack } from './packing.ts';
import { behindOf, hasApplied, isAgain, told, undecidedIn } from './write-outcomes.ts';

/**
 * How long an event may wait to be written; then it is refused, as its client has long given up.
 */
const queueMaxMs = 10_000;
/** How far apart at most batches start, unless they are full. */
export const batchPaceMaxMs = 10;

export interface BatcherOptions {
  readonly writer: RecordWriter;
  /** `team/app` */
  readonly stream: string;
  readonly order: 'none' | 'key';
  /**
   * Of the small route. Events of one key that wait for an earlier one share a record in any case.
   */
  readonly aggregate: Aggregation;
  readonly breaker: Breaker;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of each write that the writer answered. */
  readonly wrote?: (outcomes: readonly WriteOutcome[], bytes: number, tookMs: number) => void;
}

const retriesMax = 3;
/** Writes that follow each other evenly while one takes its time. */
const writesAtOnce = 4;
const retryBackoff: BackoffOptions = { baseMs: 20, maxMs: 500 };

export class Batcher {
  readonly #options: BatcherOptions;
  readonly #lanes: Lanes<Waiting>;
  readonly #bounds: TakeBounds;
  /**
   * Units in flight of which the first items are settled, and how many: in the stream, or refused
   * permanently.
   */
  readonly #begun = new Map<Unit, number>();
  #pendingBytes = 0;
  #inFlight = 0;
  #scheduled = false;
  #pause: Timer | undefined;
  #lastStartMs = 0;
  #lastWriteMs = 0;
  /** Why a write failed last. */
  #lastCode: RefusedCode = 'stream-down';
  #lastMessage = '';

  constructor(options: BatcherOptions) {
    const { writer, order, aggregate } = options;
    const shares = aggregate !== 'none' && writer.route === 'kinesis';
    this.#options = options;
    this.#lanes = order === 'key' ? createLanes() : createFifo(shares);
    this.#bounds = boundsOf(order === 'none' && shares, aggregate);
  }

  /** `settle` is called once, with the record's outcome. */
  add(record: OutgoingRecord, bytes: number, settle: (outcome: WriteOutcome) => void): void {
    this.#lanes.add({
      key: record.key,
      bytes,
      item: { record, sinceMs: this.#options.clock.monotonic(), settle },
    });
    this.#pendingBytes += bytes;
    this.#schedule();
  }

  /** Bytes that wait or are in flight. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /**
   * What one round of the event loop brings goes together, a request in each of its turns: the
   * busier the process, the longer its rounds, the fuller its batches.
   */
  readonly #schedule = (): void => {
    if (this.#scheduled || this.#inFlight >= limits.batchesInFlightMax || this.#lanes.waiting === 0)
      return;
    const waitMs = this.#pauseMs(this.#options.clock.monotonic());
    if (waitMs > 0) {
      this.#pause ??= this.#options.clock.setTimer(waitMs, this.#resume);
      return;
    }
    this.#pause?.cancel();
    this.#pause = undefined;
    this.#scheduled = true;
    afterThisRound(this.#pump);
  };

  readonly #resume = (): void => {
    this.#pause = undefined;
    this.#schedule();
  };

  readonly #ended = (): void => {
    this.#inFlight--;
    this.#schedule();
  };

  /** Until the next write may start. Below a millisecond there is nothing to wait for. */
  #pauseMs(nowMs: number): number {
    if (
      this.#inFlight === 0 ||
      this.#lanes.waiting >= limits.batchMaxRecords ||
      this.#lanes.waitingBytes >= limits.batchMaxBytes
    )
      return 0;
    const leftMs =
      this.#lastStartMs + Math.min(this.#lastWriteMs / writesAtOnce, batchPaceMaxMs) - nowMs;
    return leftMs < 1 ? 0 : leftMs;
  }

  readonly #pump = (): void => {
    this.#scheduled = false;
    const { breaker, clock } = this.#options;
    while (this.#inFlight < limits.batchesInFlightMax && this.#lanes.waiting > 0) {
      const nowMs = clock.monotonic();
      if (this.#pauseMs(nowMs) > 0) break;
      const taken = this.#lanes.take(this.#bounds);
      if (taken.length === 0) return;
      const fresh = this.#withoutStale(taken, nowMs);
      if (fresh.length === 0) continue;
      if (!breaker.admits(nowMs)) {
        this.#turnAway(fresh, 'stream-down', this.#downMessage());
        continue;
      }
      this.#inFlight++;
      this.#lastStartMs = nowMs;
      void this.#send(fresh).finally(this.#ended);
    }
    this.#schedule();
  };

  /** Those that waited too long are refused. */
  #withoutStale(taken: readonly Unit[], nowMs: number): readonly Unit[] {
    if (!taken.some((unit) => isStale(unit, nowMs))) return taken;
    const message = `it waited more than ${queueMaxMs} ms to be written`;
    this.#turnAway(
      taken.filter((unit) => isStale(unit, nowMs)),
      'queue-timeout',
      message,
    );
    return taken.filter((unit) => !isStale(unit, nowMs));
  }

  async #send(batch: readonly Unit[]): Promise<void> {
    const { breaker, clock, random } = this.#options;
    let left = batch;
    const againUntilMs = clock.monotonic() + limits.writeAgainMaxMs;
    for (let attempt = 0; left.length > 0; attempt++) {
      if (attempt > 0) {
        await sleep(clock, backoffMs(attempt - 1, retryBackoff, random));
        // What it was refused for says more than that nothing goes now.
        if (!breaker.admits(clock.monotonic()))
          return this.#turnAway(left, this.#lastCode, this.#lastMessage);
      }
      left = await this.#tryOnce(left, attempt, againUntilMs);
    }
  }

  /** One try of each unit; what is tried again of them. */
  async #tryOnce(
    units: readonly Unit[],
    attempt: number,
    againUntilMs: number,
  ): Promise<readonly Unit[]> {
    const { writer, stream, aggregate, clock, wrote } = this.#options;
    const packed = await pack(
      units,
      writer.route === 'kinesis',
      aggregate === 'kpl-gzip',
      this.#settledOf,
    );
    const { records, bytes } = packed;
    const startedMs = clock.monotonic();
    const outcomes = await within(writer.write(stream, records), records.length, clock);
    this.#lastWriteMs = clock.monotonic() - startedMs;
    wrote?.(outcomes, bytes, this.#lastWriteMs);
    const isLast = attempt === retriesMax || clock.monotonic() >= againUntilMs;
    return this.#settleAll(units, packed, outcomes, isLast);
  }

  /** Settles what is decided; what may be written again. */
  #settleAll(
    units: readonly Unit[],
    { records, firsts }: Packed,
    outcomes: readonly WriteOutcome[],
    isLast: boolean,
  ): readonly Unit[] {
    const again: Unit[] = [];
    let reached = false;
    for (const [nth, unit] of units.entries()) {
      const from = this.#settledOf(unit);
      const first = firsts[nth] as number;
      const end = firsts[nth + 1] ?? records.length;
      const open = undecidedIn(outcomes, first, end);
      reached ||= open > first;
      if (open < end && isAgain(outcomes, open, end) && !isLast) {
        this.#settle(unit, from, from + open - first, outcomes, first, open - 1);
        if (open > first) this.#begun.set(unit, from + open - first);
        again.push(unit);
        continue;
      }
      this.#begun.delete(unit);
      this.#settle(unit, from, unit.items.length, told(outcomes, open, end), first, end - 1);
      if (open === end && (from > 0 || hasApplied(outcomes, first, end))) this.#lanes.applied(unit);
      else this.#failBehind(unit, behindOf(outcomes[Math.min(open, end - 1)] as WriteOutcome));
    }
    this.#note(outcomes, reached);
    return again;
  }

  /** Whether the stream was reached, for the breaker and for what is told while it is open. */
  #note(outcomes: readonly WriteOutcome[], reached: boolean): void {
    const { breaker, clock } = this.#options;
    if (reached) return breaker.succeeded(clock.monotonic());
    const failed = outcomes.find((outcome) => outcome.kind !== 'applied');
    if (failed !== undefined) ({ code: this.#lastCode, message: this.#lastMessage } = failed);
    breaker.failed(clock.monotonic());
  }

  /**
   * Items `from` to before `end` by their own outcomes, which begin at `first`; those that went as
   * an aggregate have one for all, at `last`.
   */
  #settle(
    { items }: Unit,
    from: number,
    end: number,
    outcomes: readonly WriteOutcome[],
    first: number,
    last: number,
  ): void {
    for (let index = from; index < end; index++) {
      const { bytes, item } = items[index] as LaneItem<Waiting>;
      this.#pendingBytes -= bytes;
      item.settle(outcomes[Math.min(first + index - from, last)] as WriteOutcome);
    }
  }

  readonly #settledOf = (unit: Unit): number =>
    this.#begun.size === 0 ? 0 : (this.#begun.get(unit) ?? 0);

  /** What waits behind a unit whose own items are settled fails with it. */
  #failBehind(unit: Unit, behind: WriteOutcome): void {
    for (const { bytes, item } of this.#lanes.failed(unit).slice(unit.items.length)) {
      this.#pendingBytes -= bytes;
      item.settle(behind);
    }
  }

  /** Units of which nothing more is written. */
  #turnAway(units: readonly Unit[], code: RefusedCode, message: string): void {
    const outcome: WriteOutcome = { kind: 'refused', code, message, retryable: true };
    for (const unit of units) {
      this.#settle(unit, this.#settledOf(unit), unit.items.length, [outcome], 0, 0);
      this.#begun.delete(unit);
      this.#failBehind(unit, outcome);
    }
  }

  #downMessage(): string {
    const { writer, stream } = this.#options;
    return `${writer.route} of '${stream}' fails (${this.#lastCode}: ${this.#lastMessage}); retrying soon`;
  }
}

function isStale(unit: Unit, nowMs: number): boolean {
  const [first] = unit.items;
  return first !== undefined && nowMs - first.item.sinceMs > queueMaxMs;
}

/** The outcomes, or `unknown` for all once the write has taken too long. */
function within(
  writing: Promise<readonly WriteOutcome[]>,
  count: number,
  clock: Clock,
): Promise<readonly WriteOutcome[]> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(limits.writeMaxMs, () => {
      const message = `the write did not end within ${limits.writeMaxMs} ms`;
      resolve(
        Array.from({ length: count }, () => ({ kind: 'unknown', code: 'write-timeout', message })),
      );
    });
    writing.then(resolve, reject).finally(() => timer.cancel());
  });
}

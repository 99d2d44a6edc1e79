/**
 * Gathers records of one stream and path into writes. While a write is under way, what arrives
 * waits for a part of a write's time and leaves together, sooner when it fills a batch: the batch
 * grows with the load and with the bus, and a lone event waits for nobody.
 *
 * Invariants:
 * 1. A record is settled once, with an outcome of the writer or the reason why it was not written:
 *    nothing is acknowledged from memory.
 * 2. Only records that were refused as retryable are written again, and only for `writeAgainMaxMs`;
 *    an unknown outcome is never repeated here, the client decides.
 * 3. At most `batchesInFlightMax` writes are under way, each within `batchMaxRecords` and
 *    `batchMaxBytes`. They start evenly, a quarter of the last one's time apart and at most
 *    `batchPaceMaxMs`: were they to start together, they would end together, and what came in
 *    between would wait for a whole write.
 * 4. In order of keys, one unit of a key is under way; when it fails, what waits behind it fails
 *    with it, so nothing overtakes it. Of a unit whose first records are in the stream only the
 *    rest is written again.
 * 5. While the breaker is open nothing is written and everything is refused at once; half open, one
 *    write goes.
 */

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Aggregation } from '../../schemas/config.ts';
import type { BackoffOptions } from '../../schemas/kernel/backoff.ts';
import { backoffMs } from '../../schemas/kernel/backoff.ts';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { afterThisRound, sleep } from '../../schemas/kernel/clock.ts';
import type { RefusedCode } from '../../schemas/kernel/error-codes.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { encodeAggregate } from '../../schemas/kpl.ts';
import { limits } from '../../schemas/limits.ts';
import type { OutgoingRecord } from '../../schemas/ports/record.ts';
import type { RecordWriter, WriteOutcome } from '../../schemas/ports/record-writer.ts';
import { isDecided } from '../../schemas/ports/record-writer.ts';
import type { Breaker } from './breaker.ts';
import type { LaneItem, Lanes, LaneUnit, TakeBounds } from './lanes.ts';
import { createFifo, createLanes } from './lanes.ts';

export interface Batcher {
  /** `settle` is called once, with the record's outcome. */
  add(record: OutgoingRecord, bytes: number, settle: (outcome: WriteOutcome) => void): void;
  /** Bytes that wait or are under way. */
  readonly pendingBytes: number;
}

export interface BatcherOptions {
  readonly writer: RecordWriter;
  /** `team/app` */
  readonly stream: string;
  readonly order: 'none' | 'key';
  /**
   * Of the small path. Events of one key that wait for an earlier one share a record in any case.
   */
  readonly aggregate: Aggregation;
  readonly breaker: Breaker;
  readonly clock: Clock;
  readonly random: Random;
  /** Told of each write that the writer answered. */
  readonly wrote?: (outcomes: readonly WriteOutcome[], bytes: number, tookMs: number) => void;
}

interface Waiting {
  readonly record: OutgoingRecord;
  readonly sinceMs: number;
  readonly settle: (outcome: WriteOutcome) => void;
}

type Unit = LaneUnit<Waiting>;

const retriesMax = 3;
/** Writes that follow each other evenly while one takes its time. */
const writesAtOnce = 4;
const retryBackoff: BackoffOptions = { baseMs: 20, maxMs: 500 };
const laneBounds: TakeBounds = {
  maxUnits: limits.batchMaxRecords,
  maxBytes: limits.batchMaxBytes,
  unitMaxItems: limits.unitMaxEvents,
  unitMaxBytes: limits.unitMaxBytes,
};
const sharedBounds = (compressed: boolean): TakeBounds => ({
  ...laneBounds,
  unitMaxItems: limits.aggregateMaxEvents,
  unitMaxBytes: compressed ? limits.aggregateGzipMaxBytes : limits.aggregateMaxBytes,
});
const compress = promisify(gzip);
/** Level 6 takes two and a half times as long for a fifth less (test/bench/README.md). */
const compressionLevel = 1;

export function createBatcher(options: BatcherOptions): Batcher {
  const { writer, stream, order, aggregate, breaker, clock, random, wrote } = options;
  const shares = aggregate !== 'none' && writer.path === 'kinesis';
  const lanes: Lanes<Waiting> = order === 'key' ? createLanes() : createFifo(shares);
  const bounds = order === 'key' || !shares ? laneBounds : sharedBounds(aggregate === 'kpl-gzip');
  /**
   * Units under way of which the first items are settled, and how many: in the stream, or refused
   * for good.
   */
  const begun = new Map<Unit, number>();
  let inFlight = 0;
  let pendingBytes = 0;
  let scheduled = false;
  let pause: Timer | undefined;
  let lastStartMs = 0;
  let lastWriteMs = 0;
  /** Why a write failed last. */
  let lastCode: RefusedCode = 'stream-down';
  let lastMessage = '';

  /**
   * Items `from` to before `end` by their own outcomes, which begin at `first`; those that went as
   * an aggregate have one for all, at `last`.
   */
  const settle = (
    { items }: Unit,
    from: number,
    end: number,
    outcomes: readonly WriteOutcome[],
    first: number,
    last: number,
  ): void => {
    for (let index = from; index < end; index++) {
      const { bytes, item } = items[index] as LaneItem<Waiting>;
      pendingBytes -= bytes;
      item.settle(outcomes[Math.min(first + index - from, last)] as WriteOutcome);
    }
  };

  const settledOf = (unit: Unit): number => (begun.size === 0 ? 0 : (begun.get(unit) ?? 0));

  /** What waits behind a unit whose own items are settled fails with it. */
  const failBehind = (unit: Unit, behind: WriteOutcome): void => {
    for (const { bytes, item } of lanes.failed(unit).slice(unit.items.length)) {
      pendingBytes -= bytes;
      item.settle(behind);
    }
  };

  /** Units of which nothing more is written. */
  const turnAway = (units: readonly Unit[], code: RefusedCode, message: string): void => {
    const outcome: WriteOutcome = { kind: 'refused', code, message, retryable: true };
    for (const unit of units) {
      settle(unit, settledOf(unit), unit.items.length, [outcome], 0, 0);
      begun.delete(unit);
      failBehind(unit, outcome);
    }
  };

  /** One try of each unit; what is tried again of them. `isLast` is asked when it has failed. */
  const tryOnce = async (
    units: readonly Unit[],
    isLast: () => boolean,
  ): Promise<readonly Unit[]> => {
    const records: OutgoingRecord[] = [];
    const firsts: number[] = [];
    let bytes = 0;
    for (const unit of units) {
      const { items } = unit;
      firsts.push(records.length);
      bytes += unit.bytes;
      if (items.length > 1 && writer.path === 'kinesis')
        records.push(await aggregateOf(unit, aggregate === 'kpl-gzip'));
      else
        for (let at = settledOf(unit); at < items.length; at++)
          records.push((items[at] as LaneItem<Waiting>).item.record);
    }
    const startedMs = clock.monotonic();
    const outcomes = await within(writer.write(stream, records), records.length, clock);
    lastWriteMs = clock.monotonic() - startedMs;
    wrote?.(outcomes, bytes, lastWriteMs);
    const again: Unit[] = [];
    const last = isLast();
    let reached = false;
    for (const [nth, unit] of units.entries()) {
      const from = settledOf(unit);
      const first = firsts[nth] as number;
      const end = firsts[nth + 1] ?? records.length;
      const open = undecidedIn(outcomes, first, end);
      reached ||= open > first;
      if (open < end && isAgain(outcomes, open, end) && !last) {
        settle(unit, from, from + open - first, outcomes, first, open - 1);
        if (open > first) begun.set(unit, from + open - first);
        again.push(unit);
        continue;
      }
      begun.delete(unit);
      settle(unit, from, unit.items.length, told(outcomes, open, end), first, end - 1);
      if (open === end && (from > 0 || hasApplied(outcomes, first, end))) lanes.applied(unit);
      else failBehind(unit, behindOf(outcomes[Math.min(open, end - 1)] as WriteOutcome));
    }
    const failed = reached ? undefined : outcomes.find((outcome) => outcome.kind !== 'applied');
    if (failed !== undefined) ({ code: lastCode, message: lastMessage } = failed);
    if (reached) breaker.succeeded(clock.monotonic());
    else breaker.failed(clock.monotonic());
    return again;
  };

  const send = async (batch: readonly Unit[]): Promise<void> => {
    let left = batch;
    const againUntilMs = clock.monotonic() + limits.writeAgainMaxMs;
    for (let attempt = 0; left.length > 0; attempt++) {
      if (attempt > 0) {
        await sleep(clock, backoffMs(attempt - 1, retryBackoff, random));
        // What it was refused for says more than that nothing goes now.
        if (!breaker.admits(clock.monotonic())) return turnAway(left, lastCode, lastMessage);
      }
      left = await tryOnce(left, () => attempt === retriesMax || clock.monotonic() >= againUntilMs);
    }
  };

  const downMessage = (): string =>
    `${writer.path} of '${stream}' fails (${lastCode}: ${lastMessage}); it is tried again soon`;

  /** Until the next write may start. Below a millisecond there is nothing to wait for. */
  const pauseMs = (nowMs: number): number => {
    if (
      inFlight === 0 ||
      lanes.waiting >= limits.batchMaxRecords ||
      lanes.waitingBytes >= limits.batchMaxBytes
    )
      return 0;
    const leftMs =
      lastStartMs + Math.min(lastWriteMs / writesAtOnce, limits.batchPaceMaxMs) - nowMs;
    return leftMs < 1 ? 0 : leftMs;
  };

  const pump = (): void => {
    scheduled = false;
    while (inFlight < limits.batchesInFlightMax && lanes.waiting > 0) {
      const nowMs = clock.monotonic();
      if (pauseMs(nowMs) > 0) break;
      const taken = lanes.take(bounds);
      if (taken.length === 0) return;
      const [stale, fresh] = [
        taken.filter((unit) => isStale(unit, nowMs)),
        taken.filter((unit) => !isStale(unit, nowMs)),
      ];
      if (stale.length > 0)
        turnAway(
          stale,
          'queue-timeout',
          `it waited more than ${limits.queueMaxMs} ms to be written`,
        );
      if (fresh.length === 0) continue;
      if (!breaker.admits(nowMs)) {
        turnAway(fresh, 'stream-down', downMessage());
        continue;
      }
      inFlight++;
      lastStartMs = nowMs;
      void send(fresh).finally(() => {
        inFlight--;
        schedule();
      });
    }
    schedule();
  };

  /**
   * What one round of the event loop brings goes together, a request in each of its turns: the
   * busier the process, the longer its rounds, the fuller its batches.
   */
  const schedule = (): void => {
    if (scheduled || inFlight >= limits.batchesInFlightMax || lanes.waiting === 0) return;
    const waitMs = pauseMs(clock.monotonic());
    if (waitMs > 0) {
      pause ??= clock.setTimer(waitMs, resume);
      return;
    }
    pause?.cancel();
    pause = undefined;
    scheduled = true;
    afterThisRound(pump);
  };

  const resume = (): void => {
    pause = undefined;
    schedule();
  };

  return {
    add(record, bytes, onSettled) {
      lanes.add({
        key: record.key,
        bytes,
        item: { record, sinceMs: clock.monotonic(), settle: onSettled },
      });
      pendingBytes += bytes;
      schedule();
    },
    get pendingBytes() {
      return pendingBytes;
    },
  };
}

function isStale(unit: Unit, nowMs: number): boolean {
  const [first] = unit.items;
  return first !== undefined && nowMs - first.item.sinceMs > limits.queueMaxMs;
}

/** One record that holds the unit's records, in order (KPL aggregation). */
async function aggregateOf({ key, items }: Unit, compressed: boolean): Promise<OutgoingRecord> {
  const value = encodeAggregate(items.map(({ item }) => item.record));
  return compressed
    ? { key, value: [await compress(Buffer.concat(value), { level: compressionLevel })] }
    : { key, value };
}

/**
 * The first outcome from `first` to before `end` that leaves open what becomes of its record; `end`
 * when there is none.
 */
function undecidedIn(outcomes: readonly WriteOutcome[], first: number, end: number): number {
  let at = first;
  while (at < end && isDecided(outcomes[at] as WriteOutcome)) at++;
  return at;
}

function hasApplied(outcomes: readonly WriteOutcome[], first: number, end: number): boolean {
  for (let at = first; at < end; at++) if (outcomes[at]?.kind === 'applied') return true;
  return false;
}

/** Whether nothing from `open` on is in the stream, and all of it may be written again. */
function isAgain(outcomes: readonly WriteOutcome[], open: number, end: number): boolean {
  for (let at = open; at < end; at++) if (outcomes[at]?.kind !== 'refused') return false;
  return true;
}

const outOfTurn: WriteOutcome = {
  kind: 'unknown',
  code: 'partly-written',
  message: 'part of what goes behind it was written',
};

/**
 * What is told: each its own, but for what others have overtaken. Whether the client must send it
 * again is for its identity to decide.
 */
function told(
  outcomes: readonly WriteOutcome[],
  open: number,
  end: number,
): readonly WriteOutcome[] {
  if (!hasApplied(outcomes, open, end)) return outcomes;
  return outcomes.map((outcome, at) =>
    at >= open && at < end && outcome.kind !== 'applied' ? outOfTurn : outcome,
  );
}

function behindOf(worst: WriteOutcome): WriteOutcome {
  const message =
    worst.kind === 'applied'
      ? ''
      : `an earlier event of the same key was not written: ${worst.message}`;
  return { kind: 'refused', code: 'order-kept', message, retryable: true };
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

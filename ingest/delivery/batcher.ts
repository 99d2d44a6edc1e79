/**
 * Gathers records of one stream and path into writes. While a write is under way, what arrives waits for a part of a write's time and leaves
 * together, sooner when it fills a batch: the batch grows with the load and with the bus, and a lone event waits for nobody.
 *
 * Invariants:
 * 1. A record is settled once, with an outcome of the writer or the reason why it was not written: nothing is acknowledged from memory.
 * 2. Only records that were refused as retryable are written again, and only for `writeAgainMaxMs`; an unknown outcome is never repeated here, the client decides.
 * 3. At most `batchesInFlightMax` writes are under way, each within `batchMaxRecords` and `batchMaxBytes`. They start evenly, a quarter of
 *    the last one's time apart and at most `batchPaceMaxMs`: were they to start together, they would end together, and what came in between
 *    would wait for a whole write.
 * 4. In order of keys, one unit of a key is under way; when it fails, what waits behind it fails with it, so nothing overtakes it.
 * 5. While the breaker is open nothing is written and everything is refused at once; half open, one write goes.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Aggregation } from '../../schemas/config.ts';
import type { BackoffOptions } from '../../schemas/kernel/backoff.ts';
import { backoffMs } from '../../schemas/kernel/backoff.ts';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { afterThisRound, sleep } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { encodeAggregate } from '../../schemas/kpl.ts';
import { limits } from '../../schemas/limits.ts';
import type { OutgoingRecord } from '../../schemas/ports/record.ts';
import type { RecordWriter, WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { Breaker } from './breaker.ts';
import { isForGood } from './halves.ts';
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
  /** Of the small path. Events of one key that wait for an earlier one share a record in any case. */
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
  let inFlight = 0;
  let pendingBytes = 0;
  let scheduled = false;
  let pause: Timer | undefined;
  let lastStartMs = 0;
  let lastWriteMs = 0;
  /** Why a write failed last. */
  let lastCode = 'stream-down';
  let lastMessage = '';

  /** The unit's outcomes begin at `first`; one that went as an aggregate has one for all, at `last`. */
  const settle = (unit: Unit, outcomes: readonly WriteOutcome[], first: number, last: number): void => {
    const { items } = unit;
    for (let index = 0; index < items.length; index++) {
      const { bytes, item } = items[index] as LaneItem<Waiting>;
      pendingBytes -= bytes;
      item.settle(outcomes[Math.min(first + index, last)] as WriteOutcome);
    }
  };

  const fail = (unit: Unit, outcome: WriteOutcome, behind: WriteOutcome): void => {
    const own = unit.items.length;
    for (const [index, { bytes, item }] of lanes.failed(unit).entries()) {
      pendingBytes -= bytes;
      item.settle(index < own ? outcome : behind);
    }
  };

  /** Units that were not written at all. */
  const turnAway = (units: readonly Unit[], code: string, message: string): void => {
    const outcome: WriteOutcome = { kind: 'refused', code, message, retryable: true };
    for (const unit of units) fail(unit, outcome, outcome);
  };

  /** One try of each unit; those that are tried again. `isLast` is asked when it has failed. */
  const tryOnce = async (units: readonly Unit[], isLast: () => boolean): Promise<readonly Unit[]> => {
    const records: OutgoingRecord[] = [];
    const firsts: number[] = [];
    let bytes = 0;
    for (const unit of units) {
      firsts.push(records.length);
      bytes += unit.bytes;
      if (unit.items.length > 1 && writer.path === 'kinesis') records.push(await aggregateOf(unit, aggregate === 'kpl-gzip'));
      else for (const { item } of unit.items) records.push(item.record);
    }
    const startedMs = clock.monotonic();
    const outcomes = await within(writer.write(stream, records), records.length, clock);
    lastWriteMs = clock.monotonic() - startedMs;
    wrote?.(outcomes, bytes, lastWriteMs);
    const again: Unit[] = [];
    const last = isLast();
    let reached = false;
    for (const [nth, unit] of units.entries()) {
      const first = firsts[nth] as number;
      const end = firsts[nth + 1] ?? records.length;
      const worst = worstOf(outcomes, first, end);
      const isDecided = worst.kind === 'applied' || isDecidedEach(outcomes, first, end);
      reached ||= isDecided || isForGood(worst);
      if (isDecided) {
        lanes.applied(unit);
        settle(unit, outcomes, first, end - 1);
      } else if (worst.kind === 'refused' && worst.retryable && !last) again.push(unit);
      else fail(unit, worst, behindOf(worst));
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

  const downMessage = (): string => `${writer.path} of '${stream}' fails (${lastCode}: ${lastMessage}); it is tried again soon`;

  /** Until the next write may start. Below a millisecond there is nothing to wait for. */
  const pauseMs = (nowMs: number): number => {
    if (inFlight === 0 || lanes.waiting >= limits.batchMaxRecords || lanes.waitingBytes >= limits.batchMaxBytes) return 0;
    const leftMs = lastStartMs + Math.min(lastWriteMs / writesAtOnce, limits.batchPaceMaxMs) - nowMs;
    return leftMs < 1 ? 0 : leftMs;
  };

  const pump = (): void => {
    scheduled = false;
    while (inFlight < limits.batchesInFlightMax && lanes.waiting > 0) {
      const nowMs = clock.monotonic();
      if (pauseMs(nowMs) > 0) break;
      const taken = lanes.take(bounds);
      if (taken.length === 0) return;
      const [stale, fresh] = [taken.filter((unit) => isStale(unit, nowMs)), taken.filter((unit) => !isStale(unit, nowMs))];
      if (stale.length > 0) turnAway(stale, 'queue-timeout', `it waited more than ${limits.queueMaxMs} ms to be written`);
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
   * What one round of the event loop brings goes together, a request in each of its turns: the busier the process, the longer its rounds, the
   * fuller its batches.
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
      lanes.add({ key: record.key, bytes, item: { record, sinceMs: clock.monotonic(), settle: onSettled } });
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
  return compressed ? { key, value: [await compress(Buffer.concat(value), { level: compressionLevel })] } : { key, value };
}

/** Of a unit's outcomes the one that speaks for all: a unit is in the stream when every record of it is. */
function worstOf(outcomes: readonly WriteOutcome[], first: number, end: number): WriteOutcome {
  let worst = outcomes[first] as WriteOutcome;
  for (let at = first + 1; at < end && worst.kind !== 'unknown'; at++) {
    const outcome = outcomes[at] as WriteOutcome;
    if (outcome.kind === worst.kind) continue;
    // Part of it is in the stream: whether the client must send all again is for the identity to decide.
    worst = { kind: 'unknown', code: 'partly-written', message: 'part of what goes together was written' };
  }
  return worst;
}

/** Some of a unit's records are in the stream, and the others never will be: each has its own outcome, and there is nothing left to overtake. */
function isDecidedEach(outcomes: readonly WriteOutcome[], first: number, end: number): boolean {
  let applied = 0;
  for (let at = first; at < end; at++) {
    const outcome = outcomes[at] as WriteOutcome;
    if (outcome.kind === 'applied') applied++;
    else if (!isForGood(outcome)) return false;
  }
  return applied > 0;
}

function behindOf(worst: WriteOutcome): WriteOutcome {
  const message = worst.kind === 'applied' ? '' : `an earlier event of the same key was not written: ${worst.message}`;
  return { kind: 'refused', code: 'order-kept', message, retryable: true };
}

/** The outcomes, or `unknown` for all once the write has taken too long. */
function within(writing: Promise<readonly WriteOutcome[]>, count: number, clock: Clock): Promise<readonly WriteOutcome[]> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(limits.writeMaxMs, () => {
      const message = `the write did not end within ${limits.writeMaxMs} ms`;
      resolve(Array.from({ length: count }, () => ({ kind: 'unknown', code: 'write-timeout', message })));
    });
    writing.then(resolve, reject).finally(() => timer.cancel());
  });
}

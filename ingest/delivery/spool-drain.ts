/**
 * Empties a spool into its stream, behind the same breaker and through the same batcher as what arrives.
 *
 * Invariants:
 * 1. Records go to the stream in the spool's order (as far as the batcher keeps order at all).
 * 2. A record is let go of only once the stream has it, or it was set aside because the stream will never take it.
 * 3. What the stream has taken of a batch is not sent again when the rest is.
 */
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { limits } from '../../schemas/limits.ts';
import type { OutgoingRecord } from '../../schemas/ports/record.ts';
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { Batcher } from './batcher.ts';
import type { Breaker } from './breaker.ts';
import type { Spool, SpooledRecord, SpoolOutcome } from './spool.ts';

export type DrainNews =
  | { readonly kind: 'spool-drained'; readonly records: number }
  | { readonly kind: 'set-aside'; readonly code: string; readonly message: string };

export interface SpoolDrainOptions {
  readonly spool: Spool;
  readonly batcher: Batcher;
  readonly breaker: Breaker;
  /** Keeps, durably, a record that the stream will never take. */
  readonly setAside: ((record: OutgoingRecord) => Promise<SpoolOutcome>) | undefined;
  readonly clock: Clock;
  readonly tell: (news: DrainNews) => void;
}

export interface SpoolDrain {
  /** There is something new in the spool. */
  wake(): void;
  stop(): Promise<void>;
}

const bounds = {
  maxRecords: limits.batchMaxRecords * limits.batchesInFlightMax,
  maxBytes: limits.batchMaxBytes * limits.batchesInFlightMax,
};
const pauseMs = 200;

export function startSpoolDrain({ spool, batcher, breaker, setAside, clock, tell }: SpoolDrainOptions): SpoolDrain {
  let stopped = false;
  let wake: (() => void) | undefined;

  const pause = async (ms: number | undefined): Promise<void> => {
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      wake = resolve;
      if (stopped) resolve();
      else if (ms !== undefined) timer = clock.setTimer(ms, resolve);
    });
    wake = undefined;
    timer?.cancel();
  };

  const write = (batch: readonly SpooledRecord[]): Promise<readonly WriteOutcome[]> =>
    Promise.all(batch.map(({ record, bytes }) => new Promise<WriteOutcome>((resolve) => batcher.add(record, bytes, resolve))));

  const settledBy = async (record: OutgoingRecord, outcome: WriteOutcome): Promise<boolean> => {
    if (outcome.kind === 'applied') return true;
    if (outcome.kind === 'unknown' || outcome.retryable) return false;
    if ((await setAside?.(record))?.kind !== 'applied') return false;
    tell({ kind: 'set-aside', code: outcome.code, message: outcome.message });
    return true;
  };

  /** Writes until every record of the batch is settled. False when it was stopped before. */
  const deliver = async (batch: readonly SpooledRecord[]): Promise<boolean> => {
    let left = batch;
    while (left.length > 0) {
      if (stopped) return false;
      const retryInMs = breaker.retryInMs(clock.monotonic());
      if (retryInMs > 0) {
        await pause(retryInMs);
        continue;
      }
      // A breaker that is not closed lets one write through, as its probe.
      const part = breaker.state === 'closed' ? left : left.slice(0, 1);
      const outcomes = await write(part);
      const again: SpooledRecord[] = [];
      for (const [index, spooled] of part.entries()) {
        if (!(await settledBy(spooled.record, outcomes[index] as WriteOutcome))) again.push(spooled);
      }
      if (again.length > 0) await pause(pauseMs);
      left = [...again, ...left.slice(part.length)];
    }
    return true;
  };

  const run = async (): Promise<void> => {
    let drained = 0;
    while (!stopped) {
      const batch = await spool.read(bounds);
      const last = batch.at(-1);
      if (last === undefined) {
        if (drained > 0) tell({ kind: 'spool-drained', records: drained });
        drained = 0;
        // An append that is under way wakes nobody who does not wait yet.
        await pause(spool.pending ? pauseMs : undefined);
        continue;
      }
      if (!(await deliver(batch))) return;
      drained += batch.length;
      await spool.drainedTo(last.offset);
    }
  };

  const running = run();
  return {
    wake: () => wake?.(),
    async stop() {
      stopped = true;
      wake?.();
      await running;
    },
  };
}

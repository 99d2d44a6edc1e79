/**
 * Empties a spool into its stream, behind the same breaker and through the same batcher as what
 * arrives.
 *
 * Invariants:
 * 1. Records go to the stream in the spool's order (as far as the batcher keeps order at all).
 * 2. A record is let go of only once the stream has it, or it was set aside because the stream will
 *    never take it. What is before the first record that is neither is marked as drained, and
 *    nothing behind it.
 * 3. What the stream has taken of a batch is not sent again when the rest is.
 * 4. No fault of the disk ends it: it is told of once and met again after a pause. While the stream
 *    is down no records are held in memory: what was read and not taken is read again.
 * 5. What is read is within the memory that the spools of a process share; it waits for its turn.
 */

import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import type { RefusedCode } from '../../schemas/kernel/error-codes.ts';
import { messageOf } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { OutgoingRecord } from '../../schemas/ports/record.ts';
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { Batcher } from './batcher.ts';
import type { Breaker } from './breaker.ts';
import { weightOf } from './claim-check.ts';
import type { Spool, SpooledRecord, SpoolOutcome } from './spool.ts';
import type { SpoolMemory } from './spool-memory.ts';

export type DrainNews =
  /** What a failure, or an earlier run, had left is all in the stream. */
  | { readonly kind: 'spool-drained'; readonly records: number }
  | { readonly kind: 'set-aside'; readonly code: RefusedCode; readonly message: string }
  /** Nothing is lost; it is tried again. */
  | { readonly kind: 'spool-fault'; readonly message: string };

export interface SpoolDrainOptions {
  readonly spool: Spool;
  readonly batcher: Pick<Batcher, 'add'>;
  readonly breaker: Pick<Breaker, 'state' | 'retryInMs'>;
  /** Keeps, durably, a record that the stream will never take. */
  readonly setAside: (record: OutgoingRecord) => Promise<SpoolOutcome>;
  readonly memory: SpoolMemory;
  readonly clock: Clock;
  readonly tell: (news: DrainNews) => void;
}

export interface SpoolDrain {
  /** There is something new in the spool. */
  wake(): void;
  /**
   * Waits for the write that is under way, for at most `limits.drainMs`; what it wrote may then be
   * written again by the next run.
   */
  stop(): Promise<void>;
}

const bounds = {
  maxRecords: limits.batchMaxRecords * limits.batchesInFlightMax,
  maxBytes: Math.min(limits.batchMaxBytes * limits.batchesInFlightMax, limits.spoolReadMaxBytes),
};
/** A breaker that is not closed lets one write through. */
const probeBounds = { maxRecords: 1, maxBytes: 1 };
const pauseMs = 200;
const faultPauseMs = 5_000;

export function startSpoolDrain({
  spool,
  batcher,
  breaker,
  setAside,
  memory,
  clock,
  tell,
}: SpoolDrainOptions): SpoolDrain {
  let stopped = false;
  let resume: (() => void) | undefined;
  let idle = false;
  const faults = new Map<'read' | 'mark' | 'aside', string>();
  /** Whether a failure, or an earlier run, has left what is drained now. */
  let isBacklog = spool.records > 0;
  let drained = 0;
  /** Offsets that the stream has, behind one that it has not and that is read again. */
  const taken = new Set<number>();

  /** Without `ms` until there is something new. */
  const pause = async (ms: number | undefined): Promise<void> => {
    let timer: Timer | undefined;
    idle = ms === undefined;
    await new Promise<void>((resolve) => {
      resume = resolve;
      if (stopped) resolve();
      else if (ms !== undefined) timer = clock.setTimer(ms, resolve);
    });
    resume = undefined;
    timer?.cancel();
  };

  /** Once for as long as it stays the same. */
  const tellFault = (of: 'read' | 'mark' | 'aside', message: string): void => {
    if (faults.get(of) === message) return;
    faults.set(of, message);
    tell({ kind: 'spool-fault', message });
  };

  /** Never rejects: what is to be written must not be forgotten because a mark was not. */
  const mark = async (offset: number): Promise<void> => {
    try {
      await spool.drainedTo(offset);
      faults.delete('mark');
    } catch (thrown) {
      tellFault('mark', messageOf(thrown));
    }
  };

  const write = (batch: readonly SpooledRecord[]): Promise<readonly WriteOutcome[]> =>
    Promise.all(
      batch.map(
        ({ record, bytes }) =>
          new Promise<WriteOutcome>((resolve) =>
            batcher.add(record, weightOf(record, bytes), resolve),
          ),
      ),
    );

  const keepAside = async (record: OutgoingRecord): Promise<boolean> => {
    try {
      const outcome = await setAside(record);
      if (outcome.kind === 'applied') {
        faults.delete('aside');
        return true;
      }
      tellFault('aside', outcome.message);
    } catch (thrown) {
      tellFault('aside', messageOf(thrown));
    }
    return false;
  };

  const settledBy = async (record: OutgoingRecord, outcome: WriteOutcome): Promise<boolean> => {
    if (outcome.kind === 'applied') return true;
    if (outcome.kind === 'unknown' || outcome.retryable) return false;
    if (!(await keepAside(record))) return false;
    tell({ kind: 'set-aside', code: outcome.code, message: outcome.message });
    return true;
  };

  /**
   * What is `left` of a batch is read again when the stream answers; what it has is not sent again
   * then.
   */
  const putBack = (batch: readonly SpooledRecord[], left: readonly SpooledRecord[]): void => {
    const [first] = left;
    if (first === undefined) return;
    const open = new Set(left.map(({ offset }) => offset));
    for (const { offset } of batch)
      if (offset > first.offset && !open.has(offset)) taken.add(offset);
    spool.rewind(first.offset);
  };

  /** Writes until every record of the batch is settled, it was stopped, or the stream is down. */
  const deliver = async (batch: readonly SpooledRecord[], last: number): Promise<void> => {
    let left = batch;
    while (left.length > 0 && !stopped) {
      if (breaker.retryInMs(clock.monotonic()) > 0) return putBack(batch, left);
      const part = breaker.state === 'closed' ? left : left.slice(0, 1);
      const outcomes = await write(part);
      const again: SpooledRecord[] = [];
      for (const [index, spooled] of part.entries()) {
        if (!(await settledBy(spooled.record, outcomes[index] as WriteOutcome)))
          again.push(spooled);
      }
      const before = left[0]?.offset ?? 0;
      left = [...again, ...left.slice(part.length)];
      const reached = left[0]?.offset ?? last + 1;
      if (reached > before) await mark(reached - 1);
      drained += part.length - again.length;
      if (again.length > 0) {
        isBacklog = true;
        await pause(pauseMs);
      }
    }
  };

  /** Reads and delivers what there is room for; false when there was nothing. */
  const deliverNext = async (): Promise<boolean> => {
    const room = await memory.room(limits.spoolReadMaxBytes);
    try {
      if (stopped) return true;
      const batch = await spool.read(breaker.state === 'closed' ? bounds : probeBounds);
      faults.delete('read');
      const last = batch.at(-1);
      if (last === undefined) return false;
      room.shrinkTo(batch.reduce((sum, { bytes }) => sum + bytes, 0));
      const fresh = batch.filter(({ offset }) => !taken.delete(offset));
      if (fresh.length === 0) await mark(last.offset);
      else await deliver(fresh, last.offset);
      return true;
    } finally {
      room.release();
    }
  };

  const step = async (): Promise<void> => {
    const retryInMs = spool.pending ? breaker.retryInMs(clock.monotonic()) : 0;
    if (retryInMs > 0) {
      isBacklog = true;
      return pause(Math.ceil(retryInMs));
    }
    if (spool.pending && (await deliverNext())) return;
    if (isBacklog && drained > 0) tell({ kind: 'spool-drained', records: drained });
    isBacklog = false;
    drained = 0;
    // An append that is under way wakes nobody who does not wait yet.
    await pause(spool.pending ? pauseMs : undefined);
  };

  const run = async (): Promise<void> => {
    while (!stopped) {
      try {
        await step();
      } catch (thrown) {
        tellFault('read', messageOf(thrown));
        await pause(faultPauseMs);
      }
    }
  };

  const running = run();
  return {
    wake() {
      if (idle) resume?.();
    },
    async stop() {
      stopped = true;
      resume?.();
      let timer: Timer | undefined;
      const late = new Promise<void>((resolve) => {
        timer = clock.setTimer(limits.drainMs, resolve);
      });
      await Promise.race([running, late]);
      timer?.cancel();
    },
  };
}

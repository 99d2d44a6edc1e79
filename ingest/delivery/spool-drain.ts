/**
 * Empties a spool into its stream, behind the same breaker and through the same batcher as new
 * events.
 *
 * Invariants:
 * 1. Records go to the stream in the spool's order (as far as the batcher keeps order at all).
 * 2. A record is dropped only once the stream has it, or it was set aside because the stream will
 *    never accept it. Records before the first one that is neither are marked as drained, and none
 *    after it.
 * 3. Records of a batch that the stream has accepted are not sent again with the rest.
 * 4. No fault of the disk ends it: the fault is reported once, and the work retried after a pause.
 *    While the stream is down no records are held in memory: they are read again later.
 * 5. Reads stay within the memory that the spools of a process share, and wait for their turn.
 */

import { assert } from '../../schemas/kernel/assert.ts';
import { mebi } from '../../schemas/kernel/bytes.ts';
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
import { spoolsReadMaxBytes } from './spool-memory.ts';

/** One read of one spool. */
export const spoolReadMaxBytes = 32 * mebi;
assert(
  limits.kafkaRecordMaxBytes + limits.recordHeadMaxBytes <= spoolReadMaxBytes,
  'a read has room for the largest record',
);
assert(spoolReadMaxBytes <= spoolsReadMaxBytes, 'one read fits the memory of all spools');

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

const bounds = {
  maxRecords: limits.batchMaxRecords * limits.batchesInFlightMax,
  maxBytes: Math.min(limits.batchMaxBytes * limits.batchesInFlightMax, spoolReadMaxBytes),
};
/** A breaker that is not closed lets one write through. */
const probeBounds = { maxRecords: 1, maxBytes: 1 };
const pauseMs = 200;
const faultPauseMs = 5_000;

type Faulty = 'read' | 'mark' | 'aside';

/** Begins when it is made. */
export class SpoolDrain {
  readonly #options: SpoolDrainOptions;
  readonly #faults = new Map<Faulty, string>();
  /** Offsets that the stream has, behind one that it has not and that is read again. */
  readonly #taken = new Set<number>();
  readonly #running: Promise<void>;
  #stopped = false;
  #resume: (() => void) | undefined;
  #idle = false;
  /** Whether a failure, or an earlier run, has left what is drained now. */
  #isBacklog: boolean;
  #drained = 0;

  constructor(options: SpoolDrainOptions) {
    this.#options = options;
    this.#isBacklog = options.spool.records > 0;
    this.#running = this.#run();
  }

  /** There is something new in the spool. */
  wake(): void {
    if (this.#idle) this.#resume?.();
  }

  /**
   * Waits for the write that is in flight, for at most `limits.shutdownMaxMs`; what it wrote may
   * then be written again by the next run.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#resume?.();
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = this.#options.clock.setTimer(limits.shutdownMaxMs, resolve);
    });
    await Promise.race([this.#running, late]);
    timer?.cancel();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#step();
      } catch (thrown) {
        this.#tellFault('read', messageOf(thrown));
        await this.#pause(faultPauseMs);
      }
    }
  }

  async #step(): Promise<void> {
    const { spool, breaker, clock, tell } = this.#options;
    const retryInMs = spool.pending ? breaker.retryInMs(clock.monotonic()) : 0;
    if (retryInMs > 0) {
      this.#isBacklog = true;
      return this.#pause(Math.ceil(retryInMs));
    }
    if (spool.pending && (await this.#deliverNext())) return;
    if (this.#isBacklog && this.#drained > 0)
      tell({ kind: 'spool-drained', records: this.#drained });
    this.#isBacklog = false;
    this.#drained = 0;
    // An append that is in flight wakes nobody who does not wait yet.
    await this.#pause(spool.pending ? pauseMs : undefined);
  }

  /** Without `ms` until there is something new. */
  async #pause(ms: number | undefined): Promise<void> {
    let timer: Timer | undefined;
    this.#idle = ms === undefined;
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
      if (this.#stopped) resolve();
      else if (ms !== undefined) timer = this.#options.clock.setTimer(ms, resolve);
    });
    this.#resume = undefined;
    timer?.cancel();
  }

  /** Reads and delivers what there is room for; false when there was nothing. */
  async #deliverNext(): Promise<boolean> {
    const { spool, breaker, memory } = this.#options;
    const room = await memory.room(spoolReadMaxBytes);
    try {
      if (this.#stopped) return true;
      const batch = await spool.read(breaker.state === 'closed' ? bounds : probeBounds);
      this.#faults.delete('read');
      const last = batch.at(-1);
      if (last === undefined) return false;
      room.shrinkTo(batch.reduce((sum, { bytes }) => sum + bytes, 0));
      const fresh = batch.filter(({ offset }) => !this.#taken.delete(offset));
      if (fresh.length === 0) await this.#mark(last.offset);
      else await this.#deliver(fresh, last.offset);
      return true;
    } finally {
      room.release();
    }
  }

  /** Writes until every record of the batch is settled, it was stopped, or the stream is down. */
  async #deliver(batch: readonly SpooledRecord[], last: number): Promise<void> {
    const { breaker, clock } = this.#options;
    let left = batch;
    while (left.length > 0 && !this.#stopped) {
      if (breaker.retryInMs(clock.monotonic()) > 0) return this.#putBack(batch, left);
      const part = breaker.state === 'closed' ? left : left.slice(0, 1);
      const again = await this.#write(part);
      const before = left[0]?.offset ?? 0;
      left = [...again, ...left.slice(part.length)];
      const reached = left[0]?.offset ?? last + 1;
      if (reached > before) await this.#mark(reached - 1);
      this.#drained += part.length - again.length;
      if (again.length > 0) {
        this.#isBacklog = true;
        await this.#pause(pauseMs);
      }
    }
  }

  /** Writes them, and keeps aside what the stream will never take; those that are to go again. */
  async #write(part: readonly SpooledRecord[]): Promise<readonly SpooledRecord[]> {
    const { batcher } = this.#options;
    const outcomes = await Promise.all(
      part.map(
        ({ record, bytes }) =>
          new Promise<WriteOutcome>((resolve) =>
            batcher.add(record, weightOf(record, bytes), resolve),
          ),
      ),
    );
    const again: SpooledRecord[] = [];
    for (const [index, spooled] of part.entries()) {
      if (!(await this.#settledBy(spooled.record, outcomes[index] as WriteOutcome)))
        again.push(spooled);
    }
    return again;
  }

  async #settledBy(record: OutgoingRecord, outcome: WriteOutcome): Promise<boolean> {
    if (outcome.kind === 'applied') return true;
    if (outcome.kind === 'unknown' || outcome.retryable) return false;
    if (!(await this.#keepAside(record))) return false;
    this.#options.tell({ kind: 'set-aside', code: outcome.code, message: outcome.message });
    return true;
  }

  async #keepAside(record: OutgoingRecord): Promise<boolean> {
    try {
      const outcome = await this.#options.setAside(record);
      if (outcome.kind === 'applied') {
        this.#faults.delete('aside');
        return true;
      }
      this.#tellFault('aside', outcome.message);
    } catch (thrown) {
      this.#tellFault('aside', messageOf(thrown));
    }
    return false;
  }

  /**
   * What is `left` of a batch is read again when the stream answers; what it has is not sent again
   * then.
   */
  #putBack(batch: readonly SpooledRecord[], left: readonly SpooledRecord[]): void {
    const [first] = left;
    if (first === undefined) return;
    const open = new Set(left.map(({ offset }) => offset));
    for (const { offset } of batch)
      if (offset > first.offset && !open.has(offset)) this.#taken.add(offset);
    this.#options.spool.rewind(first.offset);
  }

  /** Never rejects: what is to be written must not be forgotten because a mark was not. */
  async #mark(offset: number): Promise<void> {
    try {
      await this.#options.spool.drainedTo(offset);
      this.#faults.delete('mark');
    } catch (thrown) {
      this.#tellFault('mark', messageOf(thrown));
    }
  }

  /** Once for as long as it stays the same. */
  #tellFault(of: Faulty, message: string): void {
    if (this.#faults.get(of) === message) return;
    this.#faults.set(of, message);
    this.#options.tell({ kind: 'spool-fault', message });
  }
}

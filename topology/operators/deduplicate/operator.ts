/**
 * Lets the first element of a key pass within a time: arrival order decides which is first.
 *
 * Invariants:
 * 1. State of a key is kept to firstTimestamp + within, and removed when the watermark reaches
 *    that.
 * 2. A repeat does not prolong it.
 * 3. An element with timestamp + within <= watermark is late: its key's state may be gone, so it
 *    never passes. What was late stays late, also when a restored job has a longer `within`.
 */

import { TimeHeap } from '../../state/time-heap.ts';
import type { EncodedTime } from '../../time/watermark.ts';
import { decodeTime, encodeTime, minTime } from '../../time/watermark.ts';
import type { Batch } from '../batch.ts';
import { rowKinds } from '../batch.ts';
import { keyTextOf } from '../key-text.ts';
import type { NodeCounts, Operator, Reject, TimeProgress } from '../operator.ts';
import { rejectThrown } from '../operator.ts';
import type { DeduplicateNode } from './node.ts';

export interface DeduplicateSnapshot {
  readonly watermark: EncodedTime;
  /** Elements not after this are late. */
  readonly forgottenThrough: EncodedTime;
  readonly firsts: readonly (readonly [key: string, timestamp: number])[];
}

/**
 * Before version 3 of checkpoints: when a key was to be forgotten, instead of when it was first.
 */
interface OldSnapshot {
  readonly watermark: EncodedTime;
  readonly expiries: readonly (readonly [key: string, expiresAt: number])[];
}

export class DeduplicateOperator implements Operator {
  readonly #node: DeduplicateNode;
  readonly #by: (value: unknown) => unknown;
  readonly #counts: NodeCounts;
  readonly #reject: Reject;
  /** When each key was first. */
  readonly #firsts = new Map<string, number>();
  readonly #queue = new TimeHeap<undefined>();
  #watermark = minTime;
  /** Elements not after this are late. */
  #forgottenThrough = minTime;

  constructor(
    node: DeduplicateNode,
    by: (value: unknown) => unknown,
    counts: NodeCounts,
    reject: Reject,
  ) {
    this.#node = node;
    this.#by = by;
    this.#counts = counts;
    this.#reject = reject;
  }

  get progress(): TimeProgress {
    return { watermark: this.#watermark, open: this.#firsts.size, next: this.#queue.next };
  }

  process(_input: number, batch: Batch, out: readonly Batch[]): void {
    const [target, late] = out;
    if (target === undefined) return;
    for (let i = 0; i < batch.length; i++) {
      const kind = batch.kinds[i] as (typeof batch.kinds)[number];
      const timestamp = batch.timestamps[i] as number;
      if (kind !== rowKinds.element) {
        if (kind === rowKinds.watermark) this.#advance(timestamp);
        for (const port of out) port.push(kind, batch.values[i], timestamp, undefined);
        continue;
      }
      this.#counts.in++;
      const value = batch.values[i];
      const origin = batch.origins[i];
      if (timestamp <= this.#forgottenThrough) {
        this.#counts.late++;
        late?.element(value, timestamp, origin);
        continue;
      }
      let key: string;
      try {
        key = keyTextOf(this.#by(value), origin);
      } catch (thrown) {
        this.#counts.rejected++;
        rejectThrown(this.#reject, this.#node.id, thrown, value, origin);
        continue;
      }
      if (this.#firsts.has(key)) {
        this.#counts.deduplicated++;
        continue;
      }
      this.#remember(key, timestamp);
      this.#counts.passed++;
      target.element(value, timestamp, origin);
    }
  }

  #remember(key: string, timestamp: number): void {
    this.#firsts.set(key, timestamp);
    this.#queue.push(timestamp + this.#node.withinMs, key, undefined);
  }

  #advance(watermark: number): void {
    if (watermark <= this.#watermark) return;
    this.#watermark = watermark;
    this.#forgottenThrough = Math.max(this.#forgottenThrough, watermark - this.#node.withinMs);
    for (
      let due = this.#queue.popUntil(watermark);
      due !== undefined;
      due = this.#queue.popUntil(watermark)
    )
      this.#firsts.delete(due.key);
  }

  snapshot(): DeduplicateSnapshot {
    return {
      watermark: encodeTime(this.#watermark),
      forgottenThrough: encodeTime(this.#forgottenThrough),
      firsts: [...this.#firsts],
    };
  }

  restore(snapshot: DeduplicateSnapshot | OldSnapshot): void {
    const { withinMs } = this.#node;
    const isOld = 'expiries' in snapshot;
    this.#watermark = decodeTime(snapshot.watermark);
    this.#forgottenThrough = Math.max(
      isOld ? minTime : decodeTime(snapshot.forgottenThrough),
      this.#watermark - withinMs,
    );
    this.#firsts.clear();
    this.#queue.clear();
    for (const [key, time] of isOld ? snapshot.expiries : snapshot.firsts) {
      const timestamp = isOld ? time - withinMs : time;
      // With a shorter `within` than before some are over.
      if (timestamp > this.#forgottenThrough) this.#remember(key, timestamp);
    }
  }
}

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
import type { Random } from '../../../schemas/kernel/random.ts';
import type { KeyDigest } from '../../state/digest.ts';
import { keyDigest, newDigestSecret } from '../../state/digest.ts';
import type { ColdKeys } from '../../state/first-seen.ts';
import { FirstSeen } from '../../state/first-seen.ts';
import type { EncodedTime } from '../../time/watermark.ts';
import { decodeTime, encodeTime, minTime } from '../../time/watermark.ts';
import type { Batch } from '../batch.ts';
import { rowKinds } from '../batch.ts';
import type { Cause } from '../cause.ts';
import { keyTextOf } from '../key-text.ts';
import type { NodeCounts, Operator, Reject, TimeProgress } from '../operator.ts';
import { rejectThrown } from '../operator.ts';
import type { DeduplicateNode } from './node.ts';

export interface DeduplicateHead {
  readonly watermark: EncodedTime;
  /** Elements not after this are late. */
  readonly forgottenThrough: EncodedTime;
  /** By which keys are digested, base64. */
  readonly secret: string;
}

export class DeduplicateOperator implements Operator {
  readonly tables: readonly [FirstSeen];
  readonly #node: DeduplicateNode;
  readonly #by: (value: unknown) => unknown;
  readonly #counts: NodeCounts;
  readonly #reject: Reject;
  readonly #cause: Cause;
  /** When each key was first. */
  readonly #firsts: FirstSeen;
  readonly #words = new Uint32Array(4);
  #secret: Uint8Array;
  #digest: KeyDigest;
  #watermark = minTime;
  /** Elements not after this are late. */
  #forgottenThrough = minTime;

  constructor(
    node: DeduplicateNode,
    by: (value: unknown) => unknown,
    counts: NodeCounts,
    reject: Reject,
    random: Random,
    cause: Cause,
    cold?: ColdKeys,
  ) {
    this.#node = node;
    this.#by = by;
    this.#counts = counts;
    this.#reject = reject;
    this.#cause = cause;
    this.#firsts = new FirstSeen(node.withinMs, cold);
    this.tables = [this.#firsts];
    this.#secret = newDigestSecret(random);
    this.#digest = keyDigest(this.#secret);
  }

  get progress(): TimeProgress {
    const { size, next } = this.#firsts;
    return {
      watermark: this.#watermark,
      open: size,
      next: next === undefined ? undefined : next + this.#node.withinMs,
    };
  }

  process(_input: number, batch: Batch, out: readonly Batch[]): void {
    const [target, late] = out;
    if (target === undefined) return;
    for (let i = 0; i < batch.length; i++) {
      this.#cause.row = i;
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
      this.#digest(key, this.#words);
      if (!this.#firsts.add(this.#words, key, timestamp)) {
        this.#counts.deduplicated++;
        continue;
      }
      this.#counts.passed++;
      target.element(value, timestamp, origin);
    }
  }

  #advance(watermark: number): void {
    if (watermark <= this.#watermark) return;
    this.#watermark = watermark;
    this.#forgottenThrough = Math.max(this.#forgottenThrough, watermark - this.#node.withinMs);
    this.#firsts.forget(this.#forgottenThrough);
  }

  snapshot(): DeduplicateHead {
    return {
      watermark: encodeTime(this.#watermark),
      forgottenThrough: encodeTime(this.#forgottenThrough),
      secret: Buffer.from(this.#secret).toString('base64'),
    };
  }

  restore({ watermark, forgottenThrough, secret }: DeduplicateHead): void {
    this.#secret = Buffer.from(secret, 'base64');
    this.#digest = keyDigest(this.#secret);
    this.#watermark = decodeTime(watermark);
    this.#forgottenThrough = Math.max(
      decodeTime(forgottenThrough),
      // With a shorter `within` than before some are over.
      this.#watermark - this.#node.withinMs,
    );
    this.#firsts.clear();
    this.#firsts.forget(this.#forgottenThrough);
  }
}

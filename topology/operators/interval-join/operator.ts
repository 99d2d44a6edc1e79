/**
 * Joins two keyed inputs where left + lower <= right <= left + upper, as Flink's
 * IntervalJoinOperator; `left` also gives left elements that found no match.
 *
 * Invariants:
 * 1. A pair comes out once, when its second element arrives, with the later of both times.
 * 2. An element with a timestamp below the watermark of both inputs (rule `combined`) is late and
 *    joins nothing.
 * 3. A left element stays until W >= timestamp + max(upper, 0), a right one until W >= timestamp +
 *    max(-lower, 0).
 * 4. A pair of which the function throws is rejected and counts as no match; all else continues.
 *    The rejection names one row of it: of a join `left` the right one, whichever came first, as
 *    the left one may still come out; else the one that came second.
 * 5. Join `left`: an unmatched left element comes out when it leaves the state, with its own time;
 *    the operator forwards W - max(upper, 0) - 1, so that it is not late downstream.
 * 6. A row costs O(log n + matches) of the rows of its key, to come and to go, in whatever order
 *    rows come (state/slot-tree.ts).
 *
 * Source: org.apache.flink.streaming.api.operators.co.IntervalJoinOperator; 4 and 5 are ours.
 */

import type { Identity, Provenance } from '../../nodes/sink.ts';
import { freeze } from '../../state/freeze.ts';
import { requireJson } from '../../state/json-safe.ts';
import { identityOf, siblingOf } from '../../state/origin.ts';
import type { MergeSnapshot } from '../../time/merge.ts';
import { WatermarkMerge } from '../../time/merge.ts';
import type { TimeSignal } from '../../time/watermark.ts';
import { maxTime } from '../../time/watermark.ts';
import type { Batch, RowKind } from '../batch.ts';
import { endOfInput, rowKinds } from '../batch.ts';
import type { Cause } from '../cause.ts';
import { keyTextOf } from '../key-text.ts';
import type { NodeParts } from '../node-parts.ts';
import type { NodeCounts, Operator, Reject, TimeProgress } from '../operator.ts';
import { rejectThrown } from '../operator.ts';
import type { Side } from './join-keys.ts';
import { JoinKeys } from './join-keys.ts';
import { JoinSide } from './join-side.ts';
import type { IntervalJoinNode } from './node.ts';
import type { LiveRow } from './row-record.ts';
import { RowValues } from './row-values.ts';

/** What it is run with, beside its functions. */
export type IntervalJoinParts = Pick<
  NodeParts,
  'counts' | 'reject' | 'cause' | 'wayLevel' | 'host' | 'records' | 'liveStateMaxBytes'
>;

/** What the tables of both inputs are called. */
export const sideNames = ['left', 'right'] as const;

export interface IntervalJoinHead {
  readonly merge: MergeSnapshot;
  /** Rows so far, of each side. */
  readonly arrivals: readonly [left: number, right: number];
}

export interface JoinFunctions {
  readonly leftKey: (value: unknown) => unknown;
  readonly rightKey: (value: unknown) => unknown;
  readonly join: (left: unknown, right: unknown) => unknown;
}

export class IntervalJoinOperator implements Operator {
  readonly tables: readonly [JoinSide, JoinSide];
  readonly #node: IntervalJoinNode;
  readonly #functions: JoinFunctions;
  readonly #counts: NodeCounts;
  readonly #reject: Reject;
  readonly #cause: Cause;
  readonly #keys: JoinKeys;
  readonly #lefts: JoinSide;
  readonly #rights: JoinSide;
  readonly #merge = new WatermarkMerge(2, 'combined');
  readonly #level: number | undefined;
  readonly #leftStaysMs: number;
  /** How what the author's function returns is called in a rejection. */
  readonly #result: string;
  #nowMs = Number.NEGATIVE_INFINITY;

  constructor(node: IntervalJoinNode, functions: JoinFunctions, parts: IntervalJoinParts) {
    const { random } = parts.host;
    this.#node = node;
    this.#level = parts.wayLevel;
    this.#functions = functions;
    this.#counts = parts.counts;
    this.#reject = parts.reject;
    this.#cause = parts.cause;
    this.#result = `what '${node.id}' returns`;
    this.#leftStaysMs = Math.max(node.upperMs, 0);
    const keys = new JoinKeys(random);
    const records = parts.records();
    const side = (number: Side, staysMs: number): JoinSide =>
      new JoinSide({
        side: number,
        name: sideNames[number],
        keys,
        values: new RowValues(node.id, records, parts.liveStateMaxBytes / 2),
        staysMs,
        seed: Math.floor(random.next() * 2 ** 32),
      });
    this.#keys = keys;
    this.#lefts = side(0, this.#leftStaysMs);
    this.#rights = side(1, Math.max(-node.lowerMs, 0));
    this.tables = [this.#lefts, this.#rights];
  }

  get progress(): TimeProgress {
    const next = Math.min(this.#lefts.next ?? maxTime, this.#rights.next ?? maxTime);
    const open = this.#lefts.size + this.#rights.size;
    return { watermark: this.#merge.watermark, open, next: next === maxTime ? undefined : next };
  }

  process(input: number, batch: Batch, out: readonly Batch[]): void {
    const [target, lateLeft, lateRight] = out;
    if (target === undefined) return;
    for (let i = 0; i < batch.length; i++) {
      this.#cause.row = i;
      const kind = batch.kinds[i] as RowKind;
      const timestamp = batch.timestamps[i] as number;
      switch (kind) {
        case rowKinds.element:
          this.#element(
            input,
            batch.values[i],
            timestamp,
            this.#originOf(batch.origins[i], input),
            target,
            input === 0 ? lateLeft : lateRight,
          );
          break;
        case rowKinds.watermark:
          if (batch.values[i] === endOfInput)
            this.#signal(this.#merge.end(input), out, target, endOfInput);
          else this.#signal(this.#merge.advance(input, timestamp), out, target);
          break;
        case rowKinds.idle:
          this.#signal(this.#merge.idle(input), out, target);
          break;
        case rowKinds.active:
          this.#signal(this.#merge.active(input), out, target);
          break;
        case rowKinds.clock:
          if (timestamp <= this.#nowMs) break;
          this.#nowMs = timestamp;
          for (const port of out) port.control(kind, timestamp, batch.values[i]);
          break;
        default:
          break;
      }
    }
  }

  #originOf(origin: Provenance | undefined, side: number): Provenance | undefined {
    return this.#level === undefined ? origin : siblingOf(origin, this.#level, side);
  }

  wake(input: number, out: readonly Batch[]): void {
    const [target] = out;
    if (target !== undefined) this.#signal(this.#merge.active(input), out, target);
  }

  #element(
    side: number,
    value: unknown,
    timestamp: number,
    origin: Provenance | undefined,
    target: Batch,
    late: Batch | undefined,
  ): void {
    this.#counts.in++;
    const { leftKey, rightKey } = this.#functions;
    let key: string;
    try {
      key = keyTextOf(side === 0 ? leftKey(value) : rightKey(value), origin);
    } catch (thrown) {
      this.#counts.rejected++;
      rejectThrown(this.#reject, this.#node.id, thrown, value, origin);
      return;
    }
    if (timestamp < this.#merge.watermark) {
      this.#counts.late++;
      late?.element(value, timestamp, origin);
      return;
    }
    this.#counts.passed++;
    // It stays, and is joined again.
    freeze(value);
    const row: LiveRow = { key, value, identity: identityOf(origin) };
    const number = this.#keys.numberOf(key);
    if (side === 0) this.#left(number, row, timestamp, origin, target);
    else this.#right(number, row, timestamp, origin, target);
  }

  #left(
    key: number,
    row: LiveRow,
    timestamp: number,
    origin: Provenance | undefined,
    target: Batch,
  ): void {
    const slot = this.#lefts.insert(key, timestamp, row);
    const { lowerMs, upperMs } = this.#node;
    const isLeft = this.#node.join === 'left';
    this.#rights.range(key, timestamp + lowerMs, timestamp + upperMs, (rightTime, right) => {
      const time = Math.max(timestamp, rightTime);
      // Of what is in state the record is no longer known.
      const matched = isLeft
        ? this.#give(row, right, time, right.value, undefined, target)
        : this.#give(row, right, time, row.value, origin, target);
      if (matched && isLeft) this.#lefts.match(slot);
    });
  }

  #right(
    key: number,
    row: LiveRow,
    timestamp: number,
    origin: Provenance | undefined,
    target: Batch,
  ): void {
    this.#rights.insert(key, timestamp, row);
    const { lowerMs, upperMs } = this.#node;
    const isLeft = this.#node.join === 'left';
    this.#lefts.range(key, timestamp - upperMs, timestamp - lowerMs, (leftTime, left, slot) => {
      const time = Math.max(timestamp, leftTime);
      if (this.#give(left, row, time, row.value, origin, target) && isLeft) this.#lefts.match(slot);
    });
  }

  /**
   * Gives what the author's function makes of both; `value` and `origin` are of the row that is
   * rejected when it throws. Says whether it did not.
   */
  #give(
    { value: left, identity }: LiveRow,
    right: LiveRow | undefined,
    timestamp: number,
    value: unknown,
    origin: Provenance | undefined,
    target: Batch,
  ): boolean {
    let joined: unknown;
    try {
      joined = requireJson(this.#functions.join(left, right?.value), this.#result);
    } catch (thrown) {
      rejectThrown(
        this.#reject,
        this.#node.id,
        thrown,
        value,
        origin,
        value === left ? [left, right?.value] : [right?.value, left],
      );
      return false;
    }
    target.element(joined, timestamp, this.#pairOf(identity, right));
    this.#counts.emitted++;
    return true;
  }

  #pairOf(left: Identity | undefined, right: LiveRow | undefined): Provenance | undefined {
    if (left === undefined || (right !== undefined && right.identity === undefined))
      return undefined;
    return { derived: { kind: 'pair', node: this.#node.id, left, right: right?.identity } };
  }

  #signal(
    signals: readonly TimeSignal[],
    out: readonly Batch[],
    target: Batch,
    end?: typeof endOfInput,
  ): void {
    for (const signal of signals) {
      if (signal.kind !== 'watermark') {
        for (const port of out) port.signals([signal]);
        continue;
      }
      this.#advance(signal.at, target);
      const forwarded =
        this.#node.join === 'left' && signal.at !== maxTime
          ? signal.at - this.#leftStaysMs - 1
          : signal.at;
      for (const port of out)
        port.control(rowKinds.watermark, forwarded, forwarded === maxTime ? end : undefined);
    }
  }

  #advance(watermark: number, target: Batch): void {
    if (this.#node.join === 'left') {
      this.#lefts.advanceGiving(watermark, (time, left) => {
        this.#cause.timer?.(time, left.key);
        this.#give(left, undefined, time, left.value, undefined, target);
      });
    } else this.#lefts.advance(watermark);
    this.#rights.advance(watermark);
  }

  snapshot(): IntervalJoinHead {
    const arrivals = [this.#lefts.arrivals, this.#rights.arrivals] as const;
    return { merge: this.#merge.snapshot(), arrivals };
  }

  restore({ merge, arrivals }: IntervalJoinHead): void {
    this.#merge.restore(merge);
    this.tables.forEach((side, index) => {
      side.arrivals = arrivals[index] as number;
      side.advance(this.#merge.watermark);
    });
  }
}

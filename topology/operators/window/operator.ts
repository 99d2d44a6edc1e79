/**
 * Event-time windows by key: assigns elements, keeps accumulators and timers, fires panes.
 * Semantics are those of Flink's WindowOperator with EventTimeTrigger (and
 * ContinuousEventTimeTrigger where early firings are asked for).
 *
 * Invariants:
 * 1. A window fires at the first watermark W >= end - 1; the watermark is passed on after the
 *    results that it caused.
 * 2. State of a window is removed when W >= end - 1 + allowedLateness. An element that no window
 *    takes is late.
 * 3. Sessions merge before lateness is judged, on the merged window.
 * 4. What the watermark went past stays past, also when a restored job allows more lateness: a
 *    window that was removed is not made again of a part of its elements.
 * 5. Timers fire in the order of their times, at equal times in the order of keys and starts: a
 *    restored operator gives the same sequence.
 *
 * Source: org.apache.flink.streaming.runtime.operators.windowing.{WindowOperator,
 * MergingWindowSet}.
 */
import type { Key } from '../../../schemas/kernel/key.ts';
import { keptKey } from '../../../schemas/kernel/key.ts';
import type { Identity, Provenance } from '../../nodes/sink.ts';
import { identityOf } from '../../state/origin.ts';
import type { RecordStore } from '../../state/records.ts';
import { restLooksMax, restLooksPerTimer } from '../../state/rest-round.ts';
import type { Timer } from '../../state/timer-queue.ts';
import { decodeTime, encodeTime } from '../../time/watermark.ts';
import { windowLength, windowStarts } from '../../time/windows.ts';
import type { Batch } from '../batch.ts';
import { rowKinds } from '../batch.ts';
import type { Cause } from '../cause.ts';
import { keyTextOf } from '../key-text.ts';
import type { NodeCounts, Operator, OperatorHost, Reject, TimeProgress } from '../operator.ts';
import { rejectThrown } from '../operator.ts';
import type { WindowNode } from './node.ts';
import type { NamedAggregator } from './window-aggregates.ts';
import { WindowAggregates } from './window-aggregates.ts';
import { WindowKeys } from './window-keys.ts';
import type { KeyWindows, OpenWindow } from './window-state.ts';
import { mergeAccumulators, newKeyWindows, newWindow } from './window-state.ts';
import type { WindowHead, WindowTable } from './window-table.ts';
import { WindowTimes } from './window-times.ts';

/** A window that takes an element, and its accumulators with it. */
type Taking = readonly [window: OpenWindow, accumulators: unknown[]];

/** What it needs beside its functions. */
export interface WindowParts {
  readonly counts: NodeCounts;
  readonly reject: Reject;
  readonly cause: Cause;
  readonly records: () => RecordStore;
  readonly liveStateMaxBytes: number;
  readonly host: Pick<OperatorHost, 'random'>;
}

/** After so many elements it is looked whether keys are to rest. */
const elementsPerRest = 1_024;

export class WindowOperator implements Operator {
  readonly tables: readonly [WindowTable];
  readonly #node: WindowNode;
  readonly #keyOf: (value: unknown) => unknown;
  readonly #aggregates: WindowAggregates;
  readonly #counts: NodeCounts;
  readonly #reject: Reject;
  readonly #cause: Cause;
  readonly #keys: WindowKeys;
  readonly #times: WindowTimes;
  readonly #table: WindowTable;
  #era = 0;

  constructor(
    node: WindowNode,
    keyOf: (value: unknown) => unknown,
    aggregates: readonly NamedAggregator[],
    { counts, reject, cause, records, liveStateMaxBytes, host }: WindowParts,
  ) {
    this.#node = node;
    this.#keyOf = keyOf;
    this.#aggregates = new WindowAggregates(
      aggregates,
      (index) => node.aggregates[index]?.agg === 'user',
    );
    this.#counts = counts;
    this.#reject = reject;
    this.#cause = cause;
    this.#times = new WindowTimes(node);
    this.#keys = new WindowKeys({
      node: node.id,
      restsWhole: node.window.type === 'session',
      aggregates: this.#aggregates,
      times: this.#times,
      liveMaxBytes: liveStateMaxBytes,
      store: records,
      random: host.random,
    });
    this.#table = this.#keys.table;
    this.tables = [this.#table];
  }

  begin(era: number): void {
    this.#era = era;
  }

  get progress(): TimeProgress {
    return { watermark: this.#times.watermark, open: this.#table.size, next: this.#keys.next };
  }

  process(_input: number, batch: Batch, out: readonly Batch[]): void {
    const [target, late] = out;
    if (target === undefined) return;
    for (let i = 0; i < batch.length; i++) {
      this.#cause.row = i;
      const kind = batch.kinds[i] as (typeof batch.kinds)[number];
      const timestamp = batch.timestamps[i] as number;
      if (kind === rowKinds.element) {
        this.#element(batch.values[i], timestamp, batch.origins[i], target, late);
        if (i % elementsPerRest === elementsPerRest - 1) this.#keys.rest(restLooksMax);
        continue;
      }
      if (kind === rowKinds.watermark) {
        if (timestamp <= this.#times.watermark) continue;
        this.#advance(timestamp, target);
      }
      for (const port of out) port.push(kind, batch.values[i], timestamp, undefined);
    }
    this.#aggregates.forget();
    this.#keys.rest(restLooksMax);
  }

  #element(
    value: unknown,
    timestamp: number,
    origin: Provenance | undefined,
    target: Batch,
    late: Batch | undefined,
  ): void {
    this.#counts.in++;
    let key: Key;
    let text: string;
    let read: unknown[];
    try {
      key = this.#keyOf(value) as Key;
      text = keyTextOf(key, origin);
      read = this.#aggregates.read(value);
    } catch (thrown) {
      this.#rejectThrown(thrown, value, origin);
      return;
    }
    const known = this.#keys.find(text);
    const owner = known ?? newKeyWindows(keptKey(key), text);
    const taking: Taking[] = [];
    let skipped: number;
    try {
      skipped = this.#assign(owner, timestamp, read, taking);
    } catch (thrown) {
      for (const [window] of taking) this.#aggregates.back(window);
      this.#rejectThrown(thrown, value, origin);
      return;
    }
    if (taking.length === 0) {
      this.#untaken(value, timestamp, origin, late);
      return;
    }
    if (skipped > 0) this.#counts.partiallyLate++;
    this.#counts.passed++;
    if (known === undefined) this.#keys.add(owner);
    for (const [window, accumulators] of taking) {
      this.#enter(window);
      this.#take(window, timestamp, accumulators, read);
      if (window.end - 1 <= this.#times.watermark)
        this.#fire(window, 'late', identityOf(origin) ?? ['late', window.fired], target);
      else this.#times.planFirstEarly(window, timestamp);
    }
  }

  #rejectThrown(thrown: unknown, value: unknown, origin: Provenance | undefined): void {
    this.#counts.rejected++;
    rejectThrown(this.#reject, this.#node.id, thrown, value, origin);
  }

  /**
   * Puts the windows that take an element into `taking`; gives how many are over. Throws what the
   * author's own aggregates throw.
   */
  #assign(
    owner: KeyWindows,
    timestamp: number,
    read: readonly unknown[],
    taking: Taking[],
  ): number {
    const { window: shape } = this.#node;
    const length = windowLength(shape);
    let skipped = 0;
    for (const start of windowStarts(shape, timestamp)) {
      const window =
        shape.type === 'session'
          ? this.#session(owner, start, start + length)
          : this.#fixed(owner, start, start + length);
      if (window === undefined) {
        skipped++;
        continue;
      }
      if (window.entered) this.#table.touch(window);
      taking.push([window, this.#aggregates.withOwn(window, read)]);
    }
    return skipped;
  }

  #untaken(
    value: unknown,
    timestamp: number,
    origin: Provenance | undefined,
    late: Batch | undefined,
  ): void {
    if (timestamp > this.#times.removedThrough) {
      // Between sliding windows whose slide is longer than their size: it is in none, and not late.
      this.#counts.filtered++;
      return;
    }
    this.#counts.late++;
    late?.element(value, timestamp, origin);
  }

  #take(
    window: OpenWindow,
    timestamp: number,
    accumulators: unknown[],
    read: readonly unknown[],
  ): void {
    const { window: shape } = this.#node;
    if (shape.type === 'session') this.#grow(window, timestamp, timestamp + shape.gapMs);
    this.#aggregates.addBuiltIn(accumulators, read);
    window.accumulators = accumulators;
    window.kept?.added.push(read);
    window.changed = true;
  }

  #fixed(owner: KeyWindows, start: number, end: number): OpenWindow | undefined {
    if (end - 1 <= this.#times.removedThrough) return undefined;
    return this.#keys.windowAt(owner, start) ?? newWindow(owner, start, end);
  }

  /**
   * The session that the element's own one becomes part of. It grows, or merges what it touches,
   * once the element is taken.
   */
  #session(owner: KeyWindows, start: number, end: number): OpenWindow | undefined {
    const touched = owner.windows.overlapping(start, end);
    const [first] = touched;
    if (first !== undefined && touched.length === 1) return first;
    const merged = newWindow(
      owner,
      Math.min(start, first?.start ?? start),
      touched.reduce((latest, window) => Math.max(latest, window.end), end),
    );
    if (merged.end - 1 <= this.#times.removedThrough) return undefined;
    merged.accumulators = mergeAccumulators(touched, this.#aggregates.all);
    merged.replaces = touched;
    return merged;
  }

  /** Puts a new window into the state, in place of those that it merged, with its timers. */
  #enter(window: OpenWindow): void {
    if (window.entered) return;
    for (const old of window.replaces) {
      this.#leave(old);
      this.#table.remove(old);
      window.fired = Math.max(window.fired, old.fired);
      window.changed ||= old.changed;
      if (old.early !== undefined) window.early = Math.min(window.early ?? old.early, old.early);
    }
    window.replaces = [];
    window.entered = true;
    window.owner.windows.insert(window);
    this.#table.add(window);
    this.#times.plan(window);
  }

  /** A session in state covers `[start, end)` as well. */
  #grow(window: OpenWindow, start: number, end: number): void {
    const before = window.end;
    window.start = Math.min(window.start, start);
    window.end = Math.max(window.end, end);
    if (window.end === before) return;
    this.#times.planNext(window);
    // An early firing beyond the end before has no timer yet.
    if (window.early !== undefined && window.early >= before - 1)
      this.#times.planEarly(window, window.early);
  }

  #advance(watermark: number, target: Batch): void {
    this.#times.advance(watermark);
    for (let due = this.#keys.takeDue(); due !== undefined; due = this.#keys.takeDue()) {
      this.#cause.timer?.(due.at, this.#times.dueKey);
      this.#due(due, target);
      this.#keys.rest(restLooksPerTimer);
    }
    // The end of input removes also what an endless lateness would keep.
    if (watermark !== Number.POSITIVE_INFINITY || this.#table.size === 0) return;
    for (const window of this.#keys.takeAll()) this.#remove(window);
  }

  #due(due: Timer<OpenWindow>, target: Batch): void {
    const times = this.#times;
    const { at, value: window } = due;
    if (due === window.earlyTimer) {
      this.#table.touch(window);
      window.earlyTimer = undefined;
      if (window.changed) this.#fire(window, 'early', at, target);
      times.planNextEarly(window, at);
      return;
    }
    window.timer = undefined;
    if (at === window.end - 1) {
      this.#table.touch(window);
      this.#fire(window, 'onTime', 'onTime', target);
    }
    if (at >= times.cleanupTime(window.end)) this.#remove(window);
    else times.planAfter(window, at);
  }

  #remove(window: OpenWindow): void {
    const { owner } = window;
    this.#leave(window);
    this.#table.expire();
    if (owner.windows.isEmpty) this.#keys.delete(owner);
  }

  /** It has no timer any more. */
  #leave(window: OpenWindow): void {
    window.owner.windows.remove(window);
    window.entered = false;
    this.#times.cancel(window);
  }

  #fire(
    window: OpenWindow,
    timing: 'early' | 'onTime' | 'late',
    firing: 'onTime' | number | Identity,
    target: Batch,
  ): void {
    window.changed = false;
    if (window.accumulators === undefined) return;
    const { owner, start, end } = window;
    const last = this.#times.cleanupTime(end) <= this.#times.watermark && timing !== 'early';
    const result: Record<string, unknown> = {
      key: owner.key,
      windowStart: start,
      windowEnd: end,
      pane: { index: window.fired, timing, last },
    };
    try {
      this.#aggregates.writeResults(window.accumulators, result);
    } catch (thrown) {
      rejectThrown(this.#reject, this.#node.id, thrown, result, undefined);
      return;
    } finally {
      window.fired++;
      if (this.#node.mode === 'discarding') {
        window.accumulators = undefined;
        window.kept = undefined;
      }
    }
    this.#counts.emitted++;
    const { id: node } = this.#node;
    target.element(result, end - 1, {
      derived: { kind: 'pane', node, era: this.#era, key: owner.text, start, end, firing },
    });
  }

  snapshot(): WindowHead {
    return {
      watermark: encodeTime(this.#times.watermark),
      removedThrough: encodeTime(this.#times.removedThrough),
      layouts: this.#table.layouts,
    };
  }

  restore({ watermark, removedThrough, layouts }: WindowHead): void {
    const times = this.#times;
    times.watermark = decodeTime(watermark);
    times.removedThrough = decodeTime(removedThrough);
    // With less lateness than before some are over, and have fired.
    times.removeThrough(times.watermark);
    times.clear();
    this.#keys.clear();
    this.#table.restoreLayouts(layouts);
  }
}

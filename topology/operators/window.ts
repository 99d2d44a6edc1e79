/**
 * Event-time windows by key: assigns elements, keeps accumulators and timers, fires panes.
 * Semantics are those of Flink's WindowOperator with EventTimeTrigger (and
 * ContinuousEventTimeTrigger where early firings are asked for).
 *
 * Invariants:
 * 1. A window fires at the first watermark W >= end - 1; the watermark goes on after the results
 *    that it caused.
 * 2. State of a window is removed when W >= end - 1 + allowedLateness. An element that no window
 *    takes is late.
 * 3. Sessions merge before lateness is judged, on the merged window.
 * 4. A window has at most two timers, of its end or removal and of its next early firing; each is
 *    known as what it is, also at one time.
 * 5. What the watermark went past stays past, also when a restored job allows more lateness: a
 *    window that was removed is not made again of a part of its elements.
 * 6. Timers fire in the order of their times, at equal times in the order of keys and starts: a
 *    restored operator gives the same sequence.
 *
 * Source: org.apache.flink.streaming.runtime.operators.windowing.{WindowOperator,
 * MergingWindowSet}.
 */
import type { Key } from '../../schemas/kernel/key.ts';
import { keptKey } from '../../schemas/kernel/key.ts';
import type { WindowNode } from '../graph/graph.ts';
import type { Identity, Provenance } from '../graph/sink.ts';
import { identityOf } from '../state/origin.ts';
import type { Timer } from '../state/timer-queue.ts';
import { TimerQueue } from '../state/timer-queue.ts';
import { decodeTime, encodeTime, minTime } from '../time/watermark.ts';
import { firstEarlyFiring, windowLength, windowStarts } from '../time/windows.ts';
import { AccumulatorUndo } from './accumulator-undo.ts';
import type { AnyAggregator } from './aggregates.ts';
import type { Batch } from './batch.ts';
import { rowKinds } from './batch.ts';
import { changedValue } from './changed-value.ts';
import { keyTextOf } from './key-text.ts';
import type { NodeCounts, Operator, Reject, TimeProgress } from './operator.ts';
import { rejectThrown } from './operator.ts';
import { WindowList } from './window-list.ts';
import type { KeyWindows, OpenWindow, WindowSnapshot, WindowTimer } from './window-state.ts';
import {
  decodeKeyWindows,
  encodeKeyWindows,
  mergeAccumulators,
  newWindow,
} from './window-state.ts';

export interface NamedAggregator {
  readonly name: string;
  readonly aggregator: AnyAggregator;
}

export class WindowOperator implements Operator {
  readonly #node: WindowNode;
  readonly #keyOf: (value: unknown) => unknown;
  readonly #aggregates: readonly NamedAggregator[];
  /** Indexes of the author's own aggregates, and of the others. */
  readonly #own: readonly number[];
  readonly #builtIn: readonly number[];
  readonly #undo: AccumulatorUndo;
  readonly #counts: NodeCounts;
  readonly #reject: Reject;
  readonly #keys = new Map<string, KeyWindows>();
  readonly #timers = new TimerQueue<WindowTimer>();
  #era = 0;
  #watermark = minTime;
  /** Windows whose last time is not after this are removed; elements not after it are late. */
  #removedThrough = minTime;
  #open = 0;

  constructor(
    node: WindowNode,
    keyOf: (value: unknown) => unknown,
    aggregates: readonly NamedAggregator[],
    counts: NodeCounts,
    reject: Reject,
  ) {
    this.#node = node;
    this.#keyOf = keyOf;
    this.#aggregates = aggregates;
    const indexes = node.aggregates.map((_, index) => index);
    this.#own = indexes.filter((index) => node.aggregates[index]?.agg === 'user');
    this.#builtIn = indexes.filter((index) => node.aggregates[index]?.agg !== 'user');
    this.#undo = new AccumulatorUndo(aggregates, this.#own);
    this.#counts = counts;
    this.#reject = reject;
  }

  begin(era: number): void {
    this.#era = era;
  }

  get progress(): TimeProgress {
    return { watermark: this.#watermark, open: this.#open, next: this.#timers.next };
  }

  process(_input: number, batch: Batch, out: readonly Batch[]): void {
    const [target, late] = out;
    if (target === undefined) return;
    for (let i = 0; i < batch.length; i++) {
      const kind = batch.kinds[i] as (typeof batch.kinds)[number];
      const timestamp = batch.timestamps[i] as number;
      if (kind === rowKinds.element) {
        this.#element(batch.values[i], timestamp, batch.origins[i], target, late);
        continue;
      }
      if (kind === rowKinds.watermark) {
        if (timestamp <= this.#watermark) continue;
        this.#advance(timestamp, target);
      }
      for (const port of out) port.push(kind, batch.values[i], timestamp, undefined);
    }
    this.#undo.forget();
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
    const read: unknown[] = [];
    try {
      key = this.#keyOf(value) as Key;
      text = keyTextOf(key, origin);
      for (const { aggregator } of this.#aggregates) read.push(aggregator.read(value));
    } catch (thrown) {
      this.#counts.rejected++;
      rejectThrown(this.#reject, this.#node.id, thrown, value, origin);
      return;
    }
    const { window: shape } = this.#node;
    const known = this.#keys.get(text);
    const owner: KeyWindows = known ?? { key: keptKey(key), text, windows: new WindowList() };
    const length = windowLength(shape);
    let skipped = 0;
    const taking: (readonly [window: OpenWindow, accumulators: unknown[]])[] = [];
    try {
      for (const start of windowStarts(shape, timestamp)) {
        const window =
          shape.type === 'session'
            ? this.#session(owner, start, start + length)
            : this.#fixed(owner, start, start + length);
        if (window === undefined) skipped++;
        else taking.push([window, this.#addOwn(window, read)]);
      }
    } catch (thrown) {
      for (const [window] of taking) this.#undo.back(window);
      this.#counts.rejected++;
      rejectThrown(this.#reject, this.#node.id, thrown, value, origin);
      return;
    }
    if (taking.length === 0 && timestamp > this.#removedThrough) {
      // Between sliding windows whose slide is longer than their size: it is in none, and not late.
      this.#counts.filtered++;
      return;
    }
    if (taking.length === 0) {
      this.#counts.late++;
      late?.element(value, timestamp, origin);
      return;
    }
    if (skipped > 0) this.#counts.partiallyLate++;
    this.#counts.passed++;
    if (known === undefined) this.#keys.set(text, owner);
    for (const [window, accumulators] of taking) {
      this.#enter(owner, window);
      if (shape.type === 'session') this.#grow(owner, window, timestamp, timestamp + length);
      for (const index of this.#builtIn)
        accumulators[index] = this.#aggregator(index).add(accumulators[index], read[index]);
      window.accumulators = accumulators;
      window.kept?.added.push(read);
      window.changed = true;
      if (window.end - 1 <= this.#watermark)
        this.#fire(owner, window, 'late', identityOf(origin) ?? ['late', window.fired], target);
      else if (this.#node.earlyMs > 0 && window.early === undefined)
        this.#planEarly(owner, window, firstEarlyFiring(timestamp, this.#node.earlyMs));
    }
  }

  /**
   * The window's accumulators, with one more element in those of the author's own. When one throws,
   * those of the window are as they were. What an accumulator keeps of elements is its own, though
   * it is not copied before somebody tries to change it: then it is added once more.
   */
  #addOwn(window: OpenWindow, read: readonly unknown[]): unknown[] {
    if (this.#own.length === 0) return window.accumulators ?? this.#created();
    try {
      return this.#added(window, read);
    } catch (thrown) {
      if (window.accumulators === undefined || changedValue(thrown, []) === undefined) throw thrown;
      return this.#added(window, read);
    }
  }

  #added(window: OpenWindow, read: readonly unknown[]): unknown[] {
    this.#undo.keep(window);
    const next = window.accumulators === undefined ? this.#created() : [...window.accumulators];
    try {
      for (const index of this.#own)
        next[index] = this.#aggregator(index).add(next[index], read[index]);
    } catch (thrown) {
      this.#undo.back(window);
      throw thrown;
    }
    return next;
  }

  #created(): unknown[] {
    return this.#aggregates.map(({ aggregator }) => aggregator.create());
  }

  #aggregator(index: number): AnyAggregator {
    return (this.#aggregates[index] as NamedAggregator).aggregator;
  }

  #cleanupTime(end: number): number {
    const at = end - 1 + this.#node.allowedLatenessMs;
    return at > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : at;
  }

  #fixed(owner: KeyWindows, start: number, end: number): OpenWindow | undefined {
    if (end - 1 <= this.#removedThrough) return undefined;
    return owner.windows.find(start) ?? newWindow(start, end);
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
      Math.min(start, first?.start ?? start),
      touched.reduce((latest, window) => Math.max(latest, window.end), end),
    );
    if (merged.end - 1 <= this.#removedThrough) return undefined;
    merged.accumulators = mergeAccumulators(touched, this.#aggregates);
    merged.replaces = touched;
    return merged;
  }

  /** Puts a new window into the state, in place of those that it merged, with its timers. */
  #enter(owner: KeyWindows, window: OpenWindow): void {
    if (window.entered) return;
    for (const old of window.replaces) {
      this.#leave(owner, old);
      window.fired = Math.max(window.fired, old.fired);
      window.changed ||= old.changed;
      if (old.early !== undefined) window.early = Math.min(window.early ?? old.early, old.early);
    }
    window.replaces = [];
    window.entered = true;
    owner.windows.insert(window);
    this.#open++;
    this.#plan(owner, window);
  }

  /** A session in state covers `[start, end)` as well. */
  #grow(owner: KeyWindows, window: OpenWindow, start: number, end: number): void {
    const before = window.end;
    window.start = Math.min(window.start, start);
    window.end = Math.max(window.end, end);
    if (window.end === before) return;
    this.#planNext(owner, window);
    // An early firing that lay beyond the end before has no timer yet.
    if (window.early !== undefined && window.early >= before - 1)
      this.#planEarly(owner, window, window.early);
  }

  #plan(owner: KeyWindows, window: OpenWindow): void {
    this.#planNext(owner, window);
    if (window.early !== undefined) this.#planEarly(owner, window, window.early);
  }

  /**
   * One timer a window: for its end, or for its removal once the end has passed. One that comes
   * before its window is due, because the window has grown, is set anew when it is reached: a
   * session that grows with every element does not set its timer with every one.
   */
  #planNext(owner: KeyWindows, window: OpenWindow): void {
    const at = window.end - 1 > this.#watermark ? window.end - 1 : this.#cleanupTime(window.end);
    if (window.timer !== undefined && window.timer.at <= at) return;
    this.#timers.cancel(window.timer);
    window.timer = this.#timer(at, owner, window);
  }

  #planEarly(owner: KeyWindows, window: OpenWindow, at: number): void {
    if (!(at < Number.POSITIVE_INFINITY)) return;
    window.early = at;
    this.#timers.cancel(window.earlyTimer);
    window.earlyTimer = at < window.end - 1 ? this.#timer(at, owner, window) : undefined;
  }

  #timer(at: number, owner: KeyWindows, window: OpenWindow): Timer<WindowTimer> | undefined {
    if (at === Number.POSITIVE_INFINITY) return undefined;
    return this.#timers.set(at, `${owner.text}\n${orderText(window.start)}`, { owner, window });
  }

  #advance(watermark: number, target: Batch): void {
    this.#watermark = watermark;
    this.#removeThrough(watermark);
    for (
      let due = this.#timers.takeUntil(watermark);
      due !== undefined;
      due = this.#timers.takeUntil(watermark)
    ) {
      const { at } = due;
      const { owner, window } = due.value;
      if (due === window.earlyTimer) {
        window.earlyTimer = undefined;
        if (window.changed) this.#fire(owner, window, 'early', at, target);
        // Nothing changes while the watermark moves: the next one that can fire lies beyond it.
        this.#planEarly(
          owner,
          window,
          Math.max(at, firstEarlyFiring(watermark, this.#node.earlyMs)),
        );
        continue;
      }
      window.timer = undefined;
      if (at === window.end - 1) this.#fire(owner, window, 'onTime', 'onTime', target);
      const cleanup = this.#cleanupTime(window.end);
      if (at >= cleanup) this.#remove(owner, window);
      else
        window.timer = this.#timer(at < window.end - 1 ? window.end - 1 : cleanup, owner, window);
    }
    // The end of input removes also what an endless lateness would keep.
    if (watermark !== Number.POSITIVE_INFINITY || this.#open === 0) return;
    for (const owner of [...this.#keys.values()])
      for (const window of owner.windows.all()) this.#remove(owner, window);
  }

  /** A lateness that a time cannot hold never ends before the input does. */
  #removeThrough(watermark: number): void {
    this.#removedThrough = Math.max(this.#removedThrough, watermark - this.#node.allowedLatenessMs);
  }

  #remove(owner: KeyWindows, window: OpenWindow): void {
    this.#leave(owner, window);
    if (owner.windows.isEmpty) this.#keys.delete(owner.text);
  }

  /** It has no timer any more. */
  #leave(owner: KeyWindows, window: OpenWindow): void {
    owner.windows.remove(window);
    window.entered = false;
    this.#open--;
    this.#timers.cancel(window.timer);
    this.#timers.cancel(window.earlyTimer);
  }

  #fire(
    owner: KeyWindows,
    window: OpenWindow,
    timing: 'early' | 'onTime' | 'late',
    firing: 'onTime' | number | Identity,
    target: Batch,
  ): void {
    window.changed = false;
    if (window.accumulators === undefined) return;
    const { start, end } = window;
    const last = this.#cleanupTime(end) <= this.#watermark && timing !== 'early';
    const result: Record<string, unknown> = {
      key: owner.key,
      windowStart: start,
      windowEnd: end,
      pane: { index: window.fired, timing, last },
    };
    try {
      for (let i = 0; i < this.#aggregates.length; i++) {
        const { name, aggregator } = this.#aggregates[i] as NamedAggregator;
        result[name] = aggregator.result(window.accumulators[i]);
      }
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

  snapshot(): WindowSnapshot {
    const keys = [...this.#keys.values()].map((owner) => encodeKeyWindows(owner, this.#aggregates));
    const aggregates = this.#aggregates.map(({ name }) => name);
    return {
      watermark: encodeTime(this.#watermark),
      removedThrough: encodeTime(this.#removedThrough),
      aggregates,
      keys,
    };
  }

  restore(snapshot: WindowSnapshot): void {
    this.#watermark = decodeTime(snapshot.watermark);
    this.#removedThrough = decodeTime(snapshot.removedThrough ?? 'min');
    this.#removeThrough(this.#watermark);
    this.#keys.clear();
    this.#timers.clear();
    this.#open = 0;
    const names = snapshot.aggregates ?? this.#aggregates.map(({ name }) => name);
    for (const encoded of snapshot.keys) {
      // With less lateness than before some are over, and have fired.
      const owner = decodeKeyWindows(
        encoded,
        this.#aggregates,
        names,
        (end) => end - 1 > this.#removedThrough,
      );
      if (owner.windows.isEmpty) continue;
      this.#keys.set(owner.text, owner);
      for (const window of owner.windows.all()) {
        this.#open++;
        window.early = this.#earlyAfter(window);
        this.#plan(owner, window);
      }
    }
  }

  /** The next early firing of a restored window, by the interval that is now. */
  #earlyAfter({ start, end, changed, early }: OpenWindow): number | undefined {
    const { earlyMs } = this.#node;
    if (earlyMs === 0) return undefined;
    if (early === undefined ? !changed || end - 1 <= this.#watermark : early % earlyMs === 0)
      return early;
    return firstEarlyFiring(Math.max(this.#watermark, start), earlyMs);
  }
}

/**
 * A start as text whose order is the numbers' order, for timers of one time: sign, then digits of
 * one length.
 */
function orderText(start: number): string {
  const digits = String(start < 0 ? Number.MAX_SAFE_INTEGER + start : start);
  return `${start < 0 ? '-' : '0'}${digits.padStart(16, '0')}`;
}

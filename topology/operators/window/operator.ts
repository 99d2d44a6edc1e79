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
import { decodeTime, encodeTime } from '../../time/watermark.ts';
import { windowLength, windowStarts } from '../../time/windows.ts';
import type { Batch } from '../batch.ts';
import { rowKinds } from '../batch.ts';
import { keyTextOf } from '../key-text.ts';
import type { NodeCounts, Operator, Reject, TimeProgress } from '../operator.ts';
import { rejectThrown } from '../operator.ts';
import type { WindowNode } from './node.ts';
import type { NamedAggregator } from './window-aggregates.ts';
import { WindowAggregates } from './window-aggregates.ts';
import { WindowList } from './window-list.ts';
import type { KeyWindows, OpenWindow, WindowSnapshot } from './window-state.ts';
import {
  decodeKeyWindows,
  encodeKeyWindows,
  mergeAccumulators,
  newWindow,
} from './window-state.ts';
import { WindowTimes } from './window-times.ts';

/** A window that takes an element, and its accumulators with it. */
type Taking = readonly [window: OpenWindow, accumulators: unknown[]];

export class WindowOperator implements Operator {
  readonly #node: WindowNode;
  readonly #keyOf: (value: unknown) => unknown;
  readonly #aggregates: WindowAggregates;
  readonly #counts: NodeCounts;
  readonly #reject: Reject;
  readonly #keys = new Map<string, KeyWindows>();
  readonly #times: WindowTimes;
  #era = 0;
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
    this.#aggregates = new WindowAggregates(
      aggregates,
      (index) => node.aggregates[index]?.agg === 'user',
    );
    this.#counts = counts;
    this.#reject = reject;
    this.#times = new WindowTimes(node);
  }

  begin(era: number): void {
    this.#era = era;
  }

  get progress(): TimeProgress {
    return { watermark: this.#times.watermark, open: this.#open, next: this.#times.next };
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
        if (timestamp <= this.#times.watermark) continue;
        this.#advance(timestamp, target);
      }
      for (const port of out) port.push(kind, batch.values[i], timestamp, undefined);
    }
    this.#aggregates.forget();
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
    const known = this.#keys.get(text);
    const owner: KeyWindows = known ?? { key: keptKey(key), text, windows: new WindowList() };
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
    if (known === undefined) this.#keys.set(text, owner);
    for (const [window, accumulators] of taking) {
      this.#enter(owner, window);
      this.#take(owner, window, timestamp, accumulators, read);
      if (window.end - 1 <= this.#times.watermark)
        this.#fire(owner, window, 'late', identityOf(origin) ?? ['late', window.fired], target);
      else this.#times.planFirstEarly(owner, window, timestamp);
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
      if (window === undefined) skipped++;
      else taking.push([window, this.#aggregates.withOwn(window, read)]);
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
    owner: KeyWindows,
    window: OpenWindow,
    timestamp: number,
    accumulators: unknown[],
    read: readonly unknown[],
  ): void {
    const { window: shape } = this.#node;
    if (shape.type === 'session') this.#grow(owner, window, timestamp, timestamp + shape.gapMs);
    this.#aggregates.addBuiltIn(accumulators, read);
    window.accumulators = accumulators;
    window.kept?.added.push(read);
    window.changed = true;
  }

  #fixed(owner: KeyWindows, start: number, end: number): OpenWindow | undefined {
    if (end - 1 <= this.#times.removedThrough) return undefined;
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
    if (merged.end - 1 <= this.#times.removedThrough) return undefined;
    merged.accumulators = mergeAccumulators(touched, this.#aggregates.all);
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
    this.#times.plan(owner, window);
  }

  /** A session in state covers `[start, end)` as well. */
  #grow(owner: KeyWindows, window: OpenWindow, start: number, end: number): void {
    const before = window.end;
    window.start = Math.min(window.start, start);
    window.end = Math.max(window.end, end);
    if (window.end === before) return;
    this.#times.planNext(owner, window);
    // An early firing beyond the end before has no timer yet.
    if (window.early !== undefined && window.early >= before - 1)
      this.#times.planEarly(owner, window, window.early);
  }

  #advance(watermark: number, target: Batch): void {
    const times = this.#times;
    times.advance(watermark);
    for (let due = times.takeDue(); due !== undefined; due = times.takeDue()) {
      const { at } = due;
      const { owner, window } = due.value;
      if (due === window.earlyTimer) {
        window.earlyTimer = undefined;
        if (window.changed) this.#fire(owner, window, 'early', at, target);
        times.planNextEarly(owner, window, at);
        continue;
      }
      window.timer = undefined;
      if (at === window.end - 1) this.#fire(owner, window, 'onTime', 'onTime', target);
      if (at >= times.cleanupTime(window.end)) this.#remove(owner, window);
      else times.planAfter(owner, window, at);
    }
    // The end of input removes also what an endless lateness would keep.
    if (watermark !== Number.POSITIVE_INFINITY || this.#open === 0) return;
    for (const owner of [...this.#keys.values()])
      for (const window of owner.windows.all()) this.#remove(owner, window);
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
    this.#times.cancel(window);
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

  snapshot(): WindowSnapshot {
    const { all } = this.#aggregates;
    const keys = [...this.#keys.values()].map((owner) => encodeKeyWindows(owner, all));
    return {
      watermark: encodeTime(this.#times.watermark),
      removedThrough: encodeTime(this.#times.removedThrough),
      aggregates: all.map(({ name }) => name),
      keys,
    };
  }

  restore(snapshot: WindowSnapshot): void {
    const times = this.#times;
    const { all } = this.#aggregates;
    times.watermark = decodeTime(snapshot.watermark);
    times.removedThrough = decodeTime(snapshot.removedThrough ?? 'min');
    times.removeThrough(times.watermark);
    times.clear();
    this.#keys.clear();
    this.#open = 0;
    const names = snapshot.aggregates ?? all.map(({ name }) => name);
    // With less lateness than before some are over, and have fired.
    const isOpen = (end: number): boolean => end - 1 > times.removedThrough;
    for (const encoded of snapshot.keys) {
      const owner = decodeKeyWindows(encoded, all, names, isOpen);
      if (owner.windows.isEmpty) continue;
      this.#keys.set(owner.text, owner);
      for (const window of owner.windows.all()) {
        this.#open++;
        window.early = times.earlyAfterRestore(window);
        times.plan(owner, window);
      }
    }
  }
}

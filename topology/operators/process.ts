/**
 * An author's function with state and timers per key.
 *
 * Invariants:
 * 1. A timer is one per key, domain and time; it fires when the watermark (or the clock) reaches it, in the order of times, then of keys.
 * 2. What the function did to state and timers is undone when it throws: the element is rejected, and the key is as before.
 * 3. Expired state is never seen: expired as soon as last access + ttl <= now. Restoring does not refresh it.
 *
 * Source: org.apache.flink.streaming.api.operators.{KeyedProcessOperator, InternalTimerServiceImpl},
 * org.apache.flink.runtime.state.ttl.TtlUtils.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Key } from '../../schemas/kernel/key.ts';
import { encodeKey, keptKey } from '../../schemas/kernel/key.ts';
import type { ProcessNode } from '../graph/graph.ts';
import type { Origin } from '../graph/sink.ts';
import type { KeyState, KeyStateSnapshot, Now } from '../state/key-state.ts';
import { decodeKeyState, encodeKeyState, handlesOf, isEmpty, lastAccessOf, newKeyState } from '../state/key-state.ts';
import { siblingOf } from '../state/origin.ts';
import { TimeHeap } from '../state/time-heap.ts';
import type { EncodedTime } from '../time/watermark.ts';
import { decodeTime, encodeTime, minTime } from '../time/watermark.ts';
import type { Batch, RowKind } from './batch.ts';
import { rowKinds } from './batch.ts';
import type { NodeCounts, Operator, Reject, TimeProgress } from './operator.ts';
import { rejectThrown } from './operator.ts';

export interface ProcessFunctions {
  readonly key: (value: unknown) => unknown;
  readonly onElement: (value: unknown, context: unknown) => unknown;
  readonly onTimer: ((timer: unknown, context: unknown) => unknown) | undefined;
}

export interface ProcessSnapshot {
  readonly watermark: EncodedTime;
  readonly keys: readonly KeyStateSnapshot[];
}

export class ProcessOperator implements Operator {
  readonly #node: ProcessNode;
  /** How many nodes before it make several elements of one. */
  readonly #level: number;
  readonly #functions: ProcessFunctions;
  readonly #counts: NodeCounts;
  readonly #reject: Reject;
  readonly #keys = new Map<string, KeyState>();
  readonly #eventTimers = new TimeHeap<KeyState>();
  readonly #processingTimers = new TimeHeap<KeyState>();
  readonly #now: Now = { ms: 0 };
  #watermark = minTime;

  constructor(node: ProcessNode, functions: ProcessFunctions, level: number, counts: NodeCounts, reject: Reject) {
    this.#node = node;
    this.#level = level;
    this.#functions = functions;
    this.#counts = counts;
    this.#reject = reject;
  }

  get progress(): TimeProgress {
    return { watermark: this.#watermark, open: this.#keys.size, next: this.#eventTimers.next };
  }

  process(_input: number, batch: Batch, out: readonly Batch[]): void {
    const target = out[0];
    if (target === undefined) return;
    for (let i = 0; i < batch.length; i++) {
      const kind = batch.kinds[i] as RowKind;
      const timestamp = batch.timestamps[i] as number;
      if (kind === rowKinds.element) {
        this.#element(batch.values[i], timestamp, batch.origins[i], target);
        continue;
      }
      if (kind === rowKinds.watermark) {
        if (timestamp <= this.#watermark) continue;
        this.#watermark = timestamp;
        this.#fire(this.#eventTimers, 'event', timestamp, target);
      } else if (kind === rowKinds.clock) {
        this.#now.ms = Math.max(this.#now.ms, timestamp);
        this.#fire(this.#processingTimers, 'processing', timestamp, target);
      }
      target.push(kind, batch.values[i], timestamp, undefined);
    }
  }

  #element(value: unknown, timestamp: number, origin: Origin | undefined, target: Batch): void {
    this.#counts.in++;
    let state: KeyState;
    try {
      const key = this.#functions.key(value) as Key;
      const text = encodeKey(key);
      state = this.#keys.get(text) ?? newKeyState(keptKey(key), text);
    } catch (thrown) {
      this.#counts.rejected++;
      rejectThrown(this.#reject, this.#node.id, thrown, value, origin);
      return;
    }
    if (this.#call((context) => this.#functions.onElement(value, context), state, timestamp, value, origin, target)) this.#counts.passed++;
    else this.#counts.rejected++;
  }

  #fire(timers: TimeHeap<KeyState>, domain: 'event' | 'processing', until: number, target: Batch): void {
    const due = (): ReturnType<typeof timers.popUntil> => timers.popUntil(until);
    if (until !== Number.POSITIVE_INFINITY) {
      for (let timer = due(); timer !== undefined; timer = due()) this.#fireOne(timer.value, domain, timer.time, target);
      return;
    }
    // At the end of input a timer that registers the next one would never come to an end: only those fire that are there now.
    const all: { readonly time: number; readonly value: KeyState }[] = [];
    for (let timer = due(); timer !== undefined; timer = due()) all.push(timer);
    for (const { time, value } of all) this.#fireOne(value, domain, time, target);
  }

  #fireOne(state: KeyState, domain: 'event' | 'processing', time: number, target: Batch): void {
    const { onTimer } = this.#functions;
    // Deleted since, or a second entry of a timer that was deleted and registered again.
    if (!state.timers[domain].delete(time) || onTimer === undefined) return;
    const timer = { at: time, domain };
    this.#call((context) => onTimer(timer, context), state, time, { key: state.key, timer }, undefined, target);
  }

  /** Calls the author's function on one key; says whether it did not throw. */
  #call(
    call: (context: unknown) => unknown,
    state: KeyState,
    timestamp: number,
    value: unknown,
    origin: Origin | undefined,
    target: Batch,
  ): boolean {
    const undo: (() => void)[] = [];
    const context = {
      key: state.key,
      timestamp,
      watermark: this.#watermark,
      processingTime: this.#now.ms,
      state: handlesOf(state, this.#node.state, this.#now, undo),
      timers: this.#timersOf(state, undo),
    };
    let results: unknown;
    try {
      results = call(context);
      if (!Array.isArray(results)) {
        throw new SluiceError('function-result', `process must return an array, not ${results === null ? 'null' : typeof results}`);
      }
    } catch (thrown) {
      for (const step of undo.reverse()) step();
      rejectThrown(this.#reject, this.#node.id, thrown, value, origin);
      this.#settle(state);
      return false;
    }
    let index = 0;
    for (const result of results as unknown[]) {
      this.#counts.emitted++;
      target.element(result, timestamp, siblingOf(origin, this.#level, index++));
    }
    this.#settle(state);
    return true;
  }

  #settle(state: KeyState): void {
    if (isEmpty(state)) this.#keys.delete(state.text);
    else this.#keys.set(state.text, state);
  }

  #timersOf(state: KeyState, undo: (() => void)[]): unknown {
    const register = (timers: TimeHeap<KeyState>, domain: 'event' | 'processing') => (at: number) => {
      if (!Number.isSafeInteger(at)) throw new SluiceError('function-result', `a timer needs whole epoch milliseconds, not ${at}`);
      const registered = state.timers[domain];
      if (registered.has(at)) return;
      registered.add(at);
      timers.push(at, state.text, state);
      undo.push(() => registered.delete(at));
    };
    const remove = (domain: 'event' | 'processing') => (at: number) => {
      const registered = state.timers[domain];
      if (registered.delete(at)) undo.push(() => registered.add(at));
    };
    return {
      event: register(this.#eventTimers, 'event'),
      deleteEvent: remove('event'),
      processing: register(this.#processingTimers, 'processing'),
      deleteProcessing: remove('processing'),
    };
  }

  snapshot(): ProcessSnapshot {
    const keys: KeyStateSnapshot[] = [];
    for (const state of [...this.#keys.values()]) {
      const encoded = encodeKeyState(state, this.#node.state, this.#now);
      if (isEmpty(state)) this.#keys.delete(state.text);
      else keys.push(encoded);
    }
    return { watermark: encodeTime(this.#watermark), keys };
  }

  restore(snapshot: ProcessSnapshot): void {
    this.#watermark = decodeTime(snapshot.watermark);
    this.#keys.clear();
    this.#eventTimers.clear();
    this.#processingTimers.clear();
    for (const encoded of snapshot.keys) {
      const state = decodeKeyState(encoded);
      this.#keys.set(state.text, state);
      // Processing time does not go back, also where the clock of the new run does.
      this.#now.ms = Math.max(this.#now.ms, lastAccessOf(state));
      for (const at of state.timers.event) this.#eventTimers.push(at, state.text, state);
      for (const at of state.timers.processing) this.#processingTimers.push(at, state.text, state);
    }
  }
}

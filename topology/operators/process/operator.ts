/**
 * An author's function with state and timers per key.
 *
 * Invariants:
 * 1. A timer is one per key, domain and time; it fires when the watermark (or the clock) reaches
 *    it, in the order of times, then of keys. So do those that timers register meanwhile. The end
 *    of input fires every event timer until none is left (but for a chain without an end, which is
 *    cut and rejected), and no processing timer: the clock does that.
 * 2. What the function did to state and timers is undone when it throws: the element is rejected,
 *    and the key is as before.
 * 3. An output of a timer is told from all others by key, domain and the timer's time; or its
 *    cause, where that time may come again (timer-causes.ts).
 * 4. Expired state is never seen: expired as soon as last access + ttl <= now. Restoring does not
 *    refresh it.
 *
 * Source: org.apache.flink.streaming.api.operators.{KeyedProcessOperator,
 * InternalTimerServiceImpl}, org.apache.flink.runtime.state.ttl.TtlUtils.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Key } from '../../../schemas/kernel/key.ts';
import { keptKey } from '../../../schemas/kernel/key.ts';
import type { Identity, Provenance } from '../../nodes/sink.ts';
import { freeze } from '../../state/freeze.ts';
import { isJson, notJson } from '../../state/json-safe.ts';
import type { Domain, EncodedKeyState, KeyState, Now } from '../../state/key-state.ts';
import { handlesOf, lastAccessOf, newKeyState } from '../../state/key-state.ts';
import { siblingOf } from '../../state/origin.ts';
import { TimerQueue } from '../../state/timer-queue.ts';
import type { EncodedTime } from '../../time/watermark.ts';
import { decodeTime, encodeTime, minTime } from '../../time/watermark.ts';
import type { Batch, RowKind } from '../batch.ts';
import { rowKinds } from '../batch.ts';
import type { Cause } from '../cause.ts';
import { keyTextOf } from '../key-text.ts';
import type { Layout } from '../layouts.ts';
import type { NodeCounts, Operator, Reject, TimeProgress } from '../operator.ts';
import { rejectThrown } from '../operator.ts';
import { KeyStates } from './key-states.ts';
import type { ProcessNode } from './node.ts';
import { causeAt, causeOf, dropCause, keepCause } from './timer-causes.ts';
import { TimerChains } from './timer-chains.ts';

export interface ProcessFunctions {
  readonly key: (value: unknown) => unknown;
  readonly onElement: (value: unknown, context: unknown) => unknown;
  readonly onTimer: ((timer: unknown, context: unknown) => unknown) | undefined;
}

export interface ProcessHead {
  readonly watermark: EncodedTime;
  readonly layouts: readonly Layout[];
  /** Processing time, epoch ms; a state of before has none. */
  readonly nowMs?: number;
}

export class ProcessOperator implements Operator {
  readonly tables: readonly [KeyStates];
  readonly #node: ProcessNode;
  /** How many nodes before it make several elements of one. */
  readonly #level: number;
  readonly #functions: ProcessFunctions;
  readonly #counts: NodeCounts;
  readonly #reject: Reject;
  readonly #cause: Cause;
  readonly #keys: KeyStates;
  readonly #timers: Readonly<Record<Domain, TimerQueue<KeyState>>> = {
    event: new TimerQueue(),
    processing: new TimerQueue(),
  };
  readonly #chains = new TimerChains();
  /** The timers that fire now. */
  #firing: Domain | undefined;
  #firingAt = minTime;
  readonly #now: Now = { ms: 0 };
  #era = 0;
  #watermark = minTime;
  /** Event time up to which all timers have fired that were registered. */
  #reached = minTime;

  constructor(
    node: ProcessNode,
    functions: ProcessFunctions,
    level: number,
    counts: NodeCounts,
    reject: Reject,
    cause: Cause,
  ) {
    this.#node = node;
    this.#level = level;
    this.#functions = functions;
    this.#counts = counts;
    this.#reject = reject;
    this.#cause = cause;
    this.#keys = new KeyStates(node.id, node.state, (state, encoded) =>
      this.#restored(state, encoded),
    );
    this.tables = [this.#keys];
  }

  begin(era: number): void {
    this.#era = era;
  }

  get progress(): TimeProgress {
    return { watermark: this.#watermark, open: this.#keys.size, next: this.#timers.event.next };
  }

  process(_input: number, batch: Batch, out: readonly Batch[]): void {
    const target = out[0];
    if (target === undefined) return;
    for (let i = 0; i < batch.length; i++) {
      this.#cause.row = i;
      const kind = batch.kinds[i] as RowKind;
      const timestamp = batch.timestamps[i] as number;
      if (kind === rowKinds.element) {
        this.#element(batch.values[i], timestamp, batch.origins[i], target);
        continue;
      }
      if (kind === rowKinds.watermark) {
        if (timestamp <= this.#watermark) continue;
        this.#watermark = timestamp;
        this.#fire('event', timestamp, target);
        this.#reached = timestamp;
      } else if (kind === rowKinds.clock) {
        this.#now.ms = Math.max(this.#now.ms, timestamp);
        this.#fire('processing', timestamp, target);
        this.#keys.walk(this.#now);
      }
      target.push(kind, batch.values[i], timestamp, undefined);
    }
  }

  #element(value: unknown, timestamp: number, origin: Provenance | undefined, target: Batch): void {
    this.#counts.in++;
    let state: KeyState;
    try {
      const key = this.#functions.key(value) as Key;
      const text = keyTextOf(key, origin);
      state = this.#keys.get(text) ?? newKeyState(keptKey(key), text);
    } catch (thrown) {
      this.#counts.rejected++;
      rejectThrown(this.#reject, this.#node.id, thrown, value, origin);
      return;
    }
    if (
      this.#call(
        (context) => this.#functions.onElement(value, context),
        state,
        timestamp,
        value,
        origin,
        target,
      )
    )
      this.#counts.passed++;
    else this.#counts.rejected++;
  }

  /**
   * Also timers that the function registers meanwhile fire when they are due; at the end of input
   * all are, until none is left.
   */
  #fire(domain: Domain, until: number, target: Batch): void {
    const timers = this.#timers[domain];
    this.#chains.begin(until);
    this.#firing = domain;
    try {
      for (let due = timers.takeUntil(until); due !== undefined; due = timers.takeUntil(until)) {
        this.#firingAt = due.at;
        this.#cause.timer?.(due.at, due.value.text);
        this.#fireOne(due.value, domain, due.at, target);
      }
    } finally {
      this.#firing = undefined;
    }
  }

  #fireOne(state: KeyState, domain: Domain, time: number, target: Batch): void {
    const { onTimer } = this.#functions;
    const by = causeAt(state, domain, time) ?? time;
    this.#keys.touch(state);
    state.timers[domain].delete(time);
    dropCause(state, domain, time);
    if (domain === 'event') this.#reached = Math.max(this.#reached, time);
    if (onTimer === undefined) {
      this.#keys.settle(state);
      return;
    }
    const timer = { at: time, domain };
    const origin: Provenance = {
      derived: { kind: 'timer', node: this.#node.id, era: this.#era, key: state.text, domain, by },
    };
    this.#call(
      (context) => onTimer(timer, context),
      state,
      time,
      { key: state.key, timer },
      origin,
      target,
    );
  }

  /** Calls the author's function on one key; says whether it did not throw. */
  #call(
    call: (context: unknown) => unknown,
    state: KeyState,
    timestamp: number,
    value: unknown,
    origin: Provenance | undefined,
    target: Batch,
  ): boolean {
    this.#keys.touch(state);
    const undo: (() => void)[] = [];
    const context = {
      key: state.key,
      timestamp,
      watermark: this.#watermark,
      processingTime: this.#now.ms,
      state: handlesOf(state, this.#node.state, this.#now, undo),
      timers: this.#timersOf(state, origin, undo),
    };
    let results: unknown;
    try {
      results = call(context);
      if (!Array.isArray(results)) {
        throw new SluiceError(
          'function-result',
          `process must return an array, not ${results === null ? 'null' : typeof results}`,
        );
      }
    } catch (thrown) {
      for (const step of undo.reverse()) step();
      rejectThrown(this.#reject, this.#node.id, thrown, value, origin, [value, state.key]);
      this.#keys.settle(state);
      return false;
    }
    // They may have parts in common.
    const several = results.length > 1;
    let index = 0;
    for (const result of results as unknown[]) {
      const own = siblingOf(origin, this.#level, index++);
      if (!isJson(result)) {
        rejectThrown(
          this.#reject,
          this.#node.id,
          notJson(result, `what '${this.#node.id}' returns`),
          value,
          own,
        );
        continue;
      }
      this.#counts.emitted++;
      target.element(several ? freeze(result) : result, timestamp, own);
    }
    this.#keys.settle(state);
    return true;
  }

  #timersOf(state: KeyState, origin: Provenance | undefined, undo: (() => void)[]): unknown {
    let nth = 0;
    const register = (domain: Domain) => (at: number) => {
      nth++;
      if (!Number.isSafeInteger(at))
        throw new SluiceError(
          'function-result',
          `a timer needs whole epoch milliseconds, not ${at}`,
        );
      if (state.timers[domain].has(at)) return;
      if (this.#firing === domain) this.#chains.follow(state.text, this.#firingAt, at);
      const isTold = domain === 'event' && at > this.#reached;
      this.#register(domain, state, at, isTold ? undefined : causeOf(origin, nth));
      undo.push(() => this.#cancel(domain, state, at));
    };
    const remove = (domain: Domain) => (at: number) => {
      const cause = causeAt(state, domain, at);
      if (this.#cancel(domain, state, at))
        undo.push(() => this.#register(domain, state, at, cause));
    };
    return {
      event: register('event'),
      deleteEvent: remove('event'),
      processing: register('processing'),
      deleteProcessing: remove('processing'),
    };
  }

  #register(domain: Domain, state: KeyState, at: number, cause: Identity | undefined): void {
    state.timers[domain].set(at, this.#timers[domain].set(at, state.text, state));
    if (cause !== undefined) keepCause(state, domain, at, cause);
  }

  #cancel(domain: Domain, state: KeyState, at: number): boolean {
    const timer = state.timers[domain].get(at);
    if (timer === undefined) return false;
    state.timers[domain].delete(at);
    dropCause(state, domain, at);
    this.#timers[domain].cancel(timer);
    return true;
  }

  snapshot(): ProcessHead {
    return {
      watermark: encodeTime(this.#watermark),
      layouts: this.#keys.layouts,
      nowMs: this.#now.ms,
    };
  }

  restore({ watermark, layouts, nowMs = 0 }: ProcessHead): void {
    // Processing time does not go back, also where the clock of the new run does.
    this.#now.ms = Math.max(this.#now.ms, nowMs);
    this.#watermark = decodeTime(watermark);
    this.#reached = this.#watermark;
    this.#timers.event.clear();
    this.#timers.processing.clear();
    this.#keys.clear(layouts);
  }

  #restored(state: KeyState, [, , event, processing]: EncodedKeyState): void {
    this.#now.ms = Math.max(this.#now.ms, lastAccessOf(state));
    for (const at of event) this.#register('event', state, at, undefined);
    for (const at of processing) this.#register('processing', state, at, undefined);
  }
}

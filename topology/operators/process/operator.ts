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
import type { Key } from '../../../schemas/kernel/key.ts';
import { keptKey } from '../../../schemas/kernel/key.ts';
import type { Provenance } from '../../nodes/sink.ts';
import { freeze } from '../../state/freeze.ts';
import { isJson, notJson } from '../../state/json-safe.ts';
import type { Domain, KeyState, Now } from '../../state/key-state.ts';
import { handlesOf, lastAccessOf, newKeyState } from '../../state/key-state.ts';
import { siblingOf } from '../../state/origin.ts';
import type { RecordStore } from '../../state/records.ts';
import { restLooksMax, restLooksPerTimer } from '../../state/rest-round.ts';
import type { Timer } from '../../state/timer-queue.ts';
import type { EncodedTime } from '../../time/watermark.ts';
import { decodeTime, encodeTime, minTime } from '../../time/watermark.ts';
import type { Batch, RowKind } from '../batch.ts';
import { rowKinds } from '../batch.ts';
import type { Cause } from '../cause.ts';
import { keyTextOf } from '../key-text.ts';
import type { Layout } from '../layouts.ts';
import type { NodeCounts, Operator, OperatorHost, Reject, TimeProgress } from '../operator.ts';
import { rejectThrown } from '../operator.ts';
import { checkTimerTime, resultsOf } from './author-results.ts';
import { KeyStates } from './key-states.ts';
import type { ProcessNode } from './node.ts';
import { causeAt, causeOf } from './timer-causes.ts';
import { TimerChains } from './timer-chains.ts';

export interface ProcessFunctions {
  readonly key: (value: unknown) => unknown;
  readonly onElement: (value: unknown, context: unknown) => unknown;
  readonly onTimer: ((timer: unknown, context: unknown) => unknown) | undefined;
}

/** What it needs beside its functions. */
export interface ProcessParts {
  /** How many nodes before it make several elements of one. */
  readonly level: number;
  readonly counts: NodeCounts;
  readonly reject: Reject;
  readonly cause: Cause;
  readonly records: () => RecordStore;
  readonly liveStateMaxBytes: number;
  readonly host: Pick<OperatorHost, 'random'>;
}

/** After so many elements it is looked whether keys are to rest. */
const elementsPerRest = 1_024;

export interface ProcessHead {
  readonly watermark: EncodedTime;
  readonly layouts: readonly Layout[];
  /** Processing time, epoch ms; a state of before has none. */
  readonly nowMs?: number;
}

export class ProcessOperator implements Operator {
  readonly tables: readonly [KeyStates];
  readonly #node: ProcessNode;
  readonly #level: number;
  readonly #functions: ProcessFunctions;
  readonly #counts: NodeCounts;
  readonly #reject: Reject;
  readonly #cause: Cause;
  readonly #keys: KeyStates;
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
    { level, counts, reject, cause, records, liveStateMaxBytes, host }: ProcessParts,
  ) {
    this.#node = node;
    this.#level = level;
    this.#functions = functions;
    this.#counts = counts;
    this.#reject = reject;
    this.#cause = cause;
    this.#keys = new KeyStates({
      node: node.id,
      declarations: node.state,
      liveMaxBytes: liveStateMaxBytes,
      store: records,
      random: host.random,
      // Processing time does not go back, also where the clock of the new run does.
      restored: (state) => {
        this.#now.ms = Math.max(this.#now.ms, lastAccessOf(state));
      },
    });
    this.tables = [this.#keys];
  }

  begin(era: number): void {
    this.#era = era;
  }

  get progress(): TimeProgress {
    return { watermark: this.#watermark, open: this.#keys.size, next: this.#keys.next };
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
        if (i % elementsPerRest === elementsPerRest - 1) this.#keys.rest(restLooksMax);
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
    this.#keys.rest(restLooksMax);
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
    const take = (): Timer<KeyState> | undefined => this.#keys.takeDue(domain, until);
    this.#chains.begin(until);
    this.#firing = domain;
    try {
      for (let due = take(); due !== undefined; due = take()) {
        this.#firingAt = due.at;
        this.#cause.timer?.(due.at, due.value.text);
        this.#fireOne(due.value, domain, due.at, target);
        this.#keys.rest(restLooksPerTimer);
      }
    } finally {
      this.#firing = undefined;
    }
  }

  #fireOne(state: KeyState, domain: Domain, time: number, target: Batch): void {
    const { onTimer } = this.#functions;
    this.#keys.touch(state);
    const by = this.#keys.timers.fired(domain, state, time);
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
    let results: readonly unknown[];
    try {
      results = resultsOf(call(context));
    } catch (thrown) {
      for (const step of undo.reverse()) step();
      rejectThrown(this.#reject, this.#node.id, thrown, value, origin, [value, state.key]);
      this.#keys.settle(state);
      return false;
    }
    // They may have parts in common.
    const several = results.length > 1;
    let index = 0;
    for (const result of results) {
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
    const { timers } = this.#keys;
    let nth = 0;
    const register = (domain: Domain) => (at: number) => {
      nth++;
      checkTimerTime(at);
      if (state.timers[domain].has(at)) return;
      if (this.#firing === domain) this.#chains.follow(state.text, this.#firingAt, at);
      const isTold = domain === 'event' && at > this.#reached;
      timers.register(domain, state, at, isTold ? undefined : causeOf(origin, nth));
      undo.push(() => timers.cancel(domain, state, at));
    };
    const remove = (domain: Domain) => (at: number) => {
      const cause = causeAt(state, domain, at);
      if (timers.cancel(domain, state, at))
        undo.push(() => timers.register(domain, state, at, cause));
    };
    return {
      event: register('event'),
      deleteEvent: remove('event'),
      processing: register('processing'),
      deleteProcessing: remove('processing'),
    };
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
    this.#keys.clear(layouts);
  }
}

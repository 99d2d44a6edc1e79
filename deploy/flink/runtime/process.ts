/**
 * An author's `process`, called by the job's process operator (Java), which keeps the key's state
 * as text and its timers as Flink's. What the function does to both comes back as commands, so that
 * nothing is to be undone when it throws.
 *
 * Out: lines. `E`, its origin as a line, the value as a line: an element. `S` and the state, empty
 * when there is none any more; `X<time>` before it, when something of it expires. `+e<time>`,
 * `-e<time>`, `+p<time>`, `-p<time>`: a timer of event or processing time is registered or deleted.
 * `R` and a rejection.
 */
import { decodeKey } from '../../../schemas/kernel/key.ts';
import type { Provenance } from '../../../topology/nodes/sink.ts';
import type { Call } from '../../../topology/operators/node-parts.ts';
import { rejectThrown } from '../../../topology/operators/operator.ts';
import { checkTimerTime, resultsOf } from '../../../topology/operators/process/author-results.ts';
import type { ProcessNode } from '../../../topology/operators/process/node.ts';
import {
  causeAt,
  causeOf,
  dropCause,
  keepCause,
} from '../../../topology/operators/process/timer-causes.ts';
import { TimerChains } from '../../../topology/operators/process/timer-chains.ts';
import { freeze, freezeWhole } from '../../../topology/state/freeze.ts';
import { isJson, notJson } from '../../../topology/state/json-safe.ts';
import type { Domain, EncodedKeyState, KeyState } from '../../../topology/state/key-state.ts';
import {
  decodeKeyState,
  dropExpired,
  encodeKeyState,
  expiryOf,
  handlesOf,
  isEmpty,
  newKeyState,
} from '../../../topology/state/key-state.ts';
import { siblingOf } from '../../../topology/state/origin.ts';
import type { EncodedTime } from '../../../topology/time/watermark.ts';
import { decodeTime, minTime } from '../../../topology/time/watermark.ts';
import type { NodeRuntime } from './node-runtime.ts';
import { originText, readOrigin } from './wire.ts';

/** What a call knows of time. */
interface Times {
  readonly timestamp: number;
  readonly watermark: number;
  readonly nowMs: number;
}

interface Work extends Times {
  readonly state: KeyState;
  readonly value: unknown;
  readonly origin: Provenance | undefined;
  readonly call: (context: unknown) => unknown;
}

export class ProcessFunctions {
  readonly #node: NodeRuntime;
  readonly #process: ProcessNode;
  readonly #onElement: Call;
  readonly #onTimer: Call | undefined;
  readonly #level: number;
  readonly #names: ReadonlySet<string>;
  readonly #chains = new TimerChains();
  /** The timers that fire now. */
  #firing: Domain | undefined;
  #firingAt = minTime;
  /** Event time up to which all timers have fired that were registered. */
  #reached = minTime;

  constructor(id: string, node: NodeRuntime) {
    const process = node.plan.nodes.find((one) => one.id === id) as ProcessNode;
    const { call, level } = node.parts(id);
    this.#node = node;
    this.#process = process;
    this.#onElement = call('onElement');
    this.#onTimer = process.timers ? call('onTimer') : undefined;
    this.#level = level;
    this.#names = new Set(process.state.map(({ name }) => name));
  }

  /** Time moves on to `until`: timers fire. */
  begin(until: EncodedTime): void {
    this.#chains.begin(decodeTime(until));
  }

  /** All that were due have fired. */
  end(domain: Domain, until: EncodedTime): void {
    this.#firing = undefined;
    if (domain === 'event') this.#reached = decodeTime(until);
  }

  element(
    key: string,
    stored: string,
    at: number,
    watermark: EncodedTime,
    nowMs: number,
    value: string,
    origin: string,
  ): string {
    this.#firing = undefined;
    const given = this.#node.freezes === 'all' ? freezeWhole(JSON.parse(value)) : JSON.parse(value);
    return this.#run(stored, {
      state: this.#read(key, stored),
      timestamp: at,
      watermark: decodeTime(watermark),
      nowMs,
      value: given as unknown,
      origin: readOrigin(origin),
      call: (context) => this.#onElement(given, context),
    });
  }

  timer(
    key: string,
    stored: string,
    at: number,
    watermark: EncodedTime,
    nowMs: number,
    domain: Domain,
  ): string {
    this.#firing = domain;
    this.#firingAt = at;
    const state = this.#read(key, stored);
    const by = causeAt(state, domain, at) ?? at;
    state.timers[domain].delete(at);
    dropCause(state, domain, at);
    if (domain === 'event') this.#reached = Math.max(this.#reached, at);
    const onTimer = this.#onTimer;
    if (onTimer === undefined) return this.#stateText(state);
    const timer = { at, domain };
    const times = { timestamp: at, watermark: decodeTime(watermark), nowMs };
    return this.#run(this.#encoded(state), {
      ...times,
      state,
      value: { key: state.key, timer },
      origin: {
        derived: { kind: 'timer', node: this.#process.id, era: 0, key, domain, by },
      },
      call: (context) => onTimer(timer, context),
    });
  }

  /** Processing time has come to where something of a key expires: what is left of it. */
  expire(key: string, stored: string, nowMs: number): string {
    const state = this.#read(key, stored);
    dropExpired(state, this.#process.state, { ms: nowMs }, () => undefined);
    return this.#stateText(state);
  }

  /** `before`: the state to keep when the function throws. */
  #run(before: string, work: Work): string {
    const { state, origin, value, nowMs } = work;
    const { id, state: declarations } = this.#process;
    const commands: string[] = [];
    const now = { ms: nowMs };
    const context = {
      key: state.key,
      timestamp: work.timestamp,
      watermark: work.watermark,
      processingTime: nowMs,
      state: handlesOf(state, declarations, now, []),
      timers: this.#timersOf(state, origin, commands),
    };
    let results: readonly unknown[];
    try {
      results = resultsOf(work.call(context));
    } catch (thrown) {
      rejectThrown(this.#node.reject, id, thrown, value, origin, [value, state.key]);
      return `${this.#node.takeRejections()}S${before}\n`;
    }
    dropExpired(state, declarations, now, () => undefined);
    return this.#given(results, value, origin) + commands.join('') + this.#stateText(state);
  }

  #given(results: readonly unknown[], value: unknown, origin: Provenance | undefined): string {
    const { id } = this.#process;
    let given = '';
    results.forEach((result, index) => {
      const own = siblingOf(origin, this.#level, index);
      if (isJson(result)) {
        given += `E${originText(own)}\n${JSON.stringify(freeze(result))}\n`;
        return;
      }
      rejectThrown(this.#node.reject, id, notJson(result, `what '${id}' returns`), value, own);
      given += this.#node.takeRejections();
    });
    return given;
  }

  #timersOf(state: KeyState, origin: Provenance | undefined, commands: string[]): unknown {
    let nth = 0;
    const register = (domain: Domain) => (at: number) => {
      nth++;
      checkTimerTime(at);
      if (state.timers[domain].has(at)) return;
      if (this.#firing === domain) this.#chains.follow(state.text, this.#firingAt, at);
      const isTold = domain === 'event' && at > this.#reached;
      const cause = isTold ? undefined : causeOf(origin, nth);
      state.timers[domain].set(at, { at, value: state });
      if (cause !== undefined) keepCause(state, domain, at, cause);
      commands.push(`+${domain[0]}${at}\n`);
    };
    const remove = (domain: Domain) => (at: number) => {
      if (!state.timers[domain].delete(at)) return;
      dropCause(state, domain, at);
      commands.push(`-${domain[0]}${at}\n`);
    };
    return {
      event: register('event'),
      deleteEvent: remove('event'),
      processing: register('processing'),
      deleteProcessing: remove('processing'),
    };
  }

  #read(key: string, stored: string): KeyState {
    if (stored === '') return newKeyState(decodeKey(key), key);
    const encoded = JSON.parse(stored) as EncodedKeyState;
    const state = decodeKeyState(key, encoded, this.#names);
    for (const at of encoded[2]) state.timers.event.set(at, { at, value: state });
    for (const at of encoded[3]) state.timers.processing.set(at, { at, value: state });
    return state;
  }

  #encoded(state: KeyState): string {
    return isEmpty(state) ? '' : JSON.stringify(encodeKeyState(state, 0));
  }

  #stateText(state: KeyState): string {
    const expiry = expiryOf(state, this.#process.state);
    const expires = expiry === Number.POSITIVE_INFINITY ? '' : `X${expiry}\n`;
    return `${expires}S${this.#encoded(state)}\n`;
  }
}

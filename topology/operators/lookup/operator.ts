/**
 * Asynchronous look-ups. Elements wait in a queue while their answers are in flight; what is done
 * leaves in a later turn.
 *
 * Invariants:
 * 1. `ordered`: elements leave in the order in which they came. `unordered`: an answer may overtake
 *    others, never a watermark or idleness.
 * 2. No watermark overtakes an element that waits before it. The clock does, at once: processing
 *    time does not stand still for an answer, nor does it come back out of a snapshot.
 * 3. What waits is in the snapshot as input; a restored operator asks again.
 * 4. At most `capacity` look-ups are in flight. With as many elements inside, answered or not, or
 *    `waitingMaxBytes` of them, the engine pulls nothing (`isFull`): at most so much and what one
 *    turn brings are held.
 * 5. What waits is not silence: downstream it is not idle while elements are inside, whatever was
 *    said before them.
 * 6. With a cache, a key whose answer is in flight is not asked a second time: the elements share
 *    the answer.
 * 7. Every try is made when its target may be asked (lookup-target.ts); all look-ups of a connector
 *    share one.
 */
import { backoffMs } from '../../../schemas/kernel/backoff.ts';
import { mebi } from '../../../schemas/kernel/bytes.ts';
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Key } from '../../../schemas/kernel/key.ts';
import { keptKey } from '../../../schemas/kernel/key.ts';
import type { Provenance } from '../../nodes/sink.ts';
import { freeze, freezeWhole } from '../../state/freeze.ts';
import { requireJson } from '../../state/json-safe.ts';
import { decodeOrigin } from '../../state/origin.ts';
import { valueBytes } from '../../state/value-bytes.ts';
import { decodeTime } from '../../time/watermark.ts';
import type { Batch, RowKind } from '../batch.ts';
import { rowKinds } from '../batch.ts';
import { keyTextOf } from '../key-text.ts';
import type { NodeCounts, Operator, OperatorHost, Reject } from '../operator.ts';
import { rejectThrown, stuck } from '../operator.ts';
import { AnswerCache } from './answer-cache.ts';
import type { LookupFunction } from './bounded-calls.ts';
import { BoundedCalls } from './bounded-calls.ts';
import type { IdleState, LookupSnapshot } from './lookup-snapshot.ts';
import { encodeRow } from './lookup-snapshot.ts';
import type { AskedTarget } from './lookup-target.ts';
import { LookupTarget, retryAfterOf } from './lookup-target.ts';
import type { LookupCall } from './node.ts';
import type { WaitingRow } from './waiting-rows.ts';
import { WaitingRows } from './waiting-rows.ts';

/** Of elements that wait, with their answers. */
export const waitingMaxBytes = 64 * mebi;
/** Pause before a failed look-up is tried again: the first, and the longest. */
const lookupRetryBaseMs = 100;
export const lookupRetryMaxMs = 10_000;

export interface LookupFunctions {
  readonly by: (value: unknown) => unknown;
  readonly call: LookupFunction;
  readonly combine: (value: unknown, found: unknown) => unknown;
}

interface LookupRejection {
  readonly code: 'lookup-failed' | typeof stuck;
  readonly message: string;
}

interface WaitingElement extends WaitingRow {
  readonly origin: Provenance | undefined;
  readonly key: Key;
  readonly keyText: string;
  answer: unknown;
  /** Why there is none and never will be. */
  rejection: LookupRejection | undefined;
  tries: number;
  /** As many tries as were allowed have failed, and it is held. */
  failing: boolean;
}

export class LookupOperator implements Operator {
  readonly #node: string;
  /** How what the author's function returns is called in a rejection. */
  readonly #result: string;
  readonly #lookup: LookupCall;
  readonly #functions: LookupFunctions;
  readonly #counts: NodeCounts;
  readonly #reject: Reject;
  readonly #host: OperatorHost;
  readonly #target: LookupTarget;
  readonly #calls: BoundedCalls;
  readonly #cache: AnswerCache;
  readonly #rows = new WaitingRows<WaitingElement>();
  /** By key: those that wait for the answer that another element asked for. */
  readonly #sharing = new Map<string, WaitingElement[]>();
  #asking = 0;
  #failing = 0;
  #lastFailure = '';
  #closed = false;
  #idle: IdleState = { said: false, told: false };

  /** `target`: what it shares with the other look-ups of the same connector. */
  constructor(
    node: string,
    lookup: LookupCall,
    functions: LookupFunctions,
    counts: NodeCounts,
    reject: Reject,
    host: OperatorHost,
    target = new LookupTarget(host.clock),
  ) {
    this.#target = target;
    this.#node = node;
    this.#result = `what '${node}' returns`;
    this.#lookup = lookup;
    this.#functions = functions;
    this.#counts = counts;
    this.#reject = reject;
    this.#host = host;
    this.#calls = new BoundedCalls(functions.call, lookup.timeoutMs, host.clock);
    this.#cache = new AnswerCache(lookup.cacheMaxEntries, lookup.cacheTtlMs, host.clock);
  }

  get isFull(): boolean {
    const rows = this.#rows;
    if (rows.hasUntaken || rows.elements >= this.#lookup.capacity) return true;
    return rows.bytes >= waitingMaxBytes;
  }

  get backlog(): number {
    return this.#rows.elements;
  }

  get calls(): number {
    return this.#calls.inFlight;
  }

  get asked(): AskedTarget {
    return this.#target.asked;
  }

  /** What the last try said, while look-ups fail and are held. */
  get failure(): string | undefined {
    return this.#failing > 0 ? this.#lastFailure : undefined;
  }

  process(_input: number, batch: Batch, out: readonly Batch[]): void {
    const target = out[0];
    if (target === undefined) return;
    for (let i = 0; i < batch.length; i++) {
      const kind = batch.kinds[i] as RowKind;
      if (kind === rowKinds.element) {
        this.#enter(batch.values[i], batch.timestamps[i] as number, batch.origins[i]);
        if (this.#idle.told && this.#rows.elements > 0) this.#tell(rowKinds.active, target);
      } else if (kind === rowKinds.clock)
        target.control(kind, batch.timestamps[i] as number, batch.values[i]);
      else {
        if (isIdleness(kind, batch.values[i]))
          this.#idle = { ...this.#idle, said: kind === rowKinds.idle };
        this.#rows.control(kind, batch.values[i], batch.timestamps[i] as number);
      }
    }
    this.poll(out);
  }

  #tell(kind: typeof rowKinds.idle | typeof rowKinds.active, target: Batch): void {
    this.#idle = { ...this.#idle, told: kind === rowKinds.idle };
    target.control(kind, 0);
  }

  /** Gives what is done. */
  poll(out: readonly Batch[]): boolean {
    const target = out[0];
    if (target === undefined || this.#rows.isEmpty) return false;
    this.#ask();
    const gave = this.#rows.leave(this.#lookup.order === 'unordered', (row) => {
      if (row.kind === rowKinds.element) this.#leave(row as WaitingElement, target);
      else if (!isIdleness(row.kind, row.value))
        target.push(row.kind, row.value, row.timestamp, undefined);
      else if (row.kind === rowKinds.active) this.#tell(rowKinds.active, target);
      else if (this.#rows.elements === 0) this.#tell(rowKinds.idle, target);
    });
    if (this.#idle.said && !this.#idle.told && this.#rows.isEmpty)
      this.#tell(rowKinds.idle, target);
    return gave;
  }

  #enter(value: unknown, timestamp: number, origin: Provenance | undefined): void {
    this.#counts.in++;
    let key: Key;
    let keyText: string;
    try {
      key = this.#functions.by(value) as Key;
      keyText = keyTextOf(key, origin);
      key = keptKey(key);
    } catch (thrown) {
      this.#counts.rejected++;
      rejectThrown(this.#reject, this.#node, thrown, value, origin);
      return;
    }
    const kind = rowKinds.element;
    const waits = {
      finished: false,
      answer: undefined,
      rejection: undefined,
      tries: 0,
      failing: false,
      bytes: valueBytes(value, waitingMaxBytes) + eventBytes(origin),
    };
    this.#rows.element({ kind, value: freeze(value), timestamp, origin, key, keyText, ...waits });
  }

  #leave(row: WaitingElement, target: Batch): void {
    const { value, origin, rejection } = row;
    if (rejection !== undefined) {
      this.#counts.rejected++;
      const message =
        rejection.code === stuck
          ? rejection.message
          : `the look-up failed ${row.tries} times, the last time with: ${rejection.message}`;
      this.#reject({
        node: this.#node,
        code: rejection.code,
        message,
        pointer: null,
        schema: null,
        value,
        origin,
      });
      return;
    }
    try {
      target.element(
        requireJson(this.#functions.combine(value, row.answer), this.#result),
        row.timestamp,
        origin,
      );
      this.#counts.passed++;
    } catch (thrown) {
      this.#counts.rejected++;
      rejectThrown(this.#reject, this.#node, thrown, value, origin, [value, row.answer]);
    }
  }

  /**
   * Starts as many look-ups as there are places for; answers that are known or in flight need none.
   */
  #ask(): void {
    if (this.#closed || !this.#rows.hasUntaken) return;
    this.#rows.takeUp((row) => {
      const known = this.#cache.get(row.keyText);
      if (known !== undefined) {
        row.answer = known.answer;
        row.finished = true;
        return true;
      }
      const sharing = this.#sharing.get(row.keyText);
      if (sharing !== undefined) {
        sharing.push(row);
        return true;
      }
      if (this.#asking >= this.#lookup.capacity) return false;
      this.#asking++;
      if (this.#lookup.cacheMaxEntries > 0) this.#sharing.set(row.keyText, []);
      this.#target.first((paid) => void this.#try(row, paid));
      return true;
    });
  }

  async #try(row: WaitingElement, paid: boolean): Promise<void> {
    if (this.#closed) return;
    row.tries++;
    const begunMs = this.#host.clock.monotonic();
    const took = (failed: boolean): void =>
      this.#target.times.note(this.#host.clock.monotonic() - begunMs, failed);
    try {
      // The cache, and all that share it, hold it; so may whoever gave it.
      const answer = freezeWhole(await this.#calls.call(row.key));
      if (this.#closed) return;
      took(false);
      this.#cache.set(row.keyText, answer);
      this.#done(row, answer, undefined);
      this.#target.answered(paid);
    } catch (thrown) {
      if (this.#closed) return;
      took(true);
      const afterMs = retryAfterOf(thrown);
      if (afterMs !== undefined) this.#target.pause(afterMs);
      const isStuck = thrown instanceof SluiceError && thrown.code === stuck;
      if (isStuck || row.tries >= this.#lookup.attempts) {
        const message = messageOf(thrown);
        if (isStuck || this.#lookup.whenFailing === 'reject') {
          this.#done(row, undefined, { code: isStuck ? stuck : 'lookup-failed', message });
          return;
        }
        if (!row.failing) this.#failing++;
        row.failing = true;
        this.#lastFailure = message;
      }
      const pauseMs = backoffMs(
        row.tries - 1,
        { baseMs: lookupRetryBaseMs, maxMs: lookupRetryMaxMs },
        this.#host.random,
      );
      this.#calls.pause(pauseMs, () =>
        this.#target.again((retryPaid) => void this.#try(row, retryPaid)),
      );
    }
  }

  /** The element and those that share its answer may leave; the place goes to the next at once. */
  #done(row: WaitingElement, answer: unknown, rejection: LookupRejection | undefined): void {
    const bytes = valueBytes(answer, waitingMaxBytes);
    // Those that share it hold one.
    this.#rows.grow(row, bytes);
    for (const each of [row, ...(this.#sharing.get(row.keyText) ?? [])]) {
      each.answer = answer;
      each.rejection = rejection;
      each.tries = row.tries;
      each.finished = true;
    }
    this.#sharing.delete(row.keyText);
    if (row.failing) this.#failing--;
    this.#asking--;
    this.#ask();
    this.#host.wake();
  }

  snapshot(): LookupSnapshot {
    // What a run says of itself is no state: the next makes its own ticks, of its own time, and
    // says which splits there are.
    const kept = this.#rows
      .rows()
      .filter(({ kind }) => kind !== rowKinds.tick && kind !== rowKinds.splits);
    const rows = kept.map((row) => {
      const origin = row.kind === rowKinds.element ? (row as WaitingElement).origin : undefined;
      return encodeRow(row.kind, row.timestamp, row.value, origin);
    });
    return { rows, idle: this.#idle };
  }

  restore(snapshot: LookupSnapshot): void {
    this.#rows.clear();
    this.#idle = snapshot.idle ?? { said: false, told: false };
    for (const [kind, timestamp, value, origin] of snapshot.rows) {
      const at = decodeTime(timestamp);
      if (kind === rowKinds.element) {
        this.#enter(value, at, origin === null ? undefined : decodeOrigin(origin));
        // It was counted when it came in first.
        this.#counts.in--;
      } else this.#rows.control(kind, value ?? undefined, at);
    }
  }

  close(): void {
    this.#closed = true;
    this.#target.close();
    this.#calls.close();
  }
}

/** Of the event that an element is from, which waits with it. */
function eventBytes(origin: Provenance | undefined): number {
  return origin === undefined || origin.derived !== undefined ? 0 : origin.data.length;
}

/**
 * Of an input as a whole, that is: behind event time. What is given by hand before it is of splits.
 */
function isIdleness(kind: RowKind, value: unknown): boolean {
  return value === undefined && (kind === rowKinds.idle || kind === rowKinds.active);
}

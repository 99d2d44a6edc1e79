/**
 * Asynchronous look-ups. Elements wait in a queue while their answers are under way; what is done leaves in a later turn.
 *
 * Invariants:
 * 1. `ordered`: elements leave in the order in which they came. `unordered`: an answer may overtake others, never a watermark or other control.
 * 2. No watermark overtakes an element that waits before it.
 * 3. What waits is in the snapshot as input; a restored operator asks again.
 * 4. At most `capacity` look-ups are under way; the engine pulls nothing while elements wait for a place (`isFull`).
 */

import { backoffMs } from '../../schemas/kernel/backoff.ts';
import type { Timer } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { Key } from '../../schemas/kernel/key.ts';
import { encodeKey } from '../../schemas/kernel/key.ts';
import { limits } from '../../schemas/limits.ts';
import type { LookupCall } from '../graph/graph.ts';
import type { Origin } from '../graph/sink.ts';
import type { EncodedOrigin } from '../state/origin.ts';
import { decodeOrigin, encodeOrigin } from '../state/origin.ts';
import type { EncodedTime } from '../time/watermark.ts';
import { decodeTime, encodeTime } from '../time/watermark.ts';
import { AnswerCache } from './answer-cache.ts';
import type { Batch, RowKind } from './batch.ts';
import { rowKinds } from './batch.ts';
import type { NodeCounts, Operator, OperatorHost, Reject } from './operator.ts';
import { rejectThrown } from './operator.ts';

/** Asks for one key; undefined when there is nothing. Rejects when it cannot tell. */
export type LookupFunction = (key: Key, context: { readonly signal: AbortSignal }) => Promise<unknown>;

export interface LookupFunctions {
  readonly by: (value: unknown) => unknown;
  readonly call: LookupFunction;
  readonly combine: (value: unknown, found: unknown) => unknown;
}

interface Waiting {
  readonly kind: RowKind;
  readonly value: unknown;
  timestamp: number;
  readonly origin: Origin | undefined;
  readonly key: Key;
  state: 'queued' | 'asking' | 'answered' | 'failed' | 'left';
  answer: unknown;
  tries: number;
}

type EncodedRow = readonly [kind: RowKind, timestamp: EncodedTime, value: unknown, origin: EncodedOrigin | null];

export interface LookupSnapshot {
  readonly rows: readonly EncodedRow[];
}

export class LookupOperator implements Operator {
  readonly #node: string;
  readonly #lookup: LookupCall;
  readonly #functions: LookupFunctions;
  readonly #counts: NodeCounts;
  readonly #reject: Reject;
  readonly #host: OperatorHost;
  readonly #cache: AnswerCache;
  readonly #aborts = new Set<AbortController>();
  readonly #timers = new Set<Timer>();
  #queue: Waiting[] = [];
  #queued = 0;
  #asking = 0;
  #closed = false;
  #failure: string | undefined;

  constructor(node: string, lookup: LookupCall, functions: LookupFunctions, counts: NodeCounts, reject: Reject, host: OperatorHost) {
    this.#node = node;
    this.#lookup = lookup;
    this.#functions = functions;
    this.#counts = counts;
    this.#reject = reject;
    this.#host = host;
    this.#cache = new AnswerCache(lookup.cacheMaxEntries, lookup.cacheTtlMs, host.clock);
  }

  get isFull(): boolean {
    return this.#queued > 0;
  }

  get backlog(): number {
    return this.#queue.length;
  }

  /** What the last try said, while look-ups fail and are held. */
  get failure(): string | undefined {
    return this.#failure;
  }

  process(_input: number, batch: Batch, out: readonly Batch[]): void {
    for (let i = 0; i < batch.length; i++) {
      const kind = batch.kinds[i] as RowKind;
      if (kind === rowKinds.element) this.#enter(batch.values[i], batch.timestamps[i] as number, batch.origins[i]);
      else this.#control(kind, batch.values[i], batch.timestamps[i] as number);
    }
    this.#ask();
    this.poll(out);
  }

  /** Gives what is done. */
  poll(out: readonly Batch[]): boolean {
    const target = out[0];
    if (target === undefined) return false;
    this.#ask();
    let at = 0;
    let gave = false;
    for (; at < this.#queue.length; at++) {
      const row = this.#queue[at] as Waiting;
      if (row.kind === rowKinds.element) {
        if (row.state !== 'answered' && row.state !== 'failed') break;
        this.#leave(row, target);
      } else target.push(row.kind, row.value, row.timestamp, undefined);
      gave = true;
    }
    if (at > 0) this.#queue = this.#queue.slice(at);
    if (this.#lookup.order === 'ordered') return gave;
    for (const row of this.#queue) {
      if (row.kind !== rowKinds.element) break;
      if (row.state !== 'answered' && row.state !== 'failed') continue;
      this.#leave(row, target);
      gave = true;
    }
    if (gave) this.#queue = this.#queue.filter((row) => row.state !== 'left');
    return gave;
  }

  #enter(value: unknown, timestamp: number, origin: Origin | undefined): void {
    this.#counts.in++;
    let key: Key;
    try {
      key = this.#functions.by(value) as Key;
      encodeKey(key);
    } catch (thrown) {
      this.#counts.rejected++;
      rejectThrown(this.#reject, this.#node, thrown, value, origin);
      return;
    }
    const row: Waiting = { kind: rowKinds.element, value, timestamp, origin, key, state: 'queued', answer: undefined, tries: 0 };
    this.#queue.push(row);
    this.#queued++;
  }

  /** While elements wait, control would pile up with every tick: of two in a row of one kind the later says all. */
  #control(kind: RowKind, value: unknown, timestamp: number): void {
    const tail = this.#queue.at(-1);
    const merges = kind === rowKinds.watermark || kind === rowKinds.clock;
    if (merges && tail?.kind === kind) tail.timestamp = timestamp;
    else this.#queue.push({ kind, value, timestamp, origin: undefined, key: '', state: 'answered', answer: undefined, tries: 0 });
  }

  #leave(row: Waiting, target: Batch): void {
    const failed = row.state === 'failed';
    row.state = 'left';
    if (failed) {
      this.#counts.rejected++;
      const message = `the look-up failed ${row.tries} times, at last: ${String(row.answer)}`;
      this.#reject({ node: this.#node, code: 'lookup-failed', message, pointer: null, schema: null, value: row.value, origin: row.origin });
      return;
    }
    try {
      target.element(this.#functions.combine(row.value, row.answer), row.timestamp, row.origin);
      this.#counts.passed++;
    } catch (thrown) {
      this.#counts.rejected++;
      rejectThrown(this.#reject, this.#node, thrown, row.value, row.origin);
    }
  }

  /** Starts as many look-ups as there are places for; answers that are known need none. */
  #ask(): void {
    if (this.#queued === 0 || this.#closed) return;
    for (const row of this.#queue) {
      if (this.#queued === 0) return;
      if (row.kind !== rowKinds.element || row.state !== 'queued') continue;
      const known = this.#cache.get(row.key);
      if (known !== undefined) {
        this.#queued--;
        row.state = 'answered';
        row.answer = known.answer;
        continue;
      }
      if (this.#asking >= this.#lookup.capacity) return;
      this.#queued--;
      this.#asking++;
      row.state = 'asking';
      void this.#try(row);
    }
  }

  async #try(row: Waiting): Promise<void> {
    row.tries++;
    try {
      const answer = await this.#call(row.key);
      this.#cache.set(row.key, answer);
      this.#failure = undefined;
      this.#done(row, 'answered', answer);
    } catch (thrown) {
      if (this.#closed) return;
      const message = messageOf(thrown);
      const exhausted = row.tries >= this.#lookup.attempts;
      if (exhausted) this.#failure = message;
      if (exhausted && this.#lookup.whenFailing === 'reject') {
        this.#done(row, 'failed', message);
        return;
      }
      const pauseMs = backoffMs(row.tries - 1, { baseMs: limits.lookupRetryBaseMs, maxMs: limits.lookupRetryMaxMs }, this.#host.random);
      const timer = this.#host.clock.setTimer(pauseMs, () => {
        this.#timers.delete(timer);
        void this.#try(row);
      });
      this.#timers.add(timer);
    }
  }

  #done(row: Waiting, state: 'answered' | 'failed', answer: unknown): void {
    row.state = state;
    row.answer = answer;
    this.#asking--;
    if (!this.#closed) this.#host.wake();
  }

  /** One try, bounded in time: what does not answer is aborted, and its late answer is not waited for. */
  #call(key: Key): Promise<unknown> {
    const abort = new AbortController();
    this.#aborts.add(abort);
    return new Promise<unknown>((resolve, reject) => {
      const { timeoutMs } = this.#lookup;
      const timer = this.#host.clock.setTimer(timeoutMs, () => {
        reject(new SluiceError('lookup-timeout', `no answer within ${timeoutMs} ms`, { retryable: true }));
        abort.abort();
      });
      abort.signal.addEventListener('abort', () => reject(new SluiceError('lookup-aborted', 'the look-up was given up')));
      const settle = (): void => {
        timer.cancel();
        this.#aborts.delete(abort);
      };
      // The author's function may throw before it gives a promise.
      Promise.resolve()
        .then(() => this.#functions.call(key, { signal: abort.signal }))
        .then(resolve, reject)
        .finally(settle);
    });
  }

  snapshot(): LookupSnapshot {
    const rows = this.#queue.map(
      ({ kind, timestamp, value, origin }): EncodedRow => [
        kind,
        encodeTime(timestamp),
        value ?? null,
        origin === undefined ? null : encodeOrigin(origin),
      ],
    );
    return { rows };
  }

  restore(snapshot: LookupSnapshot): void {
    this.#queue = [];
    this.#queued = 0;
    for (const [kind, timestamp, value, origin] of snapshot.rows) {
      const at = decodeTime(timestamp);
      if (kind === rowKinds.element) {
        this.#enter(value, at, origin === null ? undefined : decodeOrigin(origin));
        // It was counted when it came in first.
        this.#counts.in--;
      } else this.#control(kind, value ?? undefined, at);
    }
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
    for (const abort of this.#aborts) abort.abort();
  }
}

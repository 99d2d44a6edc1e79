/**
 * A look-up by a connector at work: the engine's own operator (topology/operators/lookup/), with
 * its queue, cache, retries and order. The job (Java, LookupOp) makes the requests and says what
 * time it is.
 *
 * Invariants:
 * 1. The author's functions run in `read` and `give` alone, each of which changes nothing: a call
 *    that is interrupted is made again. `enter` and `given` follow when they are through.
 * 2. What a call of it set going is done when it has returned, as promises are: what comes of it is
 *    in the next `poll`.
 */
import { answerOf, noAnswer } from '../../../enrich/lookup/http-answer.ts';
import { keyInAddress } from '../../../enrich/lookup/key-in-address.ts';
import { retryAfter } from '../../../enrich/lookup/retry-after.ts';
import type { Key } from '../../../schemas/kernel/key.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Provenance } from '../../../topology/nodes/sink.ts';
import type { RowKind } from '../../../topology/operators/batch.ts';
import { Batch, rowKinds } from '../../../topology/operators/batch.ts';
import { keyTextOf } from '../../../topology/operators/key-text.ts';
import type {
  IdleState,
  LookupSnapshot,
} from '../../../topology/operators/lookup/lookup-snapshot.ts';
import type { LookupCall, LookupNode } from '../../../topology/operators/lookup/node.ts';
import { LookupOperator } from '../../../topology/operators/lookup/operator.ts';
import type { Call } from '../../../topology/operators/node-parts.ts';
import { noCounts, rejectThrown } from '../../../topology/operators/operator.ts';
import { freezeElements } from '../../../topology/runtime/frozen-values.ts';
import { requireJson } from '../../../topology/state/json-safe.ts';
import type { EncodedTime } from '../../../topology/time/watermark.ts';
import { decodeTime, encodeTime, minTime } from '../../../topology/time/watermark.ts';
import type { NodeRuntime } from './node-runtime.ts';
import { StepClock } from './step-clock.ts';
import { controlText, elementText, originText, readRows, saidText } from './wire.ts';

/** What waits in the operator: an element with the key that its function gave. */
interface Waiting {
  readonly value: unknown;
  readonly key: Key;
}

/** What comes out of it. */
interface Answered {
  readonly value: unknown;
  readonly found?: unknown;
}

interface Asked {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (thrown: unknown) => void;
}

/** Of one part of the operator. */
interface Saved {
  readonly waiting: LookupSnapshot;
  readonly watermark: EncodedTime;
  readonly idle: boolean;
}

export class LookupFunctions {
  readonly #id: string;
  readonly #node: NodeRuntime;
  readonly #lookup: LookupCall;
  readonly #by: Call;
  readonly #combine: Call;
  readonly #clock: StepClock;
  readonly #operator: LookupOperator;
  readonly #asked = new Map<number, Asked>();
  #lastAsked = 0;
  /** Requests to make and to cancel, as lines. */
  #requests = '';
  readonly #rows = new Batch();
  readonly #in = new Batch();
  readonly #out = new Batch();
  /** What the operator rejected, as lines. */
  #rejected = '';
  #watermark = minTime;
  #idle = false;

  constructor(id: string, node: NodeRuntime, nowMs: number, seed: number) {
    const { lookup } = node.plan.nodes.find((one) => one.id === id) as LookupNode;
    this.#id = id;
    this.#node = node;
    this.#lookup = lookup as LookupCall;
    this.#by = node.parts(id).call('by');
    this.#combine = node.parts(id).call('combine');
    this.#clock = new StepClock(nowMs);
    this.#operator = new LookupOperator(
      id,
      this.#lookup,
      {
        by: (waiting) => (waiting as Waiting).key,
        call: (key, { signal }) => this.#ask(key, signal),
        combine: (waiting, found): Answered => {
          const { value } = waiting as Waiting;
          return found === undefined ? { value } : { value, found };
        },
      },
      noCounts(),
      (rejection) => node.reject({ ...rejection, value: (rejection.value as Waiting).value }),
      { clock: this.#clock, random: seededRandom(seed), wake: () => undefined },
    );
  }

  /** Rows come in, with their origins (wire.ts): their keys. Gives what is rejected. */
  read(text: string, origins: string): string {
    this.undo();
    readRows(text, origins, this.#rows);
    if (this.#node.freezes === 'all') freezeElements(this.#rows, 'all');
    for (let i = 0; i < this.#rows.length; i++) {
      const kind = this.#rows.kinds[i] as RowKind;
      const value = this.#rows.values[i];
      const at = this.#rows.timestamps[i] as number;
      const origin = this.#rows.origins[i];
      if (kind === rowKinds.element) this.#read(value, at, origin);
      else this.#in.push(kind, value, at, origin);
    }
    return this.#node.takeRejections();
  }

  #read(value: unknown, at: number, origin: Provenance | undefined): void {
    try {
      const key = this.#by(value) as Key;
      keyTextOf(key, origin);
      this.#in.element({ value, key } satisfies Waiting, at, origin);
    } catch (thrown) {
      rejectThrown(this.#node.reject, this.#id, thrown, value, origin);
    }
  }

  undo(): void {
    this.#rows.clear();
    this.#in.clear();
  }

  /** Those that were read begin to wait. */
  enter(nowMs: number): void {
    this.#clock.moveTo(nowMs);
    this.#operator.process(0, this.#in, [this.#out]);
    this.#rejected += this.#node.takeRejections();
    this.undo();
  }

  /**
   * It is `nowMs`. A line: elements that wait, whether it takes no more (1 or 0), whether there is
   * something to give (1 or 0), when to poll at the latest, or nothing. Then requests: `Q<number>`
   * and the key as it stands in the address; `A<number>`, one that nobody waits for any more.
   */
  poll(nowMs: number): string {
    this.#clock.moveTo(nowMs);
    this.#operator.poll([this.#out]);
    this.#rejected += this.#node.takeRejections();
    const { isFull, backlog } = this.#operator;
    const [full, gives] = [Number(isFull), Number(this.#out.length > 0 || this.#rejected !== '')];
    const requests = this.#requests;
    this.#requests = '';
    return `${backlog} ${full} ${gives} ${this.#clock.next() ?? ''}\n${requests}`;
  }

  #ask(key: Key, signal: AbortSignal): Promise<unknown> {
    const text = keyInAddress(key);
    if (text === undefined) return Promise.resolve(undefined);
    // Its time was over before it was begun: nobody waits for it.
    if (signal.aborted) return new Promise(() => undefined);
    const number = ++this.#lastAsked;
    this.#requests += `Q${number}\n${text}\n`;
    signal.addEventListener('abort', () => {
      if (this.#asked.delete(number)) this.#requests += `A${number}\n`;
    });
    return new Promise((resolve, reject) => {
      this.#asked.set(number, { resolve, reject });
    });
  }

  /**
   * `kind`: `text`, or why there is none: `large`, `bytes` (not UTF-8). `after` and `date`: headers
   * of the answer, empty where it has none.
   */
  answer(
    number: number,
    status: number,
    kind: string,
    body: string,
    after: string,
    date: string,
  ): void {
    this.#settle(number, ({ resolve }) => {
      const headers: Readonly<Record<string, string>> = { 'retry-after': after, date };
      const get = (name: string): string | null => headers[name] || null;
      const isOk = status >= 200 && status < 300;
      const retryAfterMs = isOk ? undefined : retryAfter({ get }, this.#clock.now());
      const text = (): string | undefined => {
        if (kind === 'bytes') throw new Error('not UTF-8');
        return kind === 'large' ? undefined : body;
      };
      resolve(answerOf(this.#lookup.name, { status, retryAfterMs, text }));
    });
  }

  /** The key has no place in the address. */
  nothing(number: number): void {
    this.#settle(number, ({ resolve }) => resolve(undefined));
  }

  failed(number: number, reason: string): void {
    this.#settle(number, () => {
      throw noAnswer(this.#lookup.name, reason);
    });
  }

  #settle(number: number, settle: (asked: Asked) => void): void {
    const asked = this.#asked.get(number);
    if (asked === undefined) return;
    this.#asked.delete(number);
    try {
      settle(asked);
    } catch (thrown) {
      asked.reject(thrown);
    }
  }

  /** What is done, as a segment gives it (wire.ts). */
  give(): string {
    const out = this.#out;
    let given = '';
    for (let i = 0; i < out.length; i++) {
      const at = out.timestamps[i] as number;
      const value = out.values[i];
      switch (out.kinds[i]) {
        case rowKinds.element:
          given += this.#element(value as Answered, at, out.origins[i]);
          break;
        default:
          given += signalText(out.kinds[i] as RowKind, at, value);
      }
    }
    return this.#rejected + this.#node.takeRejections() + given;
  }

  #element({ value, found }: Answered, at: number, origin: Provenance | undefined): string {
    try {
      const made = requireJson(this.#combine(value, found), `what '${this.#id}' returns`);
      const text = JSON.stringify(made);
      return elementText({ output: 0, at, value: text, origin: originText(origin) });
    } catch (thrown) {
      rejectThrown(this.#node.reject, this.#id, thrown, value, origin, [value, found]);
      return '';
    }
  }

  /** It was taken. */
  given(): void {
    for (let i = 0; i < this.#out.length; i++) {
      const kind = this.#out.kinds[i];
      if (kind !== rowKinds.element && isOfSplits(this.#out.values[i])) continue;
      if (kind === rowKinds.watermark) this.#watermark = this.#out.timestamps[i] as number;
      else if (kind === rowKinds.idle) this.#idle = true;
      else if (kind === rowKinds.active) this.#idle = false;
    }
    this.#out.clear();
    this.#rejected = '';
  }

  /** What it said last of time, for what is behind it after a restore. */
  said(): string {
    return saidText(this.#watermark, this.#idle);
  }

  snapshot(): string {
    const { rows, ...rest } = this.#operator.snapshot();
    // What readers say of themselves they say again.
    const waiting = { rows: rows.filter(([kind]) => kind <= rowKinds.splits), ...rest };
    const watermark = encodeTime(this.#watermark);
    return JSON.stringify({ waiting, watermark, idle: this.#idle } satisfies Saved);
  }

  /** `texts`: a JSON array of what parts of it had; several where the parallelism was another. */
  restore(texts: string, nowMs: number): void {
    const saved = (JSON.parse(texts) as string[]).map((text) => JSON.parse(text) as Saved);
    this.#clock.moveTo(nowMs);
    const [only] = saved;
    if (only === undefined) return;
    if (saved.length === 1) {
      this.#watermark = decodeTime(only.watermark);
      this.#idle = only.idle;
      this.#operator.restore(only.waiting);
      return;
    }
    // What each said of time is behind what it said it after; of all together it says nothing.
    const rows = saved.flatMap(({ waiting }) => waiting.rows.filter(([kind]) => !isOfTime(kind)));
    const idle: IdleState = { said: false, told: false };
    this.#operator.restore({ rows, idle });
  }

  close(): void {
    this.#operator.close();
  }
}

const isOfTime = (kind: RowKind): boolean =>
  kind === rowKinds.watermark || kind === rowKinds.idle || kind === rowKinds.active;

/** What is given by hand before event time is set names splits, or is said of all. */
const isOfSplits = (value: unknown): boolean => value !== undefined && value !== true;

function signalText(kind: RowKind, at: number, value: unknown): string {
  if (!isOfTime(kind) || isOfSplits(value)) return controlText(0, kind, at, value);
  if (kind === rowKinds.watermark) return `W${encodeTime(at)}\n`;
  return kind === rowKinds.idle ? 'I\n' : 'A\n';
}

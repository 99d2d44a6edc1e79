/**
 * What an operator in a worker gives, with what caused it: rows of the batch it is given, and
 * timers.
 *
 * Invariant: a timer that was registered for the past fires right after the one that registered
 * it, wherever other keys are. So what is kept of timers is the latest so far of their row.
 */
import type { Provenance } from '../../nodes/sink.ts';
import type { RowKind } from '../../operators/batch.ts';
import { Batch, rowKinds } from '../../operators/batch.ts';
import { Cause } from '../../operators/cause.ts';
import type { Rejection } from '../../operators/operator.ts';
import type { FrozenParts, GivenRejections, GivenRows } from './keyed-workers.ts';
import { firedFlag, sameOriginFlag, sameValueFlag, siblingFlag } from './keyed-workers.ts';

/** What an operator is at work on. */
export class Causes {
  readonly cause: Cause;
  /** The rows that its batch begins after. */
  base = 0;
  #timerRow = -1;
  #time = 0;
  #key = '';

  constructor() {
    this.cause = new Cause((time, key) => this.#fires(time, key));
  }

  /** Before a request. */
  begin(): void {
    this.base = 0;
    this.cause.row = 0;
    this.#timerRow = -1;
  }

  get row(): number {
    return this.base + this.cause.row;
  }

  /** The latest timer of the row so far; undefined while none fired. */
  get fired(): { readonly time: number; readonly key: string } | undefined {
    return this.#timerRow === this.row ? { time: this.#time, key: this.#key } : undefined;
  }

  #fires(time: number, key: string): void {
    const { row } = this;
    const isLater =
      this.#timerRow !== row || time > this.#time || (time === this.#time && key > this.#key);
    if (!isLater) return;
    this.#timerRow = row;
    this.#time = time;
    this.#key = key;
  }
}

/** The rows of the batch that an operator is given. */
export interface InputRows {
  /** Their places in the batch of the coordinator. */
  readonly places: Int32Array;
  readonly batch: Batch;
}

/** Causes by row, as they are sent. */
class CauseColumns {
  readonly rows: number[] = [];
  readonly flags: number[] = [];
  readonly times: number[] = [];
  readonly keys: string[] = [];

  add(causes: Causes): void {
    this.rows.push(causes.row);
    const { fired } = causes;
    this.flags.push(fired === undefined ? 0 : firedFlag);
    if (fired === undefined) return;
    this.times.push(fired.time);
    this.keys.push(fired.key);
  }

  take(places: Int32Array): Pick<GivenRows, 'rows' | 'flags' | 'times' | 'keys'> {
    const taken = {
      rows: Int32Array.from(this.rows, (row) => places[row] ?? -1),
      flags: Uint8Array.from(this.flags),
      times: [...this.times],
      keys: [...this.keys],
    };
    this.rows.length = 0;
    this.flags.length = 0;
    this.times.length = 0;
    this.keys.length = 0;
    return taken;
  }
}

/** An output of an operator in a worker. */
export class CausedBatch extends Batch {
  readonly #causes: Causes;
  readonly #columns = new CauseColumns();

  constructor(causes: Causes) {
    super();
    this.#causes = causes;
  }

  override push(
    kind: RowKind,
    value: unknown,
    timestamp: number,
    origin: Provenance | undefined,
  ): void {
    super.push(kind, value, timestamp, origin);
    this.#columns.add(this.#causes);
  }

  /** What was given, to be sent; the batch is empty afterwards. */
  take({ batch, places }: InputRows): GivenRows {
    const [values, origins, frozen] = [[] as unknown[], [] as unknown[], [] as FrozenParts[]];
    const { flags } = this.#columns;
    for (let i = 0; i < this.length; i++) {
      const row = this.#columns.rows[i] as number;
      const value = this.values[i];
      let flag = flags[i] as number;
      // Of control only a watermark's value is sent here: the others come back as they were.
      if (this.kinds[i] === batch.kinds[row] && value === batch.values[row]) flag |= sameValueFlag;
      else {
        values.push(value);
        frozen.push(frozenPartsOf(value));
      }
      flags[i] = flag | sendOrigin(this.origins[i], batch.origins[row], origins);
    }
    const given: GivenRows = {
      kinds: Uint8Array.from(this.kinds),
      timestamps: Float64Array.from(this.timestamps),
      values,
      origins,
      frozen,
      ...this.#columns.take(places),
    };
    this.clear();
    return given;
  }
}

/** The rejections of an operator in a worker. */
export class CausedRejections {
  readonly #causes: Causes;
  readonly #columns = new CauseColumns();
  readonly #rejections: Rejection[] = [];

  constructor(causes: Causes) {
    this.#causes = causes;
  }

  add(rejection: Rejection): void {
    this.#rejections.push(rejection);
    this.#columns.add(this.#causes);
  }

  take({ batch, places }: InputRows): GivenRejections {
    const [values, origins] = [[] as unknown[], [] as unknown[]];
    const { rows, flags } = this.#columns;
    const reasons = this.#rejections.map(({ value, origin, ...reason }, i) => {
      const row = rows[i] as number;
      let flag = flags[i] as number;
      if (batch.kinds[row] === rowKinds.element && value === batch.values[row])
        flag |= sameValueFlag;
      else values.push(value);
      flags[i] = flag | sendOrigin(origin, batch.origins[row], origins);
      return reason;
    });
    this.#rejections.length = 0;
    return { reasons, values, origins, ...this.#columns.take(places) };
  }
}

/** Says how an origin is sent, and puts into `sent` what is. `own`: that of the row. */
function sendOrigin(
  origin: Provenance | undefined,
  own: Provenance | undefined,
  sent: unknown[],
): number {
  if (origin === own) return sameOriginFlag;
  const isSibling = origin !== undefined && own !== undefined && origin.derived === own.derived;
  sent.push(isSibling ? origin.element : origin);
  return isSibling ? siblingFlag : 0;
}

/** What a copy has to freeze to be as frozen as `value`. */
function frozenPartsOf(value: unknown): FrozenParts {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Object.isFrozen(value)) return true;
  let found: [member: string, parts: FrozenParts][] | undefined;
  for (const [member, part] of Object.entries(value)) {
    const parts = frozenPartsOf(part);
    if (parts !== undefined) (found ??= []).push([member, parts]);
  }
  return found;
}

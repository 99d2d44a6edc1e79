/**
 * What several workers gave, in the order in which one operator would have given it.
 *
 * Invariants:
 * 1. The order is that of the rows that caused it; of one row that of the timers that fired, by
 *    time, then by key: of these no two workers have the same.
 * 2. Control is what each worker gives alike: between two of its rows elements are put in order,
 *    and it comes out once.
 */
import { assert } from '../../../schemas/kernel/assert.ts';
import type { Provenance } from '../../nodes/sink.ts';
import type { Batch, RowKind } from '../../operators/batch.ts';
import { rowKinds } from '../../operators/batch.ts';
import type { Rejection } from '../../operators/operator.ts';
import { freeze } from '../../state/freeze.ts';
import { withElement } from '../../state/origin.ts';
import type { CausedRows, FrozenParts, GivenRejections, GivenRows } from './keyed-workers.ts';
import { firedFlag, sameOriginFlag, sameValueFlag, siblingFlag } from './keyed-workers.ts';

/** Puts what the workers gave to one output into `out`. `input`: the batch that they were given. */
export function mergeRows(given: readonly GivenRows[], input: Batch, out: Batch): void {
  const readers = given.map((rows) => new RowReader(rows, input));
  for (;;) {
    const next = first(readers.filter((reader) => reader.isElement));
    if (next !== undefined) {
      next.giveTo(out);
      next.step();
      continue;
    }
    const [one, ...others] = readers;
    if (one === undefined || one.isOver) {
      assert(
        others.every(({ isOver }) => isOver),
        'all workers give the same control',
      );
      return;
    }
    one.giveTo(out);
    for (const reader of readers) {
      assert(!reader.isOver, 'all workers give the same control');
      reader.step();
    }
  }
}

/** Tells `each` the rejections, with the row that caused each. */
export function mergeRejections(
  given: readonly GivenRejections[],
  input: Batch,
  each: (rejection: Rejection, row: number) => void,
): void {
  const readers = given.map((rejections) => new RejectionReader(rejections, input));
  for (;;) {
    const next = first(readers.filter((reader) => !reader.isOver));
    if (next === undefined) return;
    each(next.rejection(), next.row);
    next.step();
  }
}

/** The one whose row comes before those of the others. */
function first<R extends CauseReader>(readers: readonly R[]): R | undefined {
  let found: R | undefined;
  for (const reader of readers) if (found === undefined || reader.isBefore(found)) found = reader;
  return found;
}

/** Stands at one row after the other. */
abstract class CauseReader {
  row = -1;
  protected at = -1;
  protected flag = 0;
  readonly #caused: CausedRows;
  #fired = -1;
  #time = 0;
  #key = '';

  constructor(caused: CausedRows) {
    this.#caused = caused;
  }

  get isOver(): boolean {
    return this.at >= this.#caused.rows.length;
  }

  isBefore(other: CauseReader): boolean {
    if (this.row !== other.row) return this.row < other.row;
    if (this.#time !== other.#time) return this.#time < other.#time;
    return this.#key < other.#key;
  }

  step(): void {
    const { rows, flags, times, keys } = this.#caused;
    this.at++;
    if (this.isOver) return;
    this.row = rows[this.at] as number;
    this.flag = flags[this.at] as number;
    const isFired = (this.flag & firedFlag) !== 0;
    if (isFired) this.#fired++;
    this.#time = isFired ? (times[this.#fired] as number) : Number.NEGATIVE_INFINITY;
    this.#key = isFired ? (keys[this.#fired] as string) : '';
  }
}

class RowReader extends CauseReader {
  readonly #given: GivenRows;
  readonly #input: Batch;
  #value = 0;
  #origin = 0;

  constructor(given: GivenRows, input: Batch) {
    super(given);
    this.#given = given;
    this.#input = input;
    this.step();
  }

  get isElement(): boolean {
    return !this.isOver && this.#given.kinds[this.at] === rowKinds.element;
  }

  giveTo(out: Batch): void {
    const { kinds, timestamps } = this.#given;
    const kind = kinds[this.at] as RowKind;
    out.push(kind, this.#valueOf(), timestamps[this.at] as number, this.#originOf());
  }

  override step(): void {
    if (this.at >= 0) {
      if ((this.flag & sameValueFlag) === 0) this.#value++;
      if ((this.flag & sameOriginFlag) === 0) this.#origin++;
    }
    super.step();
  }

  #valueOf(): unknown {
    if ((this.flag & sameValueFlag) !== 0) return this.#input.values[this.row];
    const value = this.#given.values[this.#value];
    freezeParts(value, this.#given.frozen[this.#value]);
    return value;
  }

  #originOf(): Provenance | undefined {
    return originOf(this.flag, this.#input.origins[this.row], this.#given.origins[this.#origin]);
  }
}

class RejectionReader extends CauseReader {
  readonly #given: GivenRejections;
  readonly #input: Batch;
  #value = 0;
  #origin = 0;

  constructor(given: GivenRejections, input: Batch) {
    super(given);
    this.#given = given;
    this.#input = input;
    this.step();
  }

  /** Of where it stands; asked once. */
  rejection(): Rejection {
    const reason = this.#given.reasons[this.at] as GivenRejections['reasons'][number];
    const own = this.#input.origins[this.row];
    const isSame = (this.flag & sameOriginFlag) !== 0;
    const isValue = (this.flag & sameValueFlag) !== 0;
    return {
      ...reason,
      value: isValue ? this.#input.values[this.row] : this.#given.values[this.#value++],
      origin: originOf(this.flag, own, isSame ? undefined : this.#given.origins[this.#origin++]),
    };
  }
}

/** `sent`: what came in the place of an origin that is not the row's. */
function originOf(
  flag: number,
  own: Provenance | undefined,
  sent: unknown,
): Provenance | undefined {
  if ((flag & sameOriginFlag) !== 0) return own;
  if ((flag & siblingFlag) !== 0) return withElement(own as Provenance, sent as string);
  return sent as Provenance | undefined;
}

function freezeParts(value: unknown, parts: FrozenParts): void {
  if (parts === undefined) return;
  if (parts === true) {
    freeze(value);
    return;
  }
  for (const [member, of] of parts)
    freezeParts((value as Readonly<Record<string, unknown>>)[member], of);
}

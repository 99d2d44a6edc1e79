/**
 * The queue of an asynchronous look-up: elements and control in the order in which they came, some
 * of them already taken up, some not yet.
 *
 * Invariants:
 * 1. What was taken up is before everything that was not; control is taken up with the element
 *    before it.
 * 2. Rows leave from the front. `overtaking` lets finished elements leave from among those before
 *    the first control that is not a tick: a tick only waits for what came before it.
 * 3. No operation steps over rows that wait behind, so that a long queue costs no more for each
 *    answer than a short one.
 * 4. Control does not pile up while elements wait: of two of one kind with no element and no other
 *    signal between, the later says all. Ticks of two sources are not of one kind.
 */
import type { Heard } from '../../time/watermark.ts';
import type { RowKind } from '../batch.ts';
import { rowKinds } from '../batch.ts';

export interface WaitingRow {
  readonly kind: RowKind;
  readonly value: unknown;
  readonly timestamp: number;
  /** Of an element: it may leave. */
  finished: boolean;
  /** Of an element: about what it takes, with its answer once there is one. */
  bytes: number;
}

/** Left rows are forgotten in bulk. */
const compactRows = 1_024;

const replaceable: ReadonlySet<RowKind> = new Set([rowKinds.watermark, rowKinds.tick]);

const sourceOf = (tick: unknown): string | undefined => (tick as Heard | undefined)?.source;

export class WaitingRows<E extends WaitingRow> {
  readonly #rows: (E | WaitingRow)[] = [];
  #head = 0;
  /** The first that was not taken up. */
  #next = 0;
  #elements = 0;
  #bytes = 0;

  /** Elements inside. */
  get elements(): number {
    return this.#elements;
  }

  /** About what they take. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#head === this.#rows.length;
  }

  /** Whether an element was not taken up yet. */
  get hasUntaken(): boolean {
    return this.#next < this.#rows.length;
  }

  element(row: E): void {
    this.#rows.push(row);
    this.#elements++;
    this.#bytes += row.bytes;
  }

  /** An element that is inside takes more: its answer has come. */
  grow(row: E, bytes: number): void {
    row.bytes += bytes;
    this.#bytes += bytes;
  }

  control(kind: RowKind, value: unknown, timestamp: number): void {
    if (replaceable.has(kind)) this.#dropEarlier(kind, value);
    this.#rows.push({ kind, value, timestamp, finished: true, bytes: 0 });
  }

  #dropEarlier(kind: RowKind, value: unknown): void {
    for (let i = this.#rows.length - 1; i >= this.#head; i--) {
      const row = this.#rows[i] as WaitingRow;
      if (!replaceable.has(row.kind)) return;
      if (
        row.kind !== kind ||
        (kind === rowKinds.tick ? sourceOf(row.value) !== sourceOf(value) : row.value !== value)
      )
        continue;
      this.#rows.splice(i, 1);
      if (i < this.#next) this.#next--;
      return;
    }
  }

  /** Takes elements up in order, as long as `take` takes them. */
  takeUp(take: (row: E) => boolean): void {
    for (; this.#next < this.#rows.length; this.#next++) {
      const row = this.#rows[this.#next] as E | WaitingRow;
      if (row.kind === rowKinds.element && !take(row as E)) return;
    }
  }

  /** Gives what may leave, in the order in which it came; says whether there was something. */
  leave(overtaking: boolean, give: (row: E | WaitingRow) => void): boolean {
    const before = this.#head;
    while (this.#head < this.#next && this.#at(this.#head).finished)
      this.#give(this.#at(this.#head++), give);
    if (overtaking) this.#overtake(give);
    const gave = this.#head > before;
    this.#compact();
    return gave;
  }

  /** Those that stay move up to the control that none may pass, which is after them all. */
  #overtake(give: (row: E | WaitingRow) => void): void {
    let end = this.#head;
    let finished = 0;
    for (; end < this.#next; end++) {
      const { kind } = this.#at(end);
      if (kind !== rowKinds.element && kind !== rowKinds.tick) break;
      if (!this.#mayLeave(end)) continue;
      finished++;
      this.#give(this.#at(end), give);
    }
    if (finished === 0) return;
    let write = end;
    for (let read = end - 1; read >= this.#head; read--)
      if (!this.#mayLeave(read)) this.#rows[--write] = this.#at(read);
    this.#head = write;
  }

  #mayLeave(index: number): boolean {
    const row = this.#at(index);
    return row.kind === rowKinds.element && row.finished;
  }

  #give(row: E | WaitingRow, give: (row: E | WaitingRow) => void): void {
    if (row.kind === rowKinds.element) this.#elements--;
    this.#bytes -= row.bytes;
    give(row);
  }

  #at(index: number): E | WaitingRow {
    return this.#rows[index] as E | WaitingRow;
  }

  #compact(): void {
    if (
      this.#head < this.#rows.length &&
      (this.#head < compactRows || this.#head * 2 < this.#rows.length)
    )
      return;
    this.#rows.splice(0, this.#head);
    this.#next -= this.#head;
    this.#head = 0;
  }

  /** What waits, in order. */
  rows(): readonly (E | WaitingRow)[] {
    return this.#rows.slice(this.#head);
  }

  clear(): void {
    this.#rows.length = 0;
    this.#head = 0;
    this.#next = 0;
    this.#elements = 0;
    this.#bytes = 0;
  }
}

/**
 * A binary heap of numbered places by time, in typed arrays: no object a timer. Where nothing is
 * removed but the first, and the times are kept elsewhere, slot-heap.ts costs less.
 *
 * Invariants:
 * 1. A place is in it at most once. To come and to go, from wherever it is, costs O(log n).
 * 2. Places of one time are in no order.
 */
import { times, wholes } from './chunked.ts';

export class PlaceHeap {
  readonly #heap = wholes();
  // By place: its time, and where it is in the heap plus one; 0: it is not.
  readonly #times = times();
  readonly #found = wholes();
  #size = 0;

  /** The earliest time, or undefined when there is none. */
  get next(): number | undefined {
    return this.#size === 0 ? undefined : this.#timeAt(0);
  }

  /** A place of the earliest time, or undefined when there is none. */
  get first(): number | undefined {
    return this.#size === 0 ? undefined : this.#heap.get(0);
  }

  /** Adds a place that is not in it. */
  add(place: number, time: number): void {
    while (this.#found.length <= place) {
      this.#found.push(0);
      this.#times.push(0);
    }
    this.#times.set(place, time);
    if (this.#size === this.#heap.length) this.#heap.push(0);
    this.#rise(this.#size++, place);
  }

  /** Removes a place, where it is in it. */
  remove(place: number): void {
    const found = place < this.#found.length ? this.#found.get(place) : 0;
    if (found === 0) return;
    this.#found.set(place, 0);
    this.#size--;
    const at = found - 1;
    if (at === this.#size) return;
    const moved = this.#heap.get(this.#size);
    const isEarlier = at > 0 && this.#times.get(moved) < this.#timeAt((at - 1) >> 1);
    if (isEarlier) this.#rise(at, moved);
    else this.#sink(at, moved);
  }

  /** Visits the places of the earliest time; `visit` changes nothing. */
  visitFirst(visit: (place: number) => void): void {
    const first = this.next;
    const waiting = first === undefined ? [] : [0];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      visit(this.#heap.get(at));
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < this.#size && this.#timeAt(child) === first) waiting.push(child);
    }
  }

  clear(): void {
    for (const column of [this.#heap, this.#times, this.#found]) column.clear();
    this.#size = 0;
  }

  #timeAt(at: number): number {
    return this.#times.get(this.#heap.get(at));
  }

  #rise(from: number, place: number): void {
    const time = this.#times.get(place);
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#timeAt(parent) <= time) break;
      this.#put(at, this.#heap.get(parent));
      at = parent;
    }
    this.#put(at, place);
  }

  #sink(from: number, place: number): void {
    const time = this.#times.get(place);
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      if (child + 1 < this.#size && this.#timeAt(child + 1) < this.#timeAt(child)) child++;
      if (this.#timeAt(child) >= time) break;
      this.#put(at, this.#heap.get(child));
      at = child;
    }
    this.#put(at, place);
  }

  #put(at: number, place: number): void {
    this.#heap.set(at, place);
    this.#found.set(place, at + 1);
  }
}

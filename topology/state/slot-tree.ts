/**
 * Slots in the order of their times, at equal times of their numbers of arrival: any number of
 * trees over the same columns, in 8 bytes a slot. They are treaps: a slot's priority is a hash of
 * it under a seed, so that nobody who chooses times makes a tree deep. Each operation makes
 * O(log n) steps of the tree's n slots.
 *
 * Invariants:
 * 1. A tree is known by its root; 0 is the empty one, and no slot. A slot is in one tree at most.
 * 2. A slot's time and arrival do not change while it is in a tree.
 *
 * Source: R. Seidel and C. R. Aragon, Randomized search trees, Algorithmica 16, 1996.
 */
import { wholes } from './chunked.ts';
import type { SlotTimes } from './slot-heap.ts';

export class SlotTree {
  readonly #times: SlotTimes;
  readonly #arrivals: SlotTimes;
  readonly #seed: number;
  readonly #left = wholes();
  readonly #right = wholes();

  constructor(times: SlotTimes, arrivals: SlotTimes, seed: number) {
    this.#times = times;
    this.#arrivals = arrivals;
    this.#seed = seed;
  }

  /** The root of the tree with one more slot. */
  insert(root: number, slot: number): number {
    while (this.#left.length <= slot) {
      this.#left.push(0);
      this.#right.push(0);
    }
    const priority = this.#priority(slot);
    let [above, isLeft, at] = [0, false, root];
    while (at !== 0 && this.#priority(at) >= priority) {
      above = at;
      isLeft = this.#isBefore(slot, at);
      at = isLeft ? this.#left.get(at) : this.#right.get(at);
    }
    this.#split(at, slot);
    if (above === 0) return slot;
    (isLeft ? this.#left : this.#right).set(above, slot);
    return root;
  }

  /** The root of the tree without one of its slots. */
  remove(root: number, slot: number): number {
    const below = this.#merged(this.#left.get(slot), this.#right.get(slot));
    if (root === slot) return below;
    let at = root;
    for (;;) {
      const side = this.#isBefore(slot, at) ? this.#left : this.#right;
      const next = side.get(at);
      if (next === slot) {
        side.set(at, below);
        return root;
      }
      at = next;
    }
  }

  /** Calls `visit` for each slot with from <= time <= to, in order. */
  range(root: number, from: number, to: number, visit: (slot: number) => void): void {
    if (root === 0) return;
    const time = this.#times.get(root);
    if (time >= from) this.range(this.#left.get(root), from, to, visit);
    if (time >= from && time <= to) visit(root);
    if (time <= to) this.range(this.#right.get(root), from, to, visit);
  }

  /** The slots of a tree that come before `slot` become its left ones, the others its right ones. */
  #split(root: number, slot: number): void {
    const [lefts, rights] = [this.#left, this.#right];
    // Where the next slot of each part is put: below the last one of it.
    let [before, after] = [slot, slot];
    let at = root;
    while (at !== 0) {
      if (this.#isBefore(at, slot)) {
        (before === slot ? lefts : rights).set(before, at);
        before = at;
        at = rights.get(at);
      } else {
        (after === slot ? rights : lefts).set(after, at);
        after = at;
        at = lefts.get(at);
      }
    }
    (before === slot ? lefts : rights).set(before, 0);
    (after === slot ? rights : lefts).set(after, 0);
  }

  /** One tree of two, where all of the first come before all of the second. */
  #merged(first: number, second: number): number {
    if (first === 0) return second;
    if (second === 0) return first;
    if (this.#priority(first) >= this.#priority(second)) {
      this.#right.set(first, this.#merged(this.#right.get(first), second));
      return first;
    }
    this.#left.set(second, this.#merged(first, this.#left.get(second)));
    return second;
  }

  #isBefore(slot: number, other: number): boolean {
    const [time, its] = [this.#times.get(slot), this.#times.get(other)];
    return time < its || (time === its && this.#arrivals.get(slot) < this.#arrivals.get(other));
  }

  /** Thirty-two bits that look random (the finalizer of MurmurHash3). */
  #priority(slot: number): number {
    let hash = slot ^ this.#seed;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return hash ^ (hash >>> 16);
  }
}

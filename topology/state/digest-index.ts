/**
 * Finds the number of an entry by its 128-bit digest: hash tables with open addressing, one for
 * each of `parts` ranges of digests, so that one that grows moves a small part of all.
 *
 * Invariants:
 * 1. No table is more than three quarters full: a search ends at a free slot.
 * 2. A removed entry leaves no mark: those behind it move up (Knuth, The Art of Computer
 *    Programming 3, 6.4, algorithm R).
 */

/** Where the digests of entries are, 4 words each: word `w` of entry `n` is at 4 * n + w. */
export interface Digests {
  get(index: number): number;
}

const parts = 4_096;
const firstSlots = 8;

interface Part {
  /** Numbers of entries plus one; 0: free. */
  slots: Uint32Array;
  count: number;
}

export class DigestIndex {
  readonly #digests: Digests;
  readonly #parts: (Part | undefined)[] = new Array<Part | undefined>(parts).fill(undefined);

  constructor(digests: Digests) {
    this.#digests = digests;
  }

  /** The number of the entry with this digest; -1 where there is none. */
  find(digest: Uint32Array): number {
    const part = this.#parts[(digest[0] as number) % parts];
    if (part === undefined) return -1;
    const { slots } = part;
    const mask = slots.length - 1;
    for (let at = (digest[1] as number) & mask; ; at = (at + 1) & mask) {
      const slot = slots[at] as number;
      if (slot === 0) return -1;
      if (this.#isAt(slot - 1, digest)) return slot - 1;
    }
  }

  /** Adds an entry whose digest is stored, and is not there yet. */
  add(number: number): void {
    const index = (this.#digests.get(4 * number) as number) % parts;
    const part = (this.#parts[index] ??= { slots: new Uint32Array(firstSlots), count: 0 });
    if ((part.count + 1) * 4 > part.slots.length * 3) this.#grow(part);
    this.#put(part.slots, number);
    part.count++;
  }

  /** The entry `number` gives its place to `next`, which has the same digest. */
  replace(number: number, next: number): void {
    const found = this.#place(number);
    if (found !== undefined) found.part.slots[found.at] = next + 1;
  }

  /** Removes an entry whose digest is still stored; one that is not there was replaced. */
  remove(number: number): void {
    const found = this.#place(number);
    if (found === undefined) return;
    const { slots } = found.part;
    const mask = slots.length - 1;
    let free = found.at;
    for (let at = (free + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const wanted = this.#digests.get(4 * ((slots[at] as number) - 1) + 1) & mask;
      // Whether `wanted` is not between the free slot and this one, cyclically.
      if (((at - wanted) & mask) < ((at - free) & mask)) continue;
      slots[free] = slots[at] as number;
      free = at;
    }
    slots[free] = 0;
    found.part.count--;
  }

  clear(): void {
    this.#parts.fill(undefined);
  }

  #place(number: number): { readonly part: Part; readonly at: number } | undefined {
    const part = this.#parts[this.#digests.get(4 * number) % parts];
    if (part === undefined) return undefined;
    const { slots } = part;
    const mask = slots.length - 1;
    for (let at = this.#digests.get(4 * number + 1) & mask; slots[at] !== 0; at = (at + 1) & mask)
      if (slots[at] === number + 1) return { part, at };
    return undefined;
  }

  #isAt(number: number, digest: Uint32Array): boolean {
    const digests = this.#digests;
    for (let word = 0; word < 4; word++)
      if (digests.get(4 * number + word) !== digest[word]) return false;
    return true;
  }

  #grow(part: Part): void {
    const slots = new Uint32Array(part.slots.length * 2);
    for (const slot of part.slots) if (slot !== 0) this.#put(slots, slot - 1);
    part.slots = slots;
  }

  #put(slots: Uint32Array, number: number): void {
    const mask = slots.length - 1;
    let at = this.#digests.get(4 * number + 1) & mask;
    while (slots[at] !== 0) at = (at + 1) & mask;
    slots[at] = number + 1;
  }
}

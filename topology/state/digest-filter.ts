/**
 * Tells in which file a digest may be, in 4 bytes a digest: a hash table of parts of digests, each
 * with its file. Divided as DigestIndex is, so that one that grows moves a small part of all.
 *
 * Invariants:
 * 1. No table is more than three quarters full: a search ends at a free slot.
 * 2. Where a slot belongs follows from what is in it, so that those behind a removed one move up
 *    (Knuth, The Art of Computer Programming 3, 6.4, algorithm R).
 */

const parts = 4_096;
const firstSlots = 8;
/** Of a digest's second word. What else tells them apart is the part: 31 bits in all. */
const tagBits = 19;
const tagMask = (1 << tagBits) - 1;
/** A slot has the number of the file plus one, above the tag; 0: free. */
export const filesMax = (1 << (32 - tagBits)) - 1;

interface Part {
  slots: Uint32Array;
  count: number;
}

export class DigestFilter {
  readonly #parts: (Part | undefined)[] = new Array<Part | undefined>(parts).fill(undefined);
  #slots = 0;

  get heldBytes(): number {
    return 4 * this.#slots;
  }

  add(first: number, second: number, file: number): void {
    const part = this.#partOf(first);
    if ((part.count + 1) * 4 > part.slots.length * 3) this.#grow(part);
    put(part.slots, slotOf(second, file));
    part.count++;
  }

  /** Removes a digest of a file; there is one. */
  remove(first: number, second: number, file: number): void {
    const part = this.#partOf(first);
    const { slots } = part;
    const mask = slots.length - 1;
    const slot = slotOf(second, file);
    let free = second & tagMask & mask;
    while (slots[free] !== slot) free = (free + 1) & mask;
    for (let at = (free + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const wanted = (slots[at] as number) & tagMask & mask;
      // Whether `wanted` is not between the free slot and this one, cyclically.
      if (((at - wanted) & mask) < ((at - free) & mask)) continue;
      slots[free] = slots[at] as number;
      free = at;
    }
    slots[free] = 0;
    part.count--;
  }

  /** Whether `isIn` says so of one of the files in which the digest may be. */
  some(first: number, second: number, isIn: (file: number) => boolean): boolean {
    const slots = this.#parts[first % parts]?.slots;
    if (slots === undefined) return false;
    const mask = slots.length - 1;
    const tag = second & tagMask;
    for (let at = tag & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const slot = slots[at] as number;
      if ((slot & tagMask) === tag && isIn((slot >>> tagBits) - 1)) return true;
    }
    return false;
  }

  clear(): void {
    this.#parts.fill(undefined);
    this.#slots = 0;
  }

  #partOf(first: number): Part {
    const index = first % parts;
    const there = this.#parts[index];
    if (there !== undefined) return there;
    this.#slots += firstSlots;
    const made = { slots: new Uint32Array(firstSlots), count: 0 };
    this.#parts[index] = made;
    return made;
  }

  #grow(part: Part): void {
    const slots = new Uint32Array(part.slots.length * 2);
    this.#slots += part.slots.length;
    for (const slot of part.slots) if (slot !== 0) put(slots, slot);
    part.slots = slots;
  }
}

function slotOf(second: number, file: number): number {
  return (((file + 1) << tagBits) | (second & tagMask)) >>> 0;
}

function put(slots: Uint32Array, slot: number): void {
  const mask = slots.length - 1;
  let at = slot & tagMask & mask;
  while (slots[at] !== 0) at = (at + 1) & mask;
  slots[at] = slot;
}

/**
 * Finds the entry of an identity: open addressing with linear probing over references of 32 bits,
 * in one piece of memory that never grows, so that no insertion ever waits for a rehash. An entry
 * that goes leaves no mark: those after it move up (Knuth, The Art of Computer Programming, volume
 * 3, section 6.4, algorithm R).
 *
 * Invariant: at most two thirds of the places are used; its owner limits the entries.
 */
import { assert } from '../../schemas/kernel/assert.ts';

/** Where the entries are that the references lead to. */
export interface Entries {
  /** The first 32 bits of an entry's identity: where its place is looked for. */
  wordOf(reference: number): number;
  holds(reference: number, identity: string): boolean;
}

const none = 0;

export class IdentityTable {
  readonly #places: Uint32Array;
  readonly #mask: number;
  readonly #entries: Entries;
  #size = 0;

  constructor(maxEntries: number, entries: Entries) {
    const places = 2 ** Math.ceil(Math.log2(maxEntries * 1.5));
    this.#places = new Uint32Array(places);
    this.#mask = places - 1;
    this.#entries = entries;
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#places.byteLength;
  }

  /** The reference to the entry of `identity`, whose first 32 bits are `word`; 0 for none. */
  find(word: number, identity: string): number {
    return this.#places[this.#placeOf(word, identity)] as number;
  }

  /** In place of an earlier entry of the same identity. `reference` is not 0. */
  put(word: number, identity: string, reference: number): void {
    const place = this.#placeOf(word, identity);
    if (this.#places[place] === none) this.#size++;
    this.#places[place] = reference;
    assert(this.#size <= (this.#mask + 1) * (2 / 3), 'the table of identities has room');
  }

  /** False: the identity has another entry by now. */
  delete(reference: number): boolean {
    const places = this.#places;
    let hole = this.#entries.wordOf(reference) & this.#mask;
    while (places[hole] !== reference) {
      if (places[hole] === none) return false;
      hole = (hole + 1) & this.#mask;
    }
    this.#size--;
    for (let at = (hole + 1) & this.#mask; places[at] !== none; at = (at + 1) & this.#mask) {
      const home = this.#entries.wordOf(places[at] as number) & this.#mask;
      // It may move up when its own place is not between the hole and where it is.
      if (((at - home) & this.#mask) < ((at - hole) & this.#mask)) continue;
      places[hole] = places[at] as number;
      hole = at;
    }
    places[hole] = none;
    return true;
  }

  /** Where the identity is, or would be. */
  #placeOf(word: number, identity: string): number {
    const places = this.#places;
    let place = word & this.#mask;
    for (let found = places[place] as number; found !== none; found = places[place] as number) {
      if (this.#entries.holds(found, identity)) return place;
      place = (place + 1) & this.#mask;
    }
    return place;
  }
}

/**
 * Which keys come to rest when there are too many live ones: a round over all, in which those that
 * were used since the last pass stay (the clock algorithm, which is about the least recently used).
 *
 * Source: F. J. Corbató, A paging experiment with the Multics system, 1968.
 */

/** What a live key carries for it: false as it comes to life, true when it is used again. */
export interface Used {
  isUsed: boolean;
}

/** Keys that are looked at, at most, after a batch or a part of it. */
export const restLooksMax = 4_096;
/** The same after each timer that fires. */
export const restLooksPerTimer = 8;

/** What an object and its parts take, in bytes, however little is in them; then for each byte of its entry. */
const objectBytes = 512;
const bytesPerEntryByte = 10;

/** What live objects take, about, whose entries take `entryBytes` each. */
export function liveBytes(objects: number, entryBytes: number): number {
  return objects * (objectBytes + bytesPerEntryByte * entryBytes);
}

export class RestRound<K extends Used> {
  readonly #keys: ReadonlyMap<string, K>;
  readonly #rest: (key: K) => void;
  #round: Iterator<K> | undefined;

  /** `rest` removes a key from `keys`, unless it may not rest now. */
  constructor(keys: ReadonlyMap<string, K>, rest: (key: K) => void) {
    this.#keys = keys;
    this.#rest = rest;
  }

  /** Looks at `looks` keys at most, while there are too many. */
  run(looks: number, isOver: () => boolean): void {
    for (let left = looks; left > 0 && isOver(); left--) {
      this.#round ??= this.#keys.values();
      const { value: key, done } = this.#round.next();
      if (done === true) {
        this.#round = undefined;
        continue;
      }
      if (key.isUsed) key.isUsed = false;
      else this.#rest(key);
    }
  }
}

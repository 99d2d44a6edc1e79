/**
 * Which keys come to rest when there are too many live ones: a round over all, in which those that
 * were used since the last pass stay (the clock algorithm, which is about the least recently used).
 *
 * Invariant: a run goes round once at most. What was used since the run before stays, however much
 * is live: it would come to life again with the next batch.
 *
 * Source: F. J. Corbató, A paging experiment with the Multics system, 1968.
 */

/**
 * What a live key carries for it: true when an element uses it that was in state before; false as it
 * is made, or comes to life for a timer.
 */
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

export class RestRound<K> {
  readonly #keys: ReadonlyMap<string, K>;
  readonly #look: (key: K) => number;
  #round: Iterator<K> | undefined;

  /**
   * `look` takes back that a key was used, or removes it from `keys`, unless it may not rest now.
   * Gives what it looked at: one, or the parts of the key that rest apart.
   */
  constructor(keys: ReadonlyMap<string, K>, look: (key: K) => number) {
    this.#keys = keys;
    this.#look = look;
  }

  /** While there are too many, looks at `looks` keys or parts of them; the last key is ended. */
  run(looks: number, isOver: () => boolean): void {
    let left = looks;
    for (let keys = this.#keys.size; keys > 0 && left > 0 && isOver(); ) {
      this.#round ??= this.#keys.values();
      const { value: key, done } = this.#round.next();
      if (done === true) {
        this.#round = undefined;
        continue;
      }
      left -= this.#look(key);
      keys--;
    }
  }
}

/**
 * The keys of the rows of a join, by number: where the rows of each are, left and right.
 *
 * Invariants:
 * 1. A key is known by the digest of its text. It has a number as long as it has a row; the number
 *    is another key's after that.
 * 2. Digests are under a secret of this run: they are in no checkpoint.
 */
import type { Random } from '../../../schemas/kernel/random.ts';
import { wholes } from '../../state/chunked.ts';
import type { KeyDigest } from '../../state/digest.ts';
import { keyDigest, newDigestSecret } from '../../state/digest.ts';
import { DigestIndex } from '../../state/digest-index.ts';

export type Side = 0 | 1;

export class JoinKeys {
  readonly #digest: KeyDigest;
  readonly #words = new Uint32Array(4);
  readonly #digests = wholes();
  readonly #index = new DigestIndex(this.#digests);
  /** By side and number: the root of the tree of the rows; of a free number the next free one. */
  readonly #roots = [wholes(), wholes()] as const;
  /** The last of the free numbers plus one. */
  #free = 0;

  constructor(random: Random) {
    this.#digest = keyDigest(newDigestSecret(random));
  }

  /** The number of a key, which is to have a row. */
  numberOf(key: string): number {
    this.#digest(key, this.#words);
    const found = this.#index.find(this.#words);
    if (found >= 0) return found;
    const number = this.#number();
    for (let word = 0; word < 4; word++)
      this.#digests.set(4 * number + word, this.#words[word] as number);
    this.#index.add(number);
    return number;
  }

  /** 0: there are no rows. */
  rootOf(side: Side, number: number): number {
    return this.#roots[side].get(number);
  }

  setRoot(side: Side, number: number, root: number): void {
    this.#roots[side].set(number, root);
    if (root !== 0 || this.#roots[side === 0 ? 1 : 0].get(number) !== 0) return;
    this.#index.remove(number);
    this.#roots[0].set(number, this.#free);
    this.#free = number + 1;
  }

  #number(): number {
    if (this.#free > 0) {
      const number = this.#free - 1;
      this.#free = this.#roots[0].get(number);
      this.#roots[0].set(number, 0);
      return number;
    }
    const number = this.#roots[0].length;
    for (let word = 0; word < 4; word++) this.#digests.push(0);
    for (const column of this.#roots) column.push(0);
    return number;
  }
}

/**
 * Answers of look-ups by key, bounded in number and age; the least recently used go first. It is no
 * state: a restart begins with an empty one.
 *
 * Invariants:
 * 1. At most `maxEntries` are kept; 0 keeps none.
 * 2. Every call takes constant time. The order of use is a linked list: a Map alone keeps the
 *    places of deleted entries, and finding its oldest one steps over all of them.
 */
import type { Clock } from '../../../schemas/kernel/clock.ts';

interface Entry {
  readonly key: string;
  answer: unknown;
  untilMs: number;
  older: Entry | undefined;
  newer: Entry | undefined;
}

export class AnswerCache {
  readonly #maxEntries: number;
  readonly #ttlMs: number;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();
  #oldest: Entry | undefined;
  #newest: Entry | undefined;

  constructor(maxEntries: number, ttlMs: number, clock: Clock) {
    this.#maxEntries = maxEntries;
    this.#ttlMs = ttlMs;
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * The answer to an encoded key, which may be that there is nothing; undefined when it is not
   * known.
   */
  get(key: string): { readonly answer: unknown } | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#unlink(entry);
    if (entry.untilMs <= this.#clock.monotonic()) {
      this.#entries.delete(key);
      return undefined;
    }
    this.#append(entry);
    return entry;
  }

  set(key: string, answer: unknown): void {
    if (this.#maxEntries === 0) return;
    const untilMs = this.#clock.monotonic() + this.#ttlMs;
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.answer = answer;
      known.untilMs = untilMs;
      this.#unlink(known);
      this.#append(known);
      return;
    }
    const entry: Entry = { key, answer, untilMs, older: undefined, newer: undefined };
    this.#entries.set(key, entry);
    this.#append(entry);
    const oldest = this.#oldest;
    if (this.#entries.size <= this.#maxEntries || oldest === undefined) return;
    this.#unlink(oldest);
    this.#entries.delete(oldest.key);
  }

  #append(entry: Entry): void {
    entry.older = this.#newest;
    entry.newer = undefined;
    if (this.#newest === undefined) this.#oldest = entry;
    else this.#newest.newer = entry;
    this.#newest = entry;
  }

  #unlink(entry: Entry): void {
    if (entry.older === undefined) this.#oldest = entry.newer;
    else entry.older.newer = entry.newer;
    if (entry.newer === undefined) this.#newest = entry.older;
    else entry.newer.older = entry.older;
  }
}

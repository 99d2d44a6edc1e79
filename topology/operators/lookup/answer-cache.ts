/**
 * Answers of look-ups by key, bounded in number, bytes and age; the least recently used go first. It
 * is no state: a restart begins with an empty one.
 *
 * Invariants:
 * 1. At most `maxEntries` are kept, and about `answersMaxBytes` of them; 0 keeps none.
 * 2. Every call takes constant time. The order of use is a linked list: a Map alone keeps the
 *    places of deleted entries, and finding its oldest one steps over all of them.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import { mebi } from '../../../schemas/kernel/bytes.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { valueBytes } from '../../state/value-bytes.ts';

/** Of one cache, with their keys. One answer that takes more is not kept. */
export const answersMaxBytes = 256 * mebi;
/** Of an entry beside its key and its answer: an object and its place in a Map. */
const entryBytes = 128;

interface Entry {
  readonly key: string;
  answer: unknown;
  bytes: number;
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
  #bytes = 0;

  constructor(maxEntries: number, ttlMs: number, clock: Clock) {
    this.#maxEntries = maxEntries;
    this.#ttlMs = ttlMs;
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** What they take, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The answer to an encoded key, which may be that there is nothing; undefined when it is not
   * known.
   */
  get(key: string): { readonly answer: unknown } | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.untilMs <= this.#clock.monotonic()) {
      this.#drop(entry);
      return undefined;
    }
    this.#unlink(entry);
    this.#append(entry);
    return entry;
  }

  set(key: string, answer: unknown): void {
    if (this.#maxEntries === 0) return;
    const known = this.#entries.get(key);
    if (known !== undefined) this.#drop(known);
    const bytes = entryBytes + 2 * key.length + valueBytes(answer, answersMaxBytes);
    if (bytes > answersMaxBytes) return;
    const untilMs = this.#clock.monotonic() + this.#ttlMs;
    const entry: Entry = { key, answer, bytes, untilMs, older: undefined, newer: undefined };
    this.#entries.set(key, entry);
    this.#append(entry);
    this.#bytes += bytes;
    while (this.#entries.size > this.#maxEntries || this.#bytes > answersMaxBytes)
      this.#drop(present(this.#oldest, 'an answer where there are too many'));
  }

  #drop(entry: Entry): void {
    this.#unlink(entry);
    this.#entries.delete(entry.key);
    this.#bytes -= entry.bytes;
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

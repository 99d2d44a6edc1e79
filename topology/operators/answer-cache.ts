/**
 * Answers of look-ups by key, bounded in number and age; the least recently used go first. It is no state: a restart begins with an empty one.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Key } from '../../schemas/kernel/key.ts';
import { encodeKey } from '../../schemas/kernel/key.ts';

export class AnswerCache {
  readonly #maxEntries: number;
  readonly #ttlMs: number;
  readonly #clock: Clock;
  /** In the order of their last use. */
  readonly #entries = new Map<string, { readonly answer: unknown; readonly untilMs: number }>();

  constructor(maxEntries: number, ttlMs: number, clock: Clock) {
    this.#maxEntries = maxEntries;
    this.#ttlMs = ttlMs;
    this.#clock = clock;
  }

  /** The answer, which may be that there is nothing; undefined when it is not known. */
  get(key: Key): { readonly answer: unknown } | undefined {
    if (this.#maxEntries === 0) return undefined;
    const text = encodeKey(key);
    const entry = this.#entries.get(text);
    if (entry === undefined) return undefined;
    this.#entries.delete(text);
    if (entry.untilMs <= this.#clock.monotonic()) return undefined;
    this.#entries.set(text, entry);
    return entry;
  }

  set(key: Key, answer: unknown): void {
    if (this.#maxEntries === 0) return;
    const text = encodeKey(key);
    this.#entries.delete(text);
    this.#entries.set(text, { answer, untilMs: this.#clock.monotonic() + this.#ttlMs });
    if (this.#entries.size <= this.#maxEntries) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}

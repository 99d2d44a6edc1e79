/**
 * Which file of the rejected table holds an identity. Bounded: what was used longest ago is dropped
 * first. An entry is where to look, not what is there.
 */
import { createHash } from 'node:crypto';
import type { IndexEntry } from './index-segments.ts';

/** 96 bits: of a million identities two are alike once in 10^17. */
const keyChars = 16;

export function indexKey(identity: string): string {
  return createHash('sha256').update(identity).digest('base64url').slice(0, keyChars);
}

export class RejectedIndex {
  readonly max: number;
  readonly #files = new Map<string, string>();
  #fresh: IndexEntry[] = [];

  constructor(max: number) {
    this.max = max;
  }

  fileOf(key: string): string | undefined {
    return this.#files.get(key);
  }

  /** What is on disk already, in order. */
  load(entries: readonly IndexEntry[]): void {
    for (const [key, file] of entries) this.#put(key, file);
  }

  remember(key: string, file: string): void {
    if (this.#files.get(key) !== file) this.#fresh.push([key, file]);
    this.#put(key, file);
  }

  #put(key: string, file: string): void {
    this.#files.delete(key);
    this.#files.set(key, file);
    if (this.#files.size <= this.max) return;
    const oldest = this.#files.keys().next();
    if (oldest.done !== true) this.#files.delete(oldest.value);
  }

  /** What is not on disk yet, once. */
  takeFresh(): readonly IndexEntry[] {
    const fresh = this.#fresh;
    this.#fresh = [];
    return fresh;
  }
}

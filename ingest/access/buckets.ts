/**
 * Token buckets by name, for names that clients choose: identities of tokens, addresses.
 *
 * Invariants:
 * 1. At most `maxBuckets` are kept. One that is full again is the same as one never met, and is let
 *    go first.
 * 2. Past the bound the one that would be full soonest of a sample goes: who owes much cannot get
 *    rid of it by bringing others in.
 */
import type { QuotaConfig } from '../../schemas/config.ts';
import type { TokenBucket } from './token-bucket.ts';
import { createTokenBucket } from './token-bucket.ts';

/**
 * Old buckets that are looked at for each new one: those that are full go, and past the bound the
 * one that would be full soonest.
 */
const bucketsLookedAt = 8;

export type BucketKind = 'key' | 'stream' | 'address';

export interface Bucket {
  readonly kind: BucketKind;
  readonly name: string;
  quota: QuotaConfig;
  readonly tokens: TokenBucket;
}

export class Buckets {
  readonly #kind: BucketKind;
  readonly #maxBuckets: number;
  readonly #byName = new Map<string, Bucket>();
  /** Goes around the map; what is added meanwhile comes at its end. */
  #hand: Iterator<Bucket> = [].values();

  constructor(kind: BucketKind, maxBuckets: number) {
    this.#kind = kind;
    this.#maxBuckets = maxBuckets;
  }

  get size(): number {
    return this.#byName.size;
  }

  /** The bucket of that name; under another quota than before it still owes what it owed. */
  of(name: string, quota: QuotaConfig, nowMs: number): Bucket {
    const found = this.#byName.get(name);
    if (found !== undefined) {
      if (found.quota !== quota) {
        found.tokens.retune(quota.eventsPerSecond, quota.burst, nowMs);
        found.quota = quota;
      }
      return found;
    }
    this.#makeRoom(nowMs);
    const made = {
      kind: this.#kind,
      name,
      quota,
      tokens: createTokenBucket(quota.eventsPerSecond, quota.burst, nowMs),
    };
    this.#byName.set(name, made);
    return made;
  }

  /**
   * Looks at the next few: each new bucket pays for looking at old ones, so that nothing ever waits
   * for a walk through all.
   */
  #makeRoom(nowMs: number): void {
    let soonest: Bucket | undefined;
    let soonestSeconds = Number.POSITIVE_INFINITY;
    for (let n = 0; n < bucketsLookedAt; n++) {
      const bucket = this.#next();
      if (bucket === undefined) break;
      const seconds = bucket.tokens.secondsToFull(nowMs);
      if (seconds === 0) this.#byName.delete(bucket.name);
      else if (seconds <= soonestSeconds) {
        soonest = bucket;
        soonestSeconds = seconds;
      }
    }
    if (this.#byName.size >= this.#maxBuckets && soonest !== undefined)
      this.#byName.delete(soonest.name);
  }

  #next(): Bucket | undefined {
    const { value, done } = this.#hand.next();
    if (done !== true) return value;
    this.#hand = this.#byName.values();
    return this.#hand.next().value;
  }
}

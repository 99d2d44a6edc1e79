/**
 * A token bucket whose debt is never forgiven. What asks is let in while a token is left and takes
 * all it needs: a batch larger than the bucket is possible, and nothing more is let in until it is
 * paid for. So over any time no more passes than size + rate * time + one batch, whatever the
 * batches are. Pure but for its own numbers; a clock that steps back gives nothing twice.
 */

export interface TokenBucket {
  /** Whether anything may come now. */
  hasToken(nowMs: number): boolean;
  take(tokens: number, nowMs: number): void;
  /** Whole tokens that are left, not below 0. */
  left(nowMs: number): number;
  /** Seconds until `hasToken` is true again, rounded up; 0 when it is. */
  secondsToToken(nowMs: number): number;
  /** Seconds until it is full, rounded up; 0 when a new one would be the same. */
  secondsToFull(nowMs: number): number;
  /** Continues with another rate and size. What was taken and not refilled yet stays taken. */
  retune(rate: number, size: number, nowMs: number): void;
}

/** `rate` in tokens a second, `size` in tokens. */
export function createTokenBucket(rate: number, size: number, startMs: number): TokenBucket {
  let perSecond = rate;
  let most = size;
  /** Tokens that are missing to a full bucket; more than `most` is debt. */
  let missing = 0;
  let atMs = startMs;
  const refill = (nowMs: number): void => {
    if (nowMs > atMs) missing = Math.max(0, missing - ((nowMs - atMs) * perSecond) / 1_000);
    atMs = nowMs;
  };
  return {
    hasToken(nowMs) {
      refill(nowMs);
      return most - missing >= 1;
    },
    take(wanted, nowMs) {
      refill(nowMs);
      missing += wanted;
    },
    left(nowMs) {
      refill(nowMs);
      return Math.max(0, Math.floor(most - missing));
    },
    secondsToToken(nowMs) {
      refill(nowMs);
      return Math.max(0, Math.ceil((1 - most + missing) / perSecond));
    },
    secondsToFull(nowMs) {
      refill(nowMs);
      return Math.ceil(missing / perSecond);
    },
    retune(nextRate, nextSize, nowMs) {
      refill(nowMs);
      perSecond = nextRate;
      most = nextSize;
    },
  };
}

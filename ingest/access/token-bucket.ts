/**
 * A token bucket that may go into debt. What asks is let in while a token is left and takes all it needs: a batch larger than the bucket is
 * possible, and is paid for afterwards. Pure but for its own numbers; a clock that steps back gives nothing twice.
 */

export interface TokenBucket {
  /** Whether anything may come now. */
  hasToken(nowMs: number): boolean;
  take(tokens: number, nowMs: number): void;
  /** Whole tokens that are left, not below 0. */
  left(nowMs: number): number;
  /** Seconds until `hasToken` is true again, rounded up; 0 when it is. */
  secondsToToken(nowMs: number): number;
  /** Seconds until it is full, rounded up. */
  secondsToFull(nowMs: number): number;
}

/** `rate` in tokens a second, `size` in tokens. Debt is bounded by one `size`. */
export function createTokenBucket(rate: number, size: number, startMs: number): TokenBucket {
  let tokens = size;
  let atMs = startMs;
  const refill = (nowMs: number): void => {
    if (nowMs > atMs) tokens = Math.min(size, tokens + ((nowMs - atMs) * rate) / 1_000);
    atMs = nowMs;
  };
  return {
    hasToken(nowMs) {
      refill(nowMs);
      return tokens >= 1;
    },
    take(wanted, nowMs) {
      refill(nowMs);
      tokens = Math.max(-size, tokens - wanted);
    },
    left(nowMs) {
      refill(nowMs);
      return Math.max(0, Math.floor(tokens));
    },
    secondsToToken(nowMs) {
      refill(nowMs);
      return Math.max(0, Math.ceil((1 - tokens) / rate));
    },
    secondsToFull(nowMs) {
      refill(nowMs);
      return Math.max(0, Math.ceil((size - tokens) / rate));
    },
  };
}

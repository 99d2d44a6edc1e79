/**
 * A circuit breaker: pure state over monotonic milliseconds. Closed: writes pass. Open: none
 * passes, for a pause that grows with each failed probe. Half open: one write passes as the probe,
 * and its outcome decides.
 *
 * Invariants:
 * 1. While half open, `admits` says true once until `succeeded` or `failed` is called.
 * 2. A pause is jittered: half of it is certain, so that many instances do not come back at once.
 */
import type { Random } from '../../schemas/kernel/random.ts';

export type BreakerState = 'closed' | 'open' | 'half-open';

export interface BreakerOptions {
  /** Failed writes in a row that open it. */
  readonly failuresToOpen: number;
  readonly pauseBaseMs: number;
  readonly pauseMaxMs: number;
}

export interface Breaker {
  readonly state: BreakerState;
  /** Whether a write may go now. The caller that got true reports its outcome. */
  admits(nowMs: number): boolean;
  succeeded(nowMs: number): void;
  failed(nowMs: number): void;
  /**
   * Milliseconds until a probe may go; 0 also while one is in flight. Fractional: round up what is
   * waited for.
   */
  retryInMs(nowMs: number): number;
}

export function createBreaker(options: BreakerOptions, random: Random): Breaker {
  const { failuresToOpen, pauseBaseMs, pauseMaxMs } = options;
  let state: BreakerState = 'closed';
  let failures = 0;
  let opened = 0;
  let probeAtMs = 0;
  let probing = false;

  const open = (nowMs: number): void => {
    state = 'open';
    probing = false;
    const pauseMs = Math.min(pauseMaxMs, pauseBaseMs * 2 ** Math.min(opened, 30));
    opened++;
    probeAtMs = nowMs + pauseMs * (0.5 + random.next() / 2);
  };

  return {
    get state() {
      return state;
    },
    admits(nowMs) {
      if (state === 'closed') return true;
      if (state === 'open' && nowMs >= probeAtMs) state = 'half-open';
      if (state !== 'half-open' || probing) return false;
      probing = true;
      return true;
    },
    succeeded() {
      state = 'closed';
      failures = 0;
      opened = 0;
      probing = false;
    },
    failed(nowMs) {
      failures++;
      if (state === 'half-open' || (state === 'closed' && failures >= failuresToOpen)) open(nowMs);
    },
    retryInMs: (nowMs) => (state === 'closed' ? 0 : Math.max(0, probeAtMs - nowMs)),
  };
}

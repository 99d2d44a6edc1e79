/**
 * How often to retry a peer that fails: the first attempts follow soon, later ones are seconds
 * apart, with jitter, so that clients do not flood a server that is gone or has just come back.
 * Pure state over monotonic milliseconds.
 *
 * Invariants:
 * 1. A peer that answered is tried at once.
 * 2. At most half of a pause is random.
 */
import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

export interface ConnectPaceOptions {
  readonly baseMs: number;
  readonly maxMs: number;
}

export interface ConnectPace {
  /** Milliseconds until the peer may be tried; 0: now. */
  waitMs(peer: string): number;
  failed(peer: string): void;
  worked(peer: string): void;
}

export function createConnectPace(
  { baseMs, maxMs }: ConnectPaceOptions,
  clock: Clock,
  random: Random,
): ConnectPace {
  const failing = new Map<string, { readonly failures: number; readonly untilMs: number }>();
  return {
    waitMs: (peer) => Math.max(0, (failing.get(peer)?.untilMs ?? 0) - clock.monotonic()),
    failed(peer) {
      const failures = (failing.get(peer)?.failures ?? 0) + 1;
      const pauseMs =
        Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30)) * (0.5 + random.next() / 2);
      failing.set(peer, { failures, untilMs: clock.monotonic() + pauseMs });
    },
    worked: (peer) => void failing.delete(peer),
  };
}

/**
 * How long to wait before the next try: exponential with full jitter
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that many clients
 * do not retry in step.
 */
import type { Random } from './random.ts';

export interface BackoffOptions {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * Milliseconds to wait before retry number `attempt` (0 is the first retry): uniform in [0,
 * min(maxMs, baseMs * 2^attempt)].
 */
export function backoffMs(attempt: number, options: BackoffOptions, random: Random): number {
  const ceiling = Math.min(options.maxMs, options.baseMs * 2 ** Math.min(attempt, 30));
  return Math.round(random.next() * ceiling);
}

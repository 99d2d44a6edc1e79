/**
 * Requests to streams, with a time limit, and with retries where they help.
 *
 * Invariant: a pause does not outlive its cause. A request that a reader never answers blocks
 * nothing that could continue.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import { SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import { within } from '../../schemas/kernel/within.ts';
import { limits } from '../../schemas/limits.ts';

/** Before something is asked again that failed and may pass soon. */
export const retryPauseMs = 1_000;

/** What the world does, and not a defect of a reader. */
export function isOperational(thrown: unknown): boolean {
  return thrown instanceof SluiceError || systemCodeOf(thrown) !== undefined;
}

/** Rejects with `stream-unreachable` after `readMaxMs`. `what`: what the stream does not do. */
export function inTime<T>(clock: Clock, answer: Promise<T>, what: string): Promise<T> {
  const seconds = limits.readMaxMs / 1_000;
  return within(clock, limits.readMaxMs, answer, () => {
    return new SluiceError('stream-unreachable', `the stream ${what} within ${seconds} s`, {
      retryable: true,
    });
  });
}

/** Asks until it is answered; an operational fault is thrown only once `isStopped`. */
export async function persistently<T>(
  clock: Clock,
  isStopped: () => boolean,
  ask: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (thrown) {
      if (isStopped() || !isOperational(thrown)) throw thrown;
      await sleep(clock, retryPauseMs);
    }
  }
}

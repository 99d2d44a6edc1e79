/**
 * Limits how long to wait for something. The operation itself continues; a later result is dropped.
 */
import type { Clock } from './clock.ts';

/**
 * Settles as `promise` does, or rejects with what `late` gives when that takes longer than `maxMs`.
 */
export function within<T>(
  clock: Clock,
  maxMs: number,
  promise: Promise<T>,
  late: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(maxMs, () => reject(late()));
    promise.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (thrown: unknown) => {
        timer.cancel();
        reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
      },
    );
  });
}

/**
 * What an author's `process` may give, and ask of its timers.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';

/** Throws `SluiceError` `function-result` where the function did not return an array. */
export function resultsOf(results: unknown): readonly unknown[] {
  if (Array.isArray(results)) return results;
  throw new SluiceError(
    'function-result',
    `process must return an array, not ${results === null ? 'null' : typeof results}`,
  );
}

/** Throws `SluiceError` `function-result` where no timer can be at `at`. */
export function checkTimerTime(at: number): void {
  if (!Number.isSafeInteger(at))
    throw new SluiceError('function-result', `a timer needs whole epoch milliseconds, not ${at}`);
}

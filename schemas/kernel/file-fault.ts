/**
 * Turns errors of the file system into faults of Sluice. Pure.
 */
import type { OperationalCode } from './error-codes.ts';
import { messageOf, SluiceError, systemCodeOf } from './errors.ts';

/**
 * What went wrong with a file, as a fault that the next attempt may not meet: `disk-full`, or
 * `code`.
 */
export function fileFault(code: OperationalCode, what: string, cause: unknown): SluiceError {
  if (cause instanceof SluiceError) return cause;
  const full = systemCodeOf(cause) === 'ENOSPC' || systemCodeOf(cause) === 'EDQUOT';
  return new SluiceError(full ? 'disk-full' : code, `${what}: ${messageOf(cause)}`, {
    cause,
    retryable: true,
    ...(full
      ? { fix: 'free some space on the disk; rows that were not committed are delivered again' }
      : {}),
  });
}

/**
 * Operational faults. Refused data is never an error (it is a `RejectedEvent`), a defect is an
 * assertion.
 */
import type { OperationalCode } from './error-codes.ts';

export interface SluiceErrorOptions {
  /** Whether doing the same thing again, later, can succeed. */
  readonly retryable?: boolean;
  /** What was expected, or what to do about it, as a sentence. */
  readonly fix?: string;
  readonly cause?: unknown;
  /** What the message names, as values by name: an index, a limit, a pointer. */
  readonly details?: Readonly<Record<string, unknown>>;
}

export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  readonly code: OperationalCode;
  readonly retryable: boolean;
  readonly fix: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: OperationalCode, message: string, options: SluiceErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.fix = options.fix;
    this.details = options.details ?? {};
  }
}

/** The message of anything that was thrown; what cannot be read as text says nothing. */
export function messageOf(thrown: unknown): string {
  try {
    const message: unknown = thrown instanceof Error ? thrown.message : thrown;
    return String(message);
  } catch {
    return 'what was thrown cannot be read as text';
  }
}

/** The `code` of a Node system error (`ENOENT`, `ENOSPC`, ...), or undefined. */
export function systemCodeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

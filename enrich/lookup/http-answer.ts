/**
 * What an answer over HTTP says of a key, whatever the client that asked. Pure.
 *
 * Invariants:
 * 1. 200 is the answer, as JSON; 404 and 204 say that there is nothing; everything else is a fault
 *    that may pass.
 * 2. No fault tells the address or a header: both may carry secrets.
 */
import { mebi } from '../../schemas/kernel/bytes.ts';
import type { OperationalCode } from '../../schemas/kernel/error-codes.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';

/** The body of one answer to a look-up over HTTP, decoded. */
export const lookupAnswerMaxBytes = mebi;

/** All may pass. */
class LookupFault extends SluiceError {
  /** How long the server wants to be left alone. */
  readonly retryAfterMs: number | undefined;

  constructor(code: OperationalCode, message: string, retryAfterMs: number | undefined) {
    super(code, message, { retryable: true });
    this.retryAfterMs = retryAfterMs;
  }
}

/** `reason`: a code, such as ECONNREFUSED; never a text that could repeat the request. */
export function noAnswer(name: string, reason: string, retryAfterMs?: number): SluiceError {
  return fault(
    'lookup-unreachable',
    name,
    `there was no complete answer (${reason})`,
    retryAfterMs,
  );
}

export interface HttpAnswer {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  /** Undefined when it is too large. Throws when it is not UTF-8. */
  readonly text: () => string | undefined;
}

/**
 * The answer's value, undefined when there is nothing. Throws `SluiceError` `lookup-refused`,
 * `lookup-answer-invalid`, both retryable.
 */
export function answerOf(name: string, { status, retryAfterMs, text }: HttpAnswer): unknown {
  if (status === 404 || status === 204) return undefined;
  if (status !== 200) {
    const asks =
      retryAfterMs === undefined ? '' : `, and asks to wait ${Math.ceil(retryAfterMs / 1_000)} s`;
    throw fault('lookup-refused', name, `the server answered ${status}${asks}`, retryAfterMs);
  }
  let wrong = `larger than ${lookupAnswerMaxBytes} bytes`;
  try {
    const body = text();
    if (body !== undefined) return JSON.parse(body) as unknown;
  } catch {
    wrong = 'not JSON in UTF-8';
  }
  throw fault('lookup-answer-invalid', name, `the answer (200) is ${wrong}`);
}

function fault(
  code: OperationalCode,
  name: string,
  message: string,
  retryAfterMs?: number,
): SluiceError {
  return new LookupFault(code, `the look-up '${name}': ${message}`, retryAfterMs);
}

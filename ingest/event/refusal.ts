/**
 * What the ingress says no to, as a value: a status, a stable code, and what was expected where.
 */

import { pointerPart } from '../../schemas/json-pointer.ts';
import type { RefusedCode } from '../../schemas/kernel/error-codes.ts';

export interface Refusal {
  readonly status:
    | 400
    | 401
    | 403
    | 404
    | 405
    | 408
    | 409
    | 413
    | 414
    | 421
    | 426
    | 429
    | 431
    | 501
    | 503;
  readonly code: RefusedCode;
  readonly message: string;
  readonly expected?: string;
  /** JSON pointer into the body. */
  readonly pointer?: string;
  /** Byte offset in the decoded body; in NDJSON, in the line. */
  readonly offset?: number;
  /**
   * Of a conflict: what differs from the event that was accepted under this id, `data` or
   * attributes by name.
   */
  readonly differs?: readonly string[];
  /**
   * `unknown`: the event may or may not be in the stream; sending it again under the same id is
   * safe.
   */
  readonly outcome?: 'unknown';
  /** When trying again may help; 1 where a 429 or 503 does not say. */
  readonly retryAfterSeconds?: number;
}

const namedMaxChars = 200;

/**
 * The pointer to a member of an object that a client named; the name of a very long one is cut, as
 * refusals are kept and sent.
 */
export function pointerTo(name: string): string {
  return `/${pointerPart(name.slice(0, namedMaxChars))}`;
}

export function isRefusal(value: object): value is Refusal {
  return 'status' in value && 'code' in value;
}

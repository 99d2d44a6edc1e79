/**
 * What a failed call of the source means. Pure.
 */
import type { OperationalCode } from '../../../schemas/kernel/error-codes.ts';
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';
import { isThrottling } from './throttling.ts';

export type ReadFault =
  /** The iterator is older than five minutes: another one continues where it was. */
  | { readonly kind: 'expired' }
  /** A shard gives no more for the moment. */
  | { readonly kind: 'throttled' }
  /**
   * There is nothing at that position: it is no longer kept, or the shard, or the stream, is
   * another.
   */
  | { readonly kind: 'lost'; readonly why: string }
  | { readonly kind: 'error'; readonly error: SluiceError };

/**
 * `action` is the permission that the call needs, such as `kinesis:GetRecords`; `position`, whether
 * it named one.
 */
export function readFaultOf(
  thrown: unknown,
  streamName: string,
  action: string,
  position: boolean,
): ReadFault {
  if (thrown instanceof SluiceError) return { kind: 'error', error: thrown };
  const name = thrown instanceof Error ? thrown.name : '';
  if (name === 'ExpiredIteratorException') return { kind: 'expired' };
  if (isThrottling(name) || name === inUse) return { kind: 'throttled' };
  const error = (
    code: OperationalCode,
    message: string,
    more: { readonly fix?: string; readonly retryable?: boolean } = {},
  ): ReadFault => ({
    kind: 'error',
    error: new SluiceError(code, `Kinesis stream '${streamName}': ${message}`, {
      cause: thrown,
      ...more,
    }),
  });
  if (name === 'ResourceNotFoundException' || name === 'InvalidArgumentException') {
    if (!position)
      return error('stream-missing', 'it does not exist', {
        fix: `create it, or correct kinesis_stream`,
      });
    return { kind: 'lost', why: messageOf(thrown) };
  }
  if (denials.has(name)) {
    return error('stream-denied', `${action} is not allowed: ${messageOf(thrown)}`, {
      fix: `allow ${action} on the stream`,
      retryable: true,
    });
  }
  return error('stream-unreachable', messageOf(thrown), { retryable: true });
}

/**
 * Another subscription of the same consumer to the shard is not over: for five seconds nobody else
 * has it.
 */
const inUse = 'ResourceInUseException';
const denials = new Set([
  'AccessDeniedException',
  'KMSAccessDeniedException',
  'UnrecognizedClientException',
  'InvalidSignatureException',
  'ExpiredTokenException',
  'InvalidClientTokenId',
  'CredentialsProviderError',
]);

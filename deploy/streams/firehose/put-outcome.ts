/**
 * What became of the records of one PutRecordBatch. Pure.
 *
 * An answer of 200 tells of each record by its place: with an error code it was not taken
 * (https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html).
 *
 * Invariants:
 * 1. What says nothing certain (a lost answer, a time-out, 5xx but a refusal to serve) is
 *    `unknown`: sent again, it may be there twice.
 * 2. What says that it is asked too often is `throttled`, of a call or of each record that was not
 *    taken. It is not a failure: it says when, not whether.
 */
import { rightsText } from '../../../schemas/aws-rights.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';

export interface PutReply {
  /** The error code of each record, undefined for one that was taken. */
  readonly errors: readonly (string | undefined)[];
}

export type PutOutcome =
  /** The places of those that were not taken, and why. */
  | {
      readonly kind: 'again';
      readonly places: readonly number[];
      readonly why: 'throttled' | 'failed' | 'unknown';
      readonly code: string;
    }
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly code: string };

/**
 * `ServiceUnavailableException` is how Firehose says that its quota is exceeded
 * (https://docs.aws.amazon.com/firehose/latest/dev/limits.html).
 */
const throttling = new Set([
  'ServiceUnavailableException',
  'ServiceUnavailable',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'RequestThrottled',
  'RequestThrottledException',
  'RequestLimitExceeded',
  'TooManyRequestsException',
  'LimitExceededException',
  'ProvisionedThroughputExceededException',
]);
const passing = new Set(['ExpiredToken', 'ExpiredTokenException', 'RequestExpired']);

const everywhere = (count: number): readonly number[] =>
  Array.from({ length: count }, (_, place) => place);

export function derivePutReply({ errors }: PutReply, count: number): PutOutcome {
  if (errors.length !== count)
    return { kind: 'again', places: everywhere(count), why: 'unknown', code: 'AnswerIncomplete' };
  const places = everywhere(count).filter((place) => errors[place] !== undefined);
  const codes = places.map((place) => errors[place] ?? '');
  const [first] = codes;
  if (first === undefined) return { kind: 'done' };
  const failed = codes.find((code) => !throttling.has(code));
  return {
    kind: 'again',
    places,
    why: failed === undefined ? 'throttled' : 'failed',
    code: failed ?? first,
  };
}

export function derivePutFault(thrown: unknown, count: number): PutOutcome {
  const { name: code = 'Error', $metadata } = (thrown ?? {}) as {
    readonly name?: string;
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  const places = everywhere(count);
  if (throttling.has(code) || status === 429)
    return { kind: 'again', places, why: 'throttled', code };
  if (passing.has(code)) return { kind: 'again', places, why: 'failed', code };
  const certain =
    code === 'CredentialsProviderError' ||
    (status !== undefined && status >= 400 && status < 500 && status !== 408);
  return certain ? { kind: 'refused', code } : { kind: 'again', places, why: 'unknown', code };
}

export type FirehoseOperation = 'PutRecordBatch' | 'DescribeDeliveryStream';

/**
 * `delivery-stream-missing`, `firehose-refused` or `firehose-failed` (retryable). No message has
 * the SDK's text: it names accounts.
 */
export function firehoseFault(
  stream: string,
  operation: FirehoseOperation,
  code: string,
  final: boolean,
  cause?: unknown,
): SluiceError {
  if (code === 'ResourceNotFoundException') {
    const fix = 'create it, or correct its name and the region';
    return new SluiceError(
      'delivery-stream-missing',
      `no Firehose delivery stream '${stream}' found`,
      { fix, cause },
    );
  }
  if (final) {
    const fix = `check the credentials and their right to ${rightsText([`firehose:${operation}`], 'it')}`;
    return new SluiceError(
      'firehose-refused',
      `the delivery stream '${stream}' refused ${operation} (${code})`,
      { fix, cause },
    );
  }
  const fix =
    'check the endpoint and the quotas of the delivery stream; rows after the last checkpoint are delivered again';
  return new SluiceError(
    'firehose-failed',
    `${operation} to the delivery stream '${stream}' failed (${code})`,
    {
      fix,
      retryable: true,
      cause,
    },
  );
}

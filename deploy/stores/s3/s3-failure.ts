/**
 * What a failed call to S3 means, and what to say of it. Pure.
 *
 * Source of the codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 *
 * Invariants:
 * 1. What says nothing certain about the object (a lost answer, a time-out, 5xx) is `again`: doing
 *    it again, or looking, tells.
 * 2. No message has more than an operation, a key and an error's code: S3's own texts name
 *    accounts, users and hosts.
 */
import type { AwsCall } from '../../../schemas/aws-rights.ts';
import { rightsText } from '../../../schemas/aws-rights.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';

export type S3Operation =
  | 'GetObject'
  | 'PutObject'
  | 'HeadObject'
  | 'DeleteObject'
  | 'ListObjectsV2'
  | 'HeadBucket';

type S3FailureKind =
  /** No such key. */
  | 'absent'
  /** A condition does not hold: the key exists, or its object is another one. */
  | 'condition'
  | 'again'
  /** It is asked too often: as `again`, more slowly. */
  | 'throttled'
  | 'no-bucket'
  | 'refused';

export interface S3Failure {
  readonly kind: S3FailureKind;
  /** S3's or the SDK's name of it. */
  readonly code: string;
}

/**
 * Also what stores that speak S3's protocol say.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/optimizing-performance.html
 */
const throttling = new Set([
  'SlowDown',
  'ServiceUnavailable',
  'Throttling',
  'ThrottlingException',
  'RequestLimitExceeded',
  'TooManyRequests',
  'TooManyRequestsException',
]);
const passing = new Set([
  'RequestTimeTooSkewed',
  'ExpiredToken',
  'RequestTimeout',
  'NoSuchUpload',
  'ConditionalRequestConflict',
  'OperationAborted',
]);

export function deriveS3Failure(thrown: unknown): S3Failure {
  const { name = 'Error', $metadata } = (thrown ?? {}) as {
    readonly name?: string;
    readonly $metadata?: { readonly httpStatusCode?: number };
  };
  const status = $metadata?.httpStatusCode;
  if (name === 'NoSuchBucket') return { kind: 'no-bucket', code: name };
  if (passing.has(name)) return { kind: 'again', code: name };
  // The answer to a HEAD has no body: its status is all it says.
  if (throttling.has(name) || status === 503 || status === 429)
    return { kind: 'throttled', code: name };
  if (status === 412) return { kind: 'condition', code: name };
  if (status === 404) return { kind: 'absent', code: name };
  if (name === 'CredentialsProviderError') return { kind: 'refused', code: name };
  const again =
    status === undefined || status < 300 || status === 408 || status === 409 || status >= 500;
  return { kind: again ? 'again' : 'refused', code: name };
}

/** The calls of an operation: a large object is put in parts. */
const callsOf: Readonly<Record<S3Operation, readonly AwsCall[]>> = {
  GetObject: ['s3:GetObject'],
  HeadObject: ['s3:HeadObject'],
  PutObject: ['s3:PutObject', 's3:CreateMultipartUpload', 's3:AbortMultipartUpload'],
  DeleteObject: ['s3:DeleteObject'],
  ListObjectsV2: ['s3:ListObjectsV2'],
  HeadBucket: ['s3:HeadBucket'],
};

/**
 * `s3-failed` (retryable), `s3-refused` or `bucket-missing`. The bucket is named in what to do
 * about it alone.
 */
export function s3Fault(
  operation: S3Operation,
  bucket: string,
  what: string,
  { kind, code }: S3Failure,
  cause: unknown,
): SluiceError {
  if (kind === 'no-bucket') {
    const fix = `create the bucket '${bucket}', or correct its name and the region`;
    return new SluiceError('bucket-missing', `${what}: there is no such bucket`, { fix, cause });
  }
  if (kind === 'refused') {
    const fix = `check the credentials and their right to ${rightsText(callsOf[operation], `the bucket '${bucket}'`)}`;
    return new SluiceError('s3-refused', `${what}: ${operation} was refused (${code})`, {
      fix,
      cause,
    });
  }
  const fix =
    kind === 'throttled'
      ? `the bucket '${bucket}' gets more requests than it allows: look at what else uses it, and at checkpoint_ms`
      : `check that the bucket '${bucket}' can be reached`;
  return new SluiceError('s3-failed', `${what}: ${operation} failed (${code})`, {
    retryable: true,
    fix,
    cause,
    details: { operation, failure: code },
  });
}

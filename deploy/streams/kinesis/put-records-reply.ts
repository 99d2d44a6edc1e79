/**
 * From what Kinesis says of a PutRecords to an outcome for each record. Pure.
 *
 * Invariants:
 * 1. Outcomes have the length and order of the records.
 * 2. `refused` only when the stream said no, or nothing was handed to it; whatever else went wrong
 *    leaves the records `unknown`.
 * 3. Messages go to clients: they name no account, address or user, which Kinesis' own do.
 */

import { cbor } from '@smithy/core/cbor';
import type { RefusedCode } from '../../../schemas/kernel/error-codes.ts';
import { systemCodeOf } from '../../../schemas/kernel/errors.ts';
import type { WriteOutcome } from '../../../schemas/ports/record-writer.ts';
import { isThrottling } from './throttling.ts';

export type Failure = Exclude<WriteOutcome, { kind: 'applied' }>;

/** The outcomes that an answer of status 200 tells. `count` records were sent. */
export function readOutcomes(body: Buffer, count: number): readonly WriteOutcome[] {
  const results = parseResults(body);
  if (results?.length !== count)
    return all(
      count,
      unknown('reply-unreadable', 'the answer of the stream does not cover all records'),
    );
  return results.map(outcomeOf);
}

export function all(count: number, failure: Failure): readonly WriteOutcome[] {
  return Array.from({ length: count }, () => failure);
}

interface PutResult {
  readonly ShardId?: unknown;
  readonly SequenceNumber?: unknown;
  readonly ErrorCode?: unknown;
}

function parseResults(body: Buffer): readonly PutResult[] | undefined {
  try {
    const parsed: unknown = cbor.deserialize(body);
    if (typeof parsed !== 'object' || parsed === null || !('Records' in parsed)) return undefined;
    return Array.isArray(parsed.Records) ? (parsed.Records as readonly PutResult[]) : undefined;
  } catch {
    return undefined;
  }
}

const throttled = refused(
  'throughput-exceeded',
  'a shard of the stream accepts no more at the moment',
);
const failed = refused('stream-failed', 'the stream could not take the record');
const unreadable = unknown(
  'reply-unreadable',
  'the answer of the stream does not say what became of the record',
);

function outcomeOf(result: PutResult | null): WriteOutcome {
  const { ShardId: split, SequenceNumber: position, ErrorCode: code } = result ?? {};
  if (typeof split === 'string' && typeof position === 'string')
    return { kind: 'applied', split, position };
  if (typeof code !== 'string') return unreadable;
  return code === 'ProvisionedThroughputExceededException' ? throttled : failed;
}

/**
 * What a call that failed as a whole means to each of its records. `handedOver`: the request had
 * reached the connection; before that (credentials, signing) nothing can be in the stream.
 */
export function deriveFailure(thrown: unknown, handedOver: boolean): Failure {
  if (!handedOver) return refused('stream-unreachable', 'the request could not be signed');
  const status = statusOf(thrown);
  if (status === undefined) {
    return neverConnected(thrown)
      ? refused('stream-unreachable', 'the stream cannot be reached')
      : unknown('reply-missing', 'the connection to the stream ended before it answered');
  }
  const name = thrown instanceof Error ? thrown.name : '';
  if (name === 'ResourceNotFoundException')
    return refused('stream-missing', 'the stream does not exist');
  if (status === 429 || isThrottling(name))
    return refused('throughput-exceeded', 'the stream accepts no more at the moment');
  // A gateway in between answers for a stream that it may have reached; only Kinesis' own words are
  // a refusal.
  if (status >= 500) {
    return serverRefusals.has(name)
      ? refused('stream-failed', 'the stream could not take the records')
      : unknown('reply-ambiguous', `the stream answered ${status}`);
  }
  if (dataRefusals.has(name))
    return {
      ...refused('stream-refused', 'the stream does not take these records'),
      retryable: false,
    };
  // Not allowed, an expired token, a key that is gone: nothing that the sender of an event can
  // fix, and it may be fixed.
  return refused('stream-denied', 'the credentials may not write to the stream now');
}

/**
 * What to do about a failure that does not pass by itself, of which Kinesis said so; undefined: it
 * may pass. `stream` is its physical name.
 */
export function fixOf({ code }: Failure, thrown: unknown, stream: string): string | undefined {
  if (code === 'stream-missing')
    return `create the stream '${stream}', or correct kinesis_stream and the region`;
  if (code !== 'stream-denied') return undefined;
  const name = thrown instanceof Error ? thrown.name : '';
  if (name.startsWith('KMS'))
    return `enable the KMS key of the stream '${stream}', and allow kms:GenerateDataKey on it`;
  return name.startsWith('AccessDenied')
    ? `allow kinesis:PutRecords on the stream '${stream}' to these credentials`
    : `renew or correct the credentials: Kinesis answered ${name}`;
}

const serverRefusals = new Set([
  'InternalFailure',
  'InternalFailureException',
  'ServiceUnavailable',
  'ServiceUnavailableException',
]);
const dataRefusals = new Set([
  'InvalidArgumentException',
  'ValidationException',
  'SerializationException',
]);

/** The status of the answer, when there was one. */
export function statusOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('$metadata' in thrown)) return undefined;
  const { $metadata: metadata } = thrown;
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata))
    return undefined;
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined;
}

const connectCodes = new Set([
  'ECONNREFUSED',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);
const connectCalls = new Set<unknown>(['connect', 'getaddrinfo']);

/** Errors that come before the first byte of a request can leave. */
function neverConnected(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  if (connectCodes.has(systemCodeOf(thrown) ?? '')) return true;
  if ('syscall' in thrown && connectCalls.has(thrown.syscall)) return true;
  // The SDK's own bound on connecting has no code, unlike the one on answering.
  return (
    thrown.name === 'TimeoutError' && thrown.message.includes('did not establish a connection')
  );
}

function refused(code: RefusedCode, message: string): Extract<Failure, { kind: 'refused' }> {
  return { kind: 'refused', code, message, retryable: true };
}

function unknown(code: RefusedCode, message: string): Failure {
  return { kind: 'unknown', code, message };
}

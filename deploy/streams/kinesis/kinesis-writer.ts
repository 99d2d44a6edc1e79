/**
 * The small route on Kinesis Data Streams: one PutRecords a write, its records' own outcomes back.
 * Nothing is repeated here; the batcher does.
 *
 * Invariants:
 * 1. A write is at most what one PutRecords takes (`batchMaxRecords`, `batchMaxBytes`, or one
 *    record alone): the caller packs.
 * 2. A record that Kinesis would refuse, and all others of the call with it, is refused here,
 *    alone. Where only Kinesis knows, the others go again (halves.ts).
 * 3. Whatever the endpoint does is an outcome; `write` never rejects for it.
 */

import { assert } from '../../../schemas/kernel/assert.ts';
import type { RefusedCode } from '../../../schemas/kernel/error-codes.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { limits } from '../../../schemas/limits.ts';
import type { OutgoingRecord } from '../../../schemas/ports/record.ts';
import type { RecordWriter, WriteOutcome } from '../../../schemas/ports/record-writer.ts';
import { isForGood } from '../../../schemas/ports/record-writer.ts';
import { sendInHalves } from '../halves.ts';
import type { FailureNews } from '../told-failures.ts';
import { ToldFailures } from '../told-failures.ts';
import type { KinesisClientOptions } from './kinesis-client.ts';
import type { BodyPool } from './put-records-body.ts';
import { createBodyPool, encodePutRecords, valueBytes } from './put-records-body.ts';
import type { KinesisWriteApi, PutCall } from './put-records-client.ts';
import { createPutRecordsClient } from './put-records-client.ts';
import type { Failure } from './put-records-reply.ts';
import { all, deriveFailure, fixOf, readOutcomes, statusOf } from './put-records-reply.ts';

/** Buffers that are kept for the next request bodies. */
const kinesisBodiesKept = 8;

/** Only calls that failed as a whole are told. */
export interface KinesisWriterOptions extends KinesisClientOptions, FailureNews {
  /** Physical stream names by `team/app`. */
  readonly streams: ReadonlyMap<string, string>;
}

/** What became of a call as a whole. */
interface Told {
  worked(): void;
  failed(failure: Failure, cause: unknown): void;
}

const bytesPerKib = 1_024;

/**
 * @example
 * const streams = new Map([['rpp/promo-clicks', 'rpp-promo-clicks-dev']]);
 * createKinesisWriter({ region: 'eu-central-1', streams });
 */
export function createKinesisWriter(options: KinesisWriterOptions): RecordWriter {
  const { streams } = options;
  const api = createPutRecordsClient(options);
  const pool = createBodyPool(kinesisBodiesKept);
  const failures = new ToldFailures(options);
  /** As `describe` found them, by physical name. */
  const recordMaxBytes = new Map<string, number>();
  const underWay = new Set<Promise<unknown>>();
  let closed = false;

  return {
    route: 'kinesis',
    async describe(stream) {
      const physical = streams.get(stream);
      if (physical === undefined) throw new SluiceError('stream-missing', missing(stream));
      const { recordMaxKib, shards } = await api
        .describe(physical)
        .catch((thrown: unknown) => Promise.reject(asError(physical, thrown)));
      const bytes =
        recordMaxKib === undefined ? limits.kinesisRecordMaxBytes : recordMaxKib * bytesPerKib;
      recordMaxBytes.set(physical, bytes);
      return { recordMaxBytes: bytes, splits: shards };
    },
    write(stream, records) {
      if (closed)
        return Promise.resolve(
          all(records.length, refused('closed', 'the writer is closed', true)),
        );
      const physical = streams.get(stream);
      if (physical === undefined)
        return Promise.resolve(
          all(records.length, refused('stream-missing', missing(stream), false)),
        );
      const maxBytes = recordMaxBytes.get(physical) ?? limits.kinesisRecordMaxBytes;
      const writing = writeBatch(api, pool, physical, records, maxBytes, {
        worked: () => failures.worked(physical),
        failed: (failure, cause) =>
          failures.tell(stream, physical, failure, fixOf(failure, cause, physical), cause),
      });
      const tracked = writing.finally(() => underWay.delete(tracked));
      underWay.add(tracked);
      return tracked;
    },
    async close() {
      closed = true;
      await Promise.all(underWay);
      api.close();
    },
  };
}

async function writeBatch(
  api: KinesisWriteApi,
  pool: BodyPool,
  stream: string,
  records: readonly OutgoingRecord[],
  recordMaxBytes: number,
  told: Told,
): Promise<readonly WriteOutcome[]> {
  const problems = records.map((record) => problemOf(record, recordMaxBytes));
  const good = problems.every((problem) => problem === undefined)
    ? records
    : records.filter((_, index) => problems[index] === undefined);
  if (good.length === 0) return problems as readonly Failure[];
  assertWithinCall(good);
  const outcomes = await sendInHalves(good, (part) => put(api, pool, stream, part, told));
  if (good.length === records.length) return outcomes;
  let next = 0;
  return problems.map((problem) => problem ?? (outcomes[next++] as WriteOutcome));
}

async function put(
  api: KinesisWriteApi,
  pool: BodyPool,
  stream: string,
  records: readonly OutgoingRecord[],
  told: Told,
): Promise<readonly WriteOutcome[]> {
  const { body, lent } = encodePutRecords(stream, records, pool);
  const call: PutCall = { stream, body, handedOver: false };
  try {
    const outcomes = readOutcomes(await api.putRecords(call), records.length);
    // Who told of every record has read the whole body.
    if (outcomes[0]?.kind !== 'unknown') pool.giveBack(lent);
    if (outcomes.some(({ kind }) => kind === 'applied')) told.worked();
    return outcomes;
  } catch (thrown) {
    const failure = deriveFailure(thrown, call.handedOver);
    // Of what goes again in halves the record at fault is reported.
    if (records.length === 1 || !isForGood(failure)) told.failed(failure, thrown);
    return all(records.length, failure);
  }
}

function assertWithinCall(records: readonly OutgoingRecord[]): void {
  assert(
    records.length <= limits.batchMaxRecords,
    'a write has at most the records of one PutRecords',
  );
  if (records.length === 1) return;
  let bytes = 0;
  for (const record of records) bytes += valueBytes(record);
  assert(bytes <= limits.batchMaxBytes, 'a write has at most the bytes of one PutRecords');
}

/**
 * Why Kinesis would not take this record.
 * https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecordsRequestEntry.html
 */
function problemOf(record: OutgoingRecord, recordMaxBytes: number): Failure | undefined {
  const { key, headers } = record;
  if (
    key === '' ||
    (key.length > limits.partitionKeyMaxChars && [...key].length > limits.partitionKeyMaxChars)
  ) {
    return refused(
      'key-invalid',
      `a partition key has 1 to ${limits.partitionKeyMaxChars} characters`,
      false,
    );
  }
  if (headers !== undefined)
    return refused('headers-not-supported', 'a Kinesis record has no headers', false);
  const bytes = valueBytes(record) + Buffer.byteLength(key);
  if (bytes > recordMaxBytes) {
    return refused(
      'record-too-large',
      `the record has ${bytes} bytes; at most ${recordMaxBytes} are taken`,
      false,
    );
  }
  return undefined;
}

function asError(stream: string, cause: unknown): SluiceError {
  if (cause instanceof SluiceError) return cause;
  const name = cause instanceof Error ? cause.name : 'Error';
  if (name === 'ResourceNotFoundException') {
    return new SluiceError('stream-missing', `there is no Kinesis stream '${stream}'`, {
      fix: 'create it, or correct kinesis_stream and the region',
      cause,
    });
  }
  const status = statusOf(cause);
  const refusedForGood = status !== undefined && status < 500 && status !== 429;
  return new SluiceError(
    'stream-unreachable',
    `the Kinesis stream '${stream}' cannot be described (${name})`,
    {
      retryable: !refusedForGood,
      fix: 'check the endpoint, the region, the credentials and their right to kinesis:DescribeStreamSummary and kinesis:ListShards',
      cause,
    },
  );
}

function refused(code: RefusedCode, message: string, retryable: boolean): Failure {
  return { kind: 'refused', code, message, retryable };
}

function missing(stream: string): string {
  return `there is no Kinesis stream for '${stream}'`;
}

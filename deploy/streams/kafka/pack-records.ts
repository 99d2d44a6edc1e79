/**
 * From records to what goes to each partition of a topic at once. Pure.
 */
import { limits } from '../../../schemas/limits.ts';
import type { OutgoingRecord } from '../../../schemas/ports/record.ts';
import type { WriteOutcome } from '../../../schemas/ports/record-writer.ts';
import { partitionOfKey } from '../kafka-partition.ts';
import type { Failure } from './kafka-outcomes.ts';
import { refused } from './kafka-outcomes.ts';
import type { KafkaMessage, TopicDescription } from './kafka-producer.ts';

/**
 * What a batch and a record take beside key, value and headers, and a header beside its name and
 * value (record format v2, varints at their longest).
 */
const kafkaRecordOverheadBytes = 61 + 38;
const kafkaHeaderOverheadBytes = 10;

export const recordMaxBytesOf = ({ batchMaxBytes }: TopicDescription): number =>
  batchMaxBytes - kafkaRecordOverheadBytes;

/** Key, value and headers, with what the headers take themselves. */
function bytesOf({ key, value, headers = {} }: OutgoingRecord): number {
  let bytes = Buffer.byteLength(key);
  for (const piece of value) bytes += piece.length;
  for (const [name, text] of Object.entries(headers))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(text) + kafkaHeaderOverheadBytes;
  return bytes;
}

function problemOf(record: OutgoingRecord, recordMaxBytes: number): Failure | undefined {
  if (record.key === '' || [...record.key].length > limits.partitionKeyMaxChars) {
    return refused(
      'key-invalid',
      `a partition key has 1 to ${limits.partitionKeyMaxChars} characters`,
      false,
    );
  }
  const bytes = bytesOf(record);
  return bytes > recordMaxBytes
    ? refused(
        'record-too-large',
        `the record has ${bytes} bytes; at most ${recordMaxBytes} are taken`,
        false,
      )
    : undefined;
}

/** Runs of records that fit one batch, in order. */
export function requestsOf(
  indices: readonly number[],
  records: readonly OutgoingRecord[],
  batchMaxBytes: number,
): readonly (readonly number[])[] {
  const requests: number[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const index of indices) {
    const own = bytesOf(records[index] as OutgoingRecord) + kafkaRecordOverheadBytes;
    if (bytes + own > batchMaxBytes) {
      requests.push([]);
      bytes = 0;
    }
    requests.at(-1)?.push(index);
    bytes += own;
  }
  return requests;
}

export function messageOf({ key, value, headers = {} }: OutgoingRecord): KafkaMessage {
  return { key, value: Buffer.concat(value as Uint8Array[]), headers };
}

/** Which records go to which partition, and the outcomes of those that go nowhere. */
export function decidePartitions(
  records: readonly OutgoingRecord[],
  topic: TopicDescription,
): {
  readonly outcomes: WriteOutcome[];
  readonly byPartition: ReadonlyMap<number, readonly number[]>;
} {
  const outcomes: WriteOutcome[] = [];
  const recordMaxBytes = recordMaxBytesOf(topic);
  const byPartition = new Map<number, number[]>();
  for (const [index, record] of records.entries()) {
    const problem = problemOf(record, recordMaxBytes);
    if (problem !== undefined) {
      outcomes[index] = problem;
      continue;
    }
    const partition = partitionOfKey(record.key, topic.partitions);
    const indices = byPartition.get(partition);
    if (indices === undefined) byPartition.set(partition, [index]);
    else indices.push(index);
  }
  return { outcomes, byPartition };
}

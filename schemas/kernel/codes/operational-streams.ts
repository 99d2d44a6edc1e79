/** Operational faults of streams: Kinesis, Kafka and the embedded log. */
import type { OperationalEntry } from './entry.ts';

export const streamCodes = {
  'codec-missing': {
    retryable: false,
    means: 'Records are to be compressed with a codec whose package cannot be loaded.',
    fix: 'Run `npm ci`, or choose another `kafka.compression`.',
  },
  'codec-unreadable': {
    retryable: false,
    means: 'Records are compressed with a codec that Sluice cannot read here.',
    fix: 'Install its package, or skip the records with `sluice skip`.',
  },
  'kafka-denied': {
    retryable: true,
    means: 'No token for Kafka can be signed.',
    fix: 'Provide AWS credentials.',
  },
  'kafka-principal-changed': {
    retryable: true,
    means: 'The credentials now belong to another principal, so the connection is made again.',
    fix: 'Nothing.',
  },
  'partition-missing': {
    retryable: 'sometimes',
    means: 'The topic does not have the partition.',
    fix: 'Nothing: the topic is described again.',
  },
  'position-missing': {
    retryable: true,
    means: 'The broker acknowledged records without an offset.',
    fix: 'Nothing: they are written again.',
  },
  'position-trimmed': {
    retryable: false,
    means: 'The next record was deleted from the stream before it was read.',
    fix: 'Decide with `sluice skip`, and raise the retention of the stream.',
  },
  'position-truncated': {
    retryable: false,
    means: 'The stream lost its end, with records that were read.',
    fix: 'Nothing: reading continues from its end. `sluice status` shows the loss; find out why the stream lost it.',
  },
  'producer-retired': {
    retryable: true,
    means: 'The producer was replaced while the request waited.',
    fix: 'Nothing: the request is sent again.',
  },
  'read-failed': {
    retryable: 'sometimes',
    means: 'A split cannot be read.',
    fix: 'Nothing: the read is retried. Look at the cause in `sluice status`.',
  },
  'reader-closed': {
    retryable: true,
    means: 'The reader of the stream was closed because its run ended.',
    fix: 'Nothing: the next run opens a new one.',
  },
  'records-unreadable': {
    retryable: false,
    means: 'Records have a form that Kafka wrote before 0.11.',
    fix: 'Skip them with `sluice skip`.',
  },
  'route-impossible': {
    retryable: false,
    means: 'The Kinesis stream accepts smaller records than the size threshold needs.',
    fix: 'Lower `routing.large_message_threshold_kb`.',
  },
  'split-gone': {
    retryable: false,
    means: 'The shard or partition was deleted.',
    fix: 'Nothing: the stream is listed again.',
  },
  'stream-corrupt': {
    retryable: false,
    means: 'A file or a batch of records is damaged.',
    fix: 'Restore the file from a copy, or skip the records with `sluice skip`.',
  },
  'stream-denied': {
    retryable: 'sometimes',
    means: 'The service is not allowed to use the stream.',
    fix: 'Add the rights that the message names.',
  },
  'stream-missing': {
    retryable: false,
    means: 'The stream or topic does not exist.',
    fix: 'Create it, or correct its name in the configuration.',
  },
  'stream-unreachable': {
    retryable: 'sometimes',
    means: 'The stream cannot be reached.',
    fix: 'Check the network, the address and the credentials.',
  },
  'topic-compacted': {
    retryable: false,
    means: 'The topic keeps only the newest event of each key.',
    fix: 'Set its `cleanup.policy` to `delete`, or set `kafka.compacted_topics: accept`.',
  },
  'topic-replaced': {
    retryable: false,
    means: 'The topic was deleted and created again.',
    fix: 'Nothing: its partitions are read as new splits.',
  },
  'write-timeout': {
    retryable: false,
    means: 'The brokers did not answer in time.',
    fix: 'Nothing: the outcome of the last attempt decides whether the event is answered as stored.',
  },
  'topics-busy': {
    retryable: true,
    means: 'A Kinesis stream is being changed or deleted.',
    fix: 'Run the command again once it is done.',
  },
  'topics-failed': {
    retryable: false,
    means: 'A Kinesis stream or Kafka topic was not created or altered.',
    fix: 'Correct what the message says, then run the command again.',
  },
} as const satisfies Readonly<Record<string, OperationalEntry>>;

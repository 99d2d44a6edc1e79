/**
 * The groups `kinesis` and `kafka` of a stream: how large its Kinesis stream and its Kafka topic
 * are. `sluice topics` creates and alters them so, `sluice cost` prices them; nothing else reads
 * them.
 *
 * Invariant: no setting has a default. What is not set is left as it is found.
 */
import type { EntryRule, Values } from './rule.ts';
import { choice, group, whole } from './setting.ts';

/** https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html */
const shardsMax = 10_000;
const [retentionLeastHours, retentionMaxHours] = [24, 8_760];
const [recordLeastKib, recordMaxKib] = [1_024, 10_240];
/** Ten years; 100 MiB. */
const kafkaRetentionMaxHours = 87_600;
const kafkaMessageMaxKib = 102_400;

export const kinesisShape = group({
  description: 'How large the Kinesis stream is, for `sluice topics` and `sluice cost`.',
  properties: {
    mode: choice({
      description:
        'Who sizes the stream: you, by shards, or AWS. Unset: `provisioned` when created.',
      enum: ['provisioned', 'on-demand'],
      examples: ['provisioned'],
    }),
    shards: whole({
      description: 'Shards, of `provisioned`. Unset: 1 when created.',
      minimum: 1,
      maximum: shardsMax,
      examples: [12],
    }),
    retention_h: whole({
      description: 'How long records are kept. Unset: 24 when created.',
      unit: 'h',
      as: 'retentionMs',
      minimum: retentionLeastHours,
      maximum: retentionMaxHours,
      examples: [24],
    }),
    record_max_kb: whole({
      description: 'Largest record. Unset: 1,024 when created.',
      unit: 'KiB',
      as: 'recordMaxBytes',
      minimum: recordLeastKib,
      maximum: recordMaxKib,
      examples: [1_024],
    }),
  },
});

export const kafkaShape = group({
  description: 'How large the Kafka topic is, for `sluice topics` and `sluice cost`.',
  properties: {
    partitions: whole({
      description: 'Partitions. Unset: 1 when created.',
      minimum: 1,
      maximum: 10_000,
      examples: [6],
    }),
    replicas: whole({
      description:
        'Brokers that keep each partition. Only for a new topic. Unset: as the brokers say.',
      minimum: 1,
      maximum: 32,
      examples: [3],
    }),
    retention_h: whole({
      description: 'How long records are kept (`retention.ms`). Unset: as the brokers say.',
      unit: 'h',
      as: 'retentionMs',
      minimum: 1,
      maximum: kafkaRetentionMaxHours,
      examples: [168],
    }),
    message_max_kb: whole({
      description:
        'Largest batch of records (`max.message.bytes`); larger events become claims. Unset: as the brokers say.',
      unit: 'KiB',
      as: 'messageMaxBytes',
      minimum: 1,
      maximum: kafkaMessageMaxKib,
      examples: [8_192],
    }),
  },
});

export const shardsOfProvisioned: EntryRule = ({ kinesis }) => {
  const { mode, shards } = (kinesis ?? {}) as Values;
  return mode === 'on-demand' && shards !== undefined
    ? {
        path: ['kinesis', 'shards'],
        message: 'AWS chooses the shards of a stream that is on-demand',
        expected: 'shards only with mode: provisioned',
      }
    : undefined;
};

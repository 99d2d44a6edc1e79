/**
 * The sections that the services need and `sluice start` does not: where Kinesis, Kafka and S3 are,
 * and how enrich runs. Those of sinks are in schemas/sinks.
 */
import type { KafkaCompression } from '../kafka-compressions.ts';
import { kafkaCompressions } from '../kafka-compressions.ts';
import { assert } from '../kernel/assert.ts';
import { limits } from '../limits.ts';
import { folderNameMaxBytes } from '../partition.ts';
import { awsPlace, region } from './aws-place.ts';
import { inFormat, partsOf } from './formats.ts';
import { functionMax, listenHost, parallelism } from './ingress.ts';
import type { Finding, SectionRules } from './rule.ts';
import type { ValueOf } from './setting.ts';
import { choice, flag, group, text, whole } from './setting.ts';
import { state } from './state.ts';

/** GetRecords of a shard: five a second, which all its readers share (a quota of Kinesis). */
export const kinesisReadIntervalMs = 200;
/** How far apart the reads of a topology may be set. */
const kinesisReadEveryMaxMs = 10_000;
/** Checkpoint interval of the service. */
const checkpointIntervalMs = 10_000;
/**
 * The name of a file of a table, with its slashes: together with the name of the table and the
 * folders of a partition that is a key.
 */
const tableFileNameMaxBytes = 160;
/**
 * A key of S3, https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html, and the
 * prefix of all of ours.
 */
const s3KeyMaxBytes = 1_024;
const s3PrefixMaxBytes = 200;
assert(
  s3PrefixMaxBytes +
    'lake//date=YYYY-MM-DD/hour=HH///'.length +
    limits.tableNameMaxChars +
    2 * folderNameMaxBytes +
    tableFileNameMaxBytes <=
    s3KeyMaxBytes,
  'the longest path of a table fits a key',
);
assert(
  limits.sinkCommitWaitMs < checkpointIntervalMs,
  'a sink that is late keeps the others from no checkpoint',
);

export const kinesis = group({
  description: 'Kinesis, of `sluice ingest` and `sluice enrich`.',
  properties: {
    ...awsPlace,
    read_every_ms: whole({
      description: 'Time between two reads of a shard that has more. All readers share 5 a second.',
      unit: 'ms',
      default: limits.kinesisReadEveryMs,
      minimum: kinesisReadIntervalMs,
      maximum: kinesisReadEveryMaxMs,
    }),
    fan_out: flag({
      description:
        'Whether each topology reads with its own consumer (enhanced fan-out), `sluice-<topology>`, registered if it does not exist.',
      default: false,
    }),
    idle_read_every_ms: whole({
      description: 'Time between two reads of a shard whose end was reached.',
      unit: 'ms',
      default: limits.kinesisIdleReadEveryMs,
      minimum: kinesisReadIntervalMs,
      maximum: kinesisReadEveryMaxMs,
    }),
  },
});

export const kafka = group({
  description: 'Kafka, of `sluice ingest` and `sluice enrich`.',
  properties: {
    brokers: text({
      ...inFormat('brokers'),
      description: 'Brokers to connect to first. Unset: Kafka is not configured.',
      examples: ['b-1.example:9098,b-2.example:9098'],
    }),
    tls: flag({ description: 'Whether to connect with TLS.', default: false }),
    auth: choice({
      description: '`msk_iam`: SASL/OAUTHBEARER with tokens signed by credentials of AWS.',
      default: 'none',
      enum: ['none', 'msk_iam'],
    }),
    region: text({ ...region, description: 'Region of the cluster, for `auth: msk_iam`.' }),
    role_arn: text({
      description: 'Role to assume first, for `auth: msk_iam`.',
      pattern: '^arn:[a-z-]+:iam::\\d{12}:role/\\S+$',
      expected: 'a role such as arn:aws:iam::123456789012:role/kafka',
      examples: ['arn:aws:iam::123456789012:role/kafka'],
    }),
    compression: choice({
      description: 'Compression of the records that the ingress writes. Any of them is read.',
      default: 'none',
      enum: kafkaCompressions,
    }),
    compacted_topics: choice({
      description:
        'What to do with topics whose `cleanup.policy` has `compact`: they keep only the newest event of a key.',
      default: 'refuse',
      enum: ['refuse', 'accept'],
    }),
  },
});

export const s3 = group({
  description: 'S3, for tables, checkpoints and claims of `sluice ingest` and `sluice enrich`.',
  properties: {
    ...awsPlace,
    bucket: text({
      description: 'Bucket. Unset: S3 is not configured.',
      pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$',
      expected: 'the name of a bucket: 3 to 63 of a-z 0-9 . -',
      examples: ['events-dev'],
    }),
    prefix: text({
      description: 'Folder in the bucket, above `lake/`, `checkpoints/` and `claims/`.',
      pattern: '^(?:[A-Za-z0-9._=-]+/)+$',
      maxLength: s3PrefixMaxBytes,
      expected: `folders of A-Z a-z 0-9 . _ = -, each with / at its end`,
      examples: ['sluice/'],
    }),
  },
});

export const enrich = group({
  description: 'The process of `sluice enrich`.',
  properties: {
    host: listenHost,
    port: whole({
      description: 'Port of health and readiness; 0 means any free port.',
      default: 8_081,
      minimum: 0,
      maximum: 65_535,
    }),
    checkpoint_ms: whole({
      description: 'Time between two checkpoints.',
      unit: 'ms',
      as: 'checkpointIntervalMs',
      default: checkpointIntervalMs,
      minimum: 100,
      maximum: 3_600_000,
    }),
    function_max_ms: functionMax,
    state,
    parallelism,
    parquet_file_age_ms: whole({
      description: 'Age at which a Parquet file is published.',
      unit: 'ms',
      as: 'parquetFileMaxAgeMs',
      default: 300_000,
      minimum: 0,
      maximum: 86_400_000,
    }),
  },
});

export type KinesisConfig = ValueOf<typeof kinesis>;
export type EnrichConfig = ValueOf<typeof enrich>;

type KafkaValues = ValueOf<typeof kafka>;
export interface KafkaConfig
  extends Omit<KafkaValues, 'brokers' | 'compression' | 'compactedTopics'> {
  /** `host:port`; none: not configured. */
  readonly brokers: readonly string[];
  /** Undefined: none. */
  readonly compression: Exclude<KafkaCompression, 'none'> | undefined;
  /** Undefined: they are refused. */
  readonly compactedTopics: 'accept' | undefined;
}

type S3Values = ValueOf<typeof s3>;
export interface S3Config extends Omit<S3Values, 'prefix'> {
  /** Empty, or ends with `/`. */
  readonly prefix: string;
}

export function kafkaOf({
  brokers,
  compression,
  compactedTopics,
  ...settings
}: KafkaValues): KafkaConfig {
  return {
    brokers: brokers === undefined ? [] : partsOf(brokers),
    ...settings,
    compression: compression === 'none' ? undefined : compression,
    compactedTopics: compactedTopics === 'accept' ? 'accept' : undefined,
  };
}

function* regionOfTokens({ kafka }: { readonly kafka: KafkaConfig }): Iterable<Finding> {
  if (kafka.auth === 'msk_iam' && kafka.region === undefined)
    yield {
      path: ['kafka', 'region'],
      at: ['kafka'],
      message: 'is missing: tokens are signed for a region',
      expected: 'the region of the cluster, such as eu-central-1',
    };
}

export const serviceRules: SectionRules<{ readonly kafka: KafkaConfig }> = {
  whole: [regionOfTokens],
};

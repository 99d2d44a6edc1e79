/**
 * The sections that the services need and `sluice start` does not: where Kinesis, Kafka, S3,
 * Firehose and Neo4j are, and how enrich runs. Credentials of AWS are never here: they come by the
 * SDK's default chain.
 */
import type { Field, FieldValue } from './config-fields.ts';
import type { KafkaCompression } from './kafka-compressions.ts';
import { kafkaCompressions } from './kafka-compressions.ts';
import { limits } from './limits.ts';

/** Where a service of AWS is. Undefined: as the environment and the shared configuration say. */
export interface AwsPlace {
  readonly region: string | undefined;
  /** Of an emulator, or a private endpoint. */
  readonly endpoint: string | undefined;
}

export interface KinesisConfig extends AwsPlace {
  /**
   * A shard gives five reads a second to all its readers together: how often one topology reads it
   * while it has more, and once its end was found.
   */
  readonly readEveryMs: number;
  readonly idleReadEveryMs: number;
  /**
   * Whether each topology reads by a consumer of its own (enhanced fan-out), `sluice-<topology>`,
   * which is registered where it is not there.
   */
  readonly fanOut: boolean;
}

export interface KafkaConfig {
  /** `host:port`; none: not configured. */
  readonly brokers: readonly string[];
  readonly tls: boolean;
  /** `msk_iam`: SASL/OAUTHBEARER with tokens that are signed by the credentials of AWS. */
  readonly auth: 'none' | 'msk_iam';
  /** Of `msk_iam`: the cluster's. */
  readonly region: string | undefined;
  /**
   * Of `msk_iam`: a role to take on, so that the principal stays the same when the service's own
   * credentials change their session name.
   */
  readonly roleArn: string | undefined;
  /** Of the records that the ingress writes. Undefined: none. */
  readonly compression: Exclude<KafkaCompression, 'none'> | undefined;
  /**
   * What becomes of topics whose `cleanup.policy` has `compact`: they keep only the newest event of
   * a key. Undefined: they are refused.
   */
  readonly compactedTopics: 'accept' | undefined;
}

export interface S3Config extends AwsPlace {
  /** Undefined: not configured. */
  readonly bucket: string | undefined;
  /**
   * Empty, or ends with `/`. Below it lie `lake/`, `checkpoints/`, `claims/` and what is staged for
   * them.
   */
  readonly prefix: string;
}

export interface FirehoseConfig extends AwsPlace {
  /** Delivery streams by the table whose rows they take; other tables are written as Parquet. */
  readonly tables: Readonly<Record<string, string>>;
}

export interface Neo4jConfig {
  /** Undefined: not configured. */
  readonly url: string | undefined;
  readonly user: string;
  /** The password, or the file that has it. Belongs into no log and no error. */
  readonly password: { readonly text: string } | { readonly file: string } | undefined;
  /** Undefined: the user's home database. */
  readonly database: string | undefined;
}

export interface EnrichConfig {
  readonly host: string;
  /** Of health and readiness; 0 takes any free port. */
  readonly port: number;
  readonly checkpointIntervalMs: number;
  /** How long one call of an author's function may take. */
  readonly functionMaxMs: number;
  readonly parquetFileMaxAgeMs: number;
}

export interface ServicesConfig {
  readonly kinesis: KinesisConfig;
  readonly kafka: KafkaConfig;
  readonly s3: S3Config;
  readonly firehose: FirehoseConfig;
  readonly neo4j: Neo4jConfig;
  readonly enrich: EnrichConfig;
}

const broker = /^[A-Za-z0-9.-]+:\d{1,5}$/;
const brokersExpected =
  'host:port, with commas between several, such as b-1.example:9098,b-2.example:9098';
const listOf = (text: string): readonly string[] =>
  text === '' ? [] : text.split(',').map((part) => part.trim());

const brokers = (value: string): string | undefined =>
  listOf(value).every((part) => broker.test(part)) ? undefined : brokersExpected;
const address = (protocols: readonly string[], expected: string): Field => ({
  type: 'string',
  default: '',
  shown: 'written',
  check: (value) => {
    if (!URL.canParse(value)) return expected;
    const { protocol, username, password } = new URL(value);
    return protocols.includes(protocol) && username === '' && password === ''
      ? undefined
      : expected;
  },
});
const region: Field = {
  type: 'string',
  default: '',
  check: (value) => (/^[a-z0-9-]{3,32}$/.test(value) ? undefined : 'a region such as eu-central-1'),
};
const place: Readonly<Record<keyof AwsPlace, Field>> = {
  region,
  endpoint: address(['http:', 'https:'], 'an http or https address without user and password'),
};

export const serviceSections: Readonly<
  Record<keyof ServicesConfig, Readonly<Record<string, Field>>>
> = {
  kinesis: {
    ...place,
    read_every_ms: {
      type: 'integer',
      default: limits.kinesisReadEveryMs,
      min: limits.kinesisReadIntervalMs,
      max: limits.kinesisReadEveryMaxMs,
    },
    fan_out: { type: 'boolean', default: false },
    idle_read_every_ms: {
      type: 'integer',
      default: limits.kinesisIdleReadEveryMs,
      min: limits.kinesisReadIntervalMs,
      max: limits.kinesisReadEveryMaxMs,
    },
  },
  kafka: {
    brokers: {
      type: 'string',
      default: '',
      check: (value) => (value === '' ? brokersExpected : brokers(value)),
    },
    tls: { type: 'boolean', default: false },
    auth: { type: 'string', default: 'none', oneOf: ['none', 'msk_iam'] },
    region,
    role_arn: {
      type: 'string',
      default: '',
      check: (value) =>
        /^arn:[a-z-]+:iam::\d{12}:role\/\S+$/.test(value)
          ? undefined
          : 'a role such as arn:aws:iam::123456789012:role/kafka',
    },
    compression: { type: 'string', default: 'none', oneOf: kafkaCompressions },
    compacted_topics: { type: 'string', default: 'refuse', oneOf: ['refuse', 'accept'] },
  },
  s3: {
    ...place,
    bucket: {
      type: 'string',
      default: '',
      check: (value) =>
        /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value)
          ? undefined
          : 'the name of a bucket: 3 to 63 of a-z 0-9 . -',
    },
    prefix: {
      type: 'string',
      default: '',
      check: (value) => {
        if (value.length > limits.s3PrefixMaxBytes)
          return `${limits.s3PrefixMaxBytes} characters at most`;
        return /^(?:[A-Za-z0-9._=-]+\/)+$/.test(value)
          ? undefined
          : 'folders of A-Z a-z 0-9 . _ = -, each with / at its end';
      },
    },
  },
  firehose: place,
  neo4j: {
    url: address(
      ['bolt:', 'bolt+s:', 'neo4j:', 'neo4j+s:'],
      'an address such as neo4j+s://graph.example (bolt, bolt+s, neo4j, neo4j+s), without user and password',
    ),
    user: { type: 'string', default: 'neo4j' },
    password: { type: 'string', default: '' },
    password_file: { type: 'string', default: '' },
    database: { type: 'string', default: '' },
  },
  enrich: {
    host: {
      type: 'string',
      default: '127.0.0.1',
      check: (value) => (/^[A-Za-z0-9.:_-]+$/.test(value) ? undefined : 'a host name or address'),
    },
    port: { type: 'integer', default: 8_081, min: 0, max: 65_535 },
    checkpoint_ms: {
      type: 'integer',
      default: limits.checkpointIntervalMs,
      min: 100,
      max: 3_600_000,
    },
    function_max_ms: {
      type: 'integer',
      default: limits.functionMaxMs,
      min: limits.functionMinMs,
      max: 3_600_000,
    },
    parquet_file_age_ms: {
      type: 'integer',
      default: limits.parquetFileMaxAgeMs,
      min: 0,
      max: 86_400_000,
    },
  },
};

/** Of `firehose.tables`. */
export const deliveryStreamField: Field = {
  type: 'string',
  check: (value) =>
    /^[A-Za-z0-9._-]{1,64}$/.test(value)
      ? undefined
      : 'the name of a delivery stream: 1 to 64 of A-Z a-z 0-9 . _ -',
};
export const tableExpected = 'the name of a table';
export const isTable = (name: string): boolean => /^[a-z][a-z0-9_]{0,62}$/.test(name);

type Values = Readonly<Record<string, FieldValue>>;

const given = (value: FieldValue | undefined): string | undefined =>
  value === undefined || value === '' ? undefined : String(value);
const placeOf = (values: Values): AwsPlace => ({
  region: given(values['region']),
  endpoint: given(values['endpoint']),
});

/**
 * The sections' values after checks, by section; `tables` of firehose and the path of the
 * password's file come apart.
 */
export function servicesOf(
  values: Readonly<Record<keyof ServicesConfig, Values>>,
  tables: FirehoseConfig['tables'],
  pathOf: (file: string) => string,
): ServicesConfig {
  const { kinesis, kafka, s3, firehose, neo4j, enrich } = values;
  const [text, file] = [given(neo4j['password']), given(neo4j['password_file'])];
  return {
    kinesis: {
      ...placeOf(kinesis),
      readEveryMs: kinesis['read_every_ms'] as number,
      idleReadEveryMs: kinesis['idle_read_every_ms'] as number,
      fanOut: kinesis['fan_out'] as boolean,
    },
    kafka: {
      brokers: listOf(String(kafka['brokers'])),
      tls: kafka['tls'] as boolean,
      auth: kafka['auth'] as KafkaConfig['auth'],
      region: given(kafka['region']),
      roleArn: given(kafka['role_arn']),
      compression:
        kafka['compression'] === 'none'
          ? undefined
          : (kafka['compression'] as KafkaConfig['compression']),
      compactedTopics: kafka['compacted_topics'] === 'accept' ? 'accept' : undefined,
    },
    s3: { ...placeOf(s3), bucket: given(s3['bucket']), prefix: String(s3['prefix']) },
    firehose: { ...placeOf(firehose), tables },
    neo4j: {
      url: given(neo4j['url']),
      user: String(neo4j['user']),
      password:
        file === undefined ? (text === undefined ? undefined : { text }) : { file: pathOf(file) },
      database: given(neo4j['database']),
    },
    enrich: {
      host: String(enrich['host']),
      port: enrich['port'] as number,
      checkpointIntervalMs: enrich['checkpoint_ms'] as number,
      functionMaxMs: enrich['function_max_ms'] as number,
      parquetFileMaxAgeMs: enrich['parquet_file_age_ms'] as number,
    },
  };
}

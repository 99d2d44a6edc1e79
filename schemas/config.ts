/**
 * The effective configuration, after defaults, interpolation and checks: what the rest of the
 * system is given. config-file.ts makes it from YAML; nothing else reads configuration.
 */
import type { AccessConfig, QuotaConfig } from './config-access.ts';
import type { ServicesConfig } from './config-services.ts';
import type { ClientContextConfig, SecretConfig, ValidateConfig } from './config-stream.ts';

/** Where a stream's data carries its attributes: JSON pointers (RFC 6901) into the data. */
export interface EventPointers {
  readonly id?: string;
  readonly time?: string;
  readonly key?: string;
  readonly type?: string;
}

export interface StreamConfig {
  readonly team: string;
  readonly app: string;
  /** `team/app`: the stream's name everywhere but at the vendors. */
  readonly name: string;
  readonly kinesisStream: string;
  readonly kafkaTopic: string;
  /**
   * `none`: the body is the data. `sluice`: the body is an object with `data` and attributes beside
   * it.
   */
  readonly envelope: 'none' | 'sluice';
  readonly event: EventPointers;
  /** What a 2xx means: in the stream; on this machine's disk; in memory. */
  readonly ack: Ack;
  /**
   * What `replicated` does while the stream cannot be reached: refuse with 503, or spool and say
   * so.
   */
  readonly whenDown: 'refuse' | 'spool';
  /**
   * `key`: events of one partition key and one path are in the stream in the order in which they
   * were sent.
   */
  readonly order: 'none' | 'key';
  /** Whether small events of the small path share a Kinesis record. */
  readonly aggregate: Aggregation;
  readonly quota?: QuotaConfig;
  /** Undefined: nothing of the client is kept. */
  readonly context?: ClientContextConfig;
  /** Undefined: data may be any JSON. */
  readonly validate?: ValidateConfig;
}

/**
 * Where the ingress writes what it counted. No key covers it; clients cannot write to team
 * `sluice`.
 */
export const ledgerStream: StreamConfig = {
  team: 'sluice',
  app: 'ledger',
  name: 'sluice/ledger',
  kinesisStream: 'sluice-ledger',
  kafkaTopic: 'sluice-ledger',
  envelope: 'none',
  event: {},
  ack: 'replicated',
  whenDown: 'refuse',
  order: 'none',
  aggregate: 'none',
};

/**
 * `kpl`: in the format of the Kinesis Producer Library, which Firehose reads as well; `kpl-gzip`:
 * that compressed, which only sources here read.
 */
export type Aggregation = 'none' | 'kpl' | 'kpl-gzip';

export type Ack = 'replicated' | 'spooled' | 'buffered';

export interface IngressConfig {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly bodyMaxBytes: number;
  readonly bodyDecodedMaxBytes: number;
  readonly inFlightMaxBytes: number;
  /** Of each spool: one stream, one path. */
  readonly spoolMaxBytes: number;
  /** Answered events of `ack: buffered` that are on their way, of each stream. */
  readonly bufferMaxBytes: number;
  /**
   * How long an accepted event's identity is remembered, while those of all senders fit
   * `repeatWindowMaxBytes`.
   */
  readonly repeatWindowMs: number;
  readonly repeatWindowMaxBytes: number;
  /**
   * Requests of one client address (of IPv6 its network of 64 bits); undefined: as many as it
   * likes.
   */
  readonly addressQuota: QuotaConfig | undefined;
  /** WebSockets of one client address at a time. */
  readonly addressWebSocketsMax: number;
  /**
   * Proxies in front that append to X-Forwarded-For or Forwarded: the client's address is the entry
   * that many from the right.
   */
  readonly trustedProxies: number;
  /** What addresses are digested with, for streams with `context: {ip: hmac}`. */
  readonly addressSecret?: SecretConfig;
  readonly logLevel: LogLevel;
}

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug';

export interface RoutingConfig {
  readonly largeMessageThresholdBytes: number;
  /** Whether an event that fits may take the other path while its own is down. */
  readonly failover: boolean;
  /** Whether data beyond both paths goes to the blob store, and a pointer to it into the stream. */
  readonly claimCheck: boolean;
}

/** Where Prometheus asks. Numbers of every team are there, so it is a listener of its own. */
export interface MetricsConfig {
  readonly host: string;
  /** 0 takes any free port. Undefined: what the command has by default. */
  readonly port: number | undefined;
  /** Further names by which it is asked, beside addresses and those of loopback. */
  readonly hosts: readonly string[];
}

export interface LocalConfig {
  /** Shards of each embedded Kinesis stream. */
  readonly kinesisShards: number;
  /** Partitions of each embedded Kafka topic. */
  readonly kafkaPartitions: number;
  readonly retentionMaxBytes: number;
  readonly retentionMaxMs: number;
  readonly checkpointIntervalMs: number;
  /** How long one call of an author's function may take. */
  readonly functionMaxMs: number;
  readonly parquetFileMaxAgeMs: number;
}

/**
 * A look-up that a topology's `connector(name)` is bound to. Both may carry secrets: neither
 * belongs into a log or an error.
 */
export interface HttpLookupConfig {
  /** `{key}` in it is the key. */
  readonly url: string;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface SluiceConfig extends ServicesConfig {
  /** The file it came from, as given. */
  readonly file: string;
  /** One that does not may be half saved. */
  readonly endsInLineBreak: boolean;
  readonly streams: readonly StreamConfig[];
  readonly routing: RoutingConfig;
  readonly ingress: IngressConfig;
  readonly access: AccessConfig;
  readonly metrics: MetricsConfig;
  readonly local: LocalConfig;
  /** By the name that topologies use. */
  readonly lookups: Readonly<Record<string, HttpLookupConfig>>;
  /** Topology files, absolute. */
  readonly topologies: readonly string[];
}

/**
 * The effective configuration, after defaults, interpolation and checks: what the rest of the system is given.
 * config-file.ts makes it from YAML; nothing else reads configuration.
 */

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
  /** `none`: the body is the data. `sluice`: the body is an object with `data` and attributes beside it. */
  readonly envelope: 'none' | 'sluice';
  readonly event: EventPointers;
  /** What a 2xx means. */
  readonly ack: 'replicated';
}

export interface IngressConfig {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly bodyMaxBytes: number;
  readonly bodyDecodedMaxBytes: number;
  readonly inFlightMaxBytes: number;
}

export interface LocalConfig {
  /** Shards of each embedded Kinesis stream. */
  readonly kinesisShards: number;
  /** Partitions of each embedded Kafka topic. */
  readonly kafkaPartitions: number;
  readonly retentionMaxBytes: number;
  readonly retentionMaxMs: number;
  readonly checkpointIntervalMs: number;
  readonly parquetFileMaxAgeMs: number;
}

/** A look-up that a topology's `connector(name)` is bound to. Both may carry secrets: neither belongs into a log or an error. */
export interface HttpLookupConfig {
  /** `{key}` in it is the key. */
  readonly url: string;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface SluiceConfig {
  /** The file it came from, as given. */
  readonly file: string;
  readonly streams: readonly StreamConfig[];
  readonly routing: { readonly largeMessageThresholdBytes: number };
  readonly ingress: IngressConfig;
  readonly local: LocalConfig;
  /** By the name that topologies use. */
  readonly lookups: Readonly<Record<string, HttpLookupConfig>>;
  /** Topology files, absolute. */
  readonly topologies: readonly string[];
}

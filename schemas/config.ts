/**
 * The effective configuration, after defaults, interpolation and checks, that the rest of the
 * system uses. config-file.ts makes it from YAML; nothing else reads configuration. The types of
 * the sections are derived from the table (config/table.ts), which describes each setting.
 */
import type { AccessConfig } from './config/access.ts';
import type { IngressConfig, LocalConfig, MetricsConfig, RoutingConfig } from './config/ingress.ts';
import type { LookupConfig } from './config/lookups.ts';
import type { EnrichConfig, KafkaConfig, KinesisConfig, S3Config } from './config/services.ts';
import type { StreamConfig } from './config/streams.ts';
import type { SinkConfigs } from './sinks/sinks.ts';

export type { AccessConfig, JwtConfig, KeyConfig } from './config/access.ts';
export type {
  IngressConfig,
  LocalConfig,
  LogLevel,
  MetricsConfig,
  SecretConfig,
} from './config/ingress.ts';
export type { HttpLookupConfig, LookupConfig } from './config/lookups.ts';
export type { KafkaConfig, KinesisConfig, S3Config } from './config/services.ts';
export type {
  Ack,
  Aggregation,
  ClientContextConfig,
  QuotaConfig,
  StreamConfig,
} from './config/streams.ts';
export { ledgerStream } from './config/streams.ts';

export interface SluiceConfig {
  /** The file it came from, as given. */
  readonly file: string;
  /** One that does not may be half saved. */
  readonly endsInLineBreak: boolean;
  readonly streams: readonly StreamConfig[];
  readonly routing: RoutingConfig;
  readonly ingress: IngressConfig;
  readonly local: LocalConfig;
  readonly metrics: MetricsConfig;
  readonly kinesis: KinesisConfig;
  readonly kafka: KafkaConfig;
  readonly s3: S3Config;
  /** By what they write to. */
  readonly sinks: SinkConfigs;
  readonly enrich: EnrichConfig;
  readonly access: AccessConfig;
  /**
   * By the name that topologies use. They may carry secrets: never log them or put them into an
   * error.
   */
  readonly lookups: Readonly<Record<string, LookupConfig>>;
  /** Topology files, absolute. */
  readonly topologies: readonly string[];
}

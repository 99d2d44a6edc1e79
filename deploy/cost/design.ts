/**
 * What is priced: the choices of a deployment, from its configuration, and the load on it. Data
 * alone; bill.ts prices it. Pure.
 */
import type { Aggregation, SluiceConfig } from '../../schemas/config.ts';
import { ledgerStream } from '../../schemas/config.ts';

const hourMs = 3_600_000;
/** What Kinesis and Kafka keep where nothing is set. */
export const kinesisRetentionLeastHours = 24;
const kafkaRetentionHours = 168;

export interface StreamDesign {
  /** `team/app` */
  readonly name: string;
  readonly aggregate: Aggregation;
  readonly mode: 'provisioned' | 'on-demand';
  readonly retentionHours: number;
  /** As configured; undefined: as many as the load needs. */
  readonly shards: number | undefined;
}

export interface Design {
  readonly streams: readonly StreamDesign[];
  /** Topologies, each of which reads every stream. */
  readonly readers: number;
  readonly fanOut: boolean;
  /** Where events above the threshold go. */
  readonly large: 'kafka' | 'claims';
  /** MSK Serverless, three small brokers of MSK, or a cluster that is not billed here. */
  readonly kafka: 'serverless' | 'brokers' | 'own';
  readonly kafkaPartitions: number;
  readonly kafkaRetentionHours: number;
  /** Part of the rows that go by Firehose; the rest is Parquet that Sluice writes. */
  readonly firehoseShare: number;
  /** Whether rows share Firehose records, as Sluice's do. */
  readonly firehosePacked: boolean;
  readonly firehoseFormat: 'parquet' | 'iceberg';
  readonly parquetFilesPerHour: number;
  readonly edge: 'nlb' | 'api-gateway';
  /** What runs the topologies. */
  readonly engine: 'sluice' | 'managed-flink';
}

export interface StreamLoad {
  readonly stream: string;
  /** Of the small route, on average over the month. */
  readonly eventsPerSecond: number;
  /** Of the data of an event, on average. */
  readonly eventBytes: number;
}

export interface Load {
  readonly streams: readonly StreamLoad[];
  /** The busiest seconds, as a multiple of the average. */
  readonly peakFactor: number;
  /** Events above the threshold, of all streams together. */
  readonly large: { readonly eventsPerSecond: number; readonly eventBytes: number };
  /** How many times smaller `kpl-gzip` makes records. */
  readonly compression: number;
  readonly eventsPerRequest: number;
}

/** What no configuration says. */
export interface Places {
  readonly edge: Design['edge'];
  readonly kafka: Design['kafka'];
  /** Undefined: all rows, where the configuration sends a table by Firehose. */
  readonly firehoseShare: number | undefined;
  readonly engine: Design['engine'];
}

export function designOf(
  config: SluiceConfig,
  { edge, kafka, firehoseShare, engine }: Places,
): Design {
  const streams = [...config.streams, ledgerStream];
  const share = firehoseShare ?? (Object.keys(config.sinks.firehose.tables).length > 0 ? 1 : 0);
  const kept = config.streams.map(({ kafka }) => (kafka.retentionMs ?? 0) / hourMs);
  return {
    streams: streams.map(({ name, aggregate, kinesis }) => ({
      name,
      aggregate,
      mode: kinesis.mode ?? 'provisioned',
      retentionHours: (kinesis.retentionMs ?? 0) / hourMs || kinesisRetentionLeastHours,
      shards: kinesis.shards,
    })),
    readers: Math.max(1, config.topologies.length),
    fanOut: config.kinesis.fanOut,
    large: 'kafka',
    kafka,
    kafkaPartitions: streams.reduce((sum, { kafka }) => sum + (kafka.partitions ?? 1), 0),
    kafkaRetentionHours: Math.max(0, ...kept) || kafkaRetentionHours,
    firehoseShare: share,
    firehosePacked: true,
    firehoseFormat: config.sinks.firehose.format,
    // A file is published by a checkpoint.
    parquetFilesPerHour:
      hourMs / Math.max(config.enrich.parquetFileMaxAgeMs, config.enrich.checkpointIntervalMs),
    edge,
    engine,
  };
}

/**
 * The design that Sluice began as: API Gateway, streams on-demand, rows one by one by Firehose, and
 * Managed Flink. Events are as they come.
 */
export function originDesign(design: Design): Design {
  return {
    ...design,
    streams: changedStreams(design, { aggregate: 'none', mode: 'on-demand' }),
    readers: 1,
    fanOut: false,
    kafka: 'serverless',
    firehoseShare: 1,
    firehosePacked: false,
    firehoseFormat: 'parquet',
    edge: 'api-gateway',
    engine: 'managed-flink',
  };
}

/**
 * The streams with another choice, and so with as many shards as that needs. The ledger is no one's
 * choice.
 */
export function changedStreams(
  { streams }: Design,
  change: Partial<StreamDesign>,
): readonly StreamDesign[] {
  return streams.map((stream) =>
    stream.name === ledgerStream.name ? stream : { ...stream, shards: undefined, ...change },
  );
}

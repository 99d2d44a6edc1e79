/**
 * What a deployment costs an hour now, as CloudWatch computes it from its own metrics and the prices
 * of `sluice cost` (deploy/cost/prices.yaml). Pure.
 *
 * Not in it: nodes, whose number CloudWatch does not know, and what has no metric of its own
 * (requests of S3, logs). The bill has them.
 */
import type { Deployment } from './deployment.ts';
import { applicationOf, flinkOf } from './deployment.ts';
import type { StreamConfig } from './sluice.ts';
import { endpointsOf } from './stacks/network.ts';
import type { FlinkApplication } from './stage-table.ts';

/** A metric of one hour. */
export interface HourMetric {
  readonly namespace: string;
  readonly metric: string;
  readonly dimensions: Readonly<Record<string, string>>;
  /** Default: the sum of the hour. */
  readonly statistic?: 'Average';
}

/** Dollars an hour: `expression` over `metrics`. */
export interface HourCost {
  readonly label: string;
  readonly expression: string;
  readonly metrics: Readonly<Record<string, HourMetric>>;
}

const gibi = 2 ** 30;
const putUnitBytes = 25 * 1_024;
const hourSeconds = 3_600;
const million = 1_000_000;

export function hourCosts(deployment: Deployment, kafkaName: string): readonly HourCost[] {
  const { streams, config } = deployment;
  return [
    ...streams.map((stream) => ofKinesis(stream, deployment)),
    ...streams.map((stream) => ofKafka(stream, deployment, kafkaName)),
    ...Object.values(config.sinks.firehose.tables).map((name) => ofFirehose(name, deployment)),
    ...flinkOf(deployment).map(([topology, settings]) =>
      ofFlink(applicationOf(deployment, topology), settings, deployment),
    ),
    fixed(deployment),
  ];
}

function ofKinesis(stream: StreamConfig, { prices: { price } }: Deployment): HourCost {
  const { kinesisStream, kinesis } = stream;
  const metric = (name: string): HourMetric => ({
    namespace: 'AWS/Kinesis',
    metric: name,
    dimensions: { StreamName: kinesisStream },
  });
  const label = `Kinesis ${kinesisStream}`;
  if (kinesis.mode === 'on-demand')
    return {
      label,
      expression: `${price.kinesis_on_demand_stream_hour} + i / ${gibi} * ${price.kinesis_on_demand_in_gb} + o / ${gibi} * ${price.kinesis_on_demand_out_gb}`,
      metrics: { i: metric('IncomingBytes'), o: metric('GetRecords.Bytes') },
    };
  const shards = (kinesis.shards ?? 1) * price.kinesis_shard_hour;
  return {
    label,
    // A record is at least one PUT unit.
    expression: `${shards} + MAX([r, i / ${putUnitBytes}]) / ${million} * ${price.kinesis_million_put_units}`,
    metrics: { r: metric('IncomingRecords'), i: metric('IncomingBytes') },
  };
}

function ofKafka(
  { kafkaTopic, kafka }: StreamConfig,
  { prices: { price } }: Deployment,
  cluster: string,
): HourCost {
  const metric = (name: string): HourMetric => ({
    namespace: 'AWS/Kafka',
    metric: name,
    dimensions: { 'Cluster Name': cluster, Topic: kafkaTopic },
    statistic: 'Average',
  });
  // No number in scientific notation: CloudWatch would take its `e` for a metric.
  const gibAnHour = `* ${hourSeconds} / ${gibi} *`;
  return {
    label: `Kafka ${kafkaTopic}`,
    expression: `${(kafka.partitions ?? 1) * price.msk_partition_hour} + i ${gibAnHour} ${price.msk_in_gb} + o ${gibAnHour} ${price.msk_out_gb}`,
    metrics: { i: metric('BytesInPerSec'), o: metric('BytesOutPerSec') },
  };
}

function ofFirehose(name: string, { prices: { price }, config }: Deployment): HourCost {
  const perGib =
    config.sinks.firehose.format === 'iceberg'
      ? price.firehose_iceberg_gb
      : price.firehose_gb + price.firehose_parquet_gb + price.firehose_partitioned_gb;
  return {
    label: `Firehose ${name}`,
    expression: `i / ${gibi} * ${perGib}`,
    metrics: {
      i: {
        namespace: 'AWS/Firehose',
        metric: 'IncomingBytes',
        dimensions: { DeliveryStreamName: name },
      },
    },
  };
}

/**
 * As the stage sizes it: autoscaling is not seen. While the job reports nothing it does not run, and
 * costs nothing.
 */
function ofFlink(
  name: string,
  { parallelism, parallelismPerKpu }: FlinkApplication,
  { prices: { price, assumed } }: Deployment,
): HourCost {
  const kpus = Math.ceil(parallelism / parallelismPerKpu);
  const kept = kpus * assumed.flink_gb_per_kpu * price.flink_kept_gb_month;
  const dollars = (kpus + 1) * price.flink_kpu_hour + kept / assumed.month_hours;
  return {
    label: `Managed Flink ${name}`,
    expression: `${dollars} + 0 * u`,
    metrics: {
      u: {
        namespace: 'AWS/KinesisAnalytics',
        metric: 'uptime',
        dimensions: { Application: name },
        statistic: 'Average',
      },
    },
  };
}

/** What costs the same each hour; the metric only gives the line its points. */
function fixed(deployment: Deployment): HourCost {
  const {
    stage,
    streams,
    prices: { price },
  } = deployment;
  const { zones, natGateways } = stage.network;
  const dollars =
    price.msk_cluster_hour +
    price.eks_cluster_hour +
    price.nlb_hour +
    endpointsOf(deployment).size * zones * price.endpoint_hour +
    Math.min(natGateways, zones) * price.nat_hour;
  return {
    label: 'Kafka, EKS, load balancer, endpoints and NAT, without nodes',
    expression: `${dollars} + 0 * FILL(r, 0)`,
    metrics: {
      r: {
        namespace: 'AWS/Kinesis',
        metric: 'IncomingRecords',
        dimensions: { StreamName: streams[0]?.kinesisStream ?? '' },
      },
    },
  };
}

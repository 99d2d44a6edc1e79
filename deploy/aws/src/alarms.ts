/**
 * When somebody is told: of each stream and delivery stream, by the metrics that AWS has of them.
 * Alarms on what the services themselves report belong to the cluster's own monitoring.
 */
import type { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { Deployment } from './deployment.ts';
import { applicationOf, archivedStreams, archiveOf, flinkOf } from './deployment.ts';
import type { StreamConfig } from './sluice.ts';
import type { FlinkApplication } from './stage-table.ts';

export interface AlarmSpec {
  readonly id: string;
  /** What it means, and what to do. */
  readonly description: string;
  readonly metric: (period: Duration) => cloudwatch.IMetric;
  readonly above: number;
  /** Where no data is as bad as a high value. */
  readonly isBadWhenMissing?: true;
  readonly minutes: number;
}

const mebi = 1_048_576;
const shardRecords = 1_000;
/** Percent of what the shards take. */
const busyAbove = 75;
/** Firehose writes every five minutes. */
const deliveredWithinSeconds = 900;

/** What somebody is told: what it is, and the page of the runbook, which is called as the alarm. */
export function describeAlarm(id: string, description: string): string {
  const [name = ''] = id.split('-');
  const page = name.replace(/\B[A-Z]/g, '-$&').toLowerCase();
  return `${description} Runbook: docs/operating/runbook/${page}.md`;
}

export function alarmsOf(deployment: Deployment): readonly AlarmSpec[] {
  const { streams, config, stage } = deployment;
  return [
    ...streams.flatMap((stream) => ofStream(stream, stage.observability.readerLagMs)),
    ...Object.values(config.sinks.firehose.tables).flatMap((name) =>
      config.sinks.firehose.format === 'iceberg'
        ? [late(name, 'Iceberg'), ...ofIceberg(name)]
        : [late(name, 'S3'), ...ofTable(name)],
    ),
    ...archivedStreams(deployment).map((stream) => late(archiveOf(deployment, stream), 'S3')),
    ...flinkOf(deployment).flatMap(([topology, settings]) =>
      ofFlink(applicationOf(deployment, topology), settings),
    ),
  ];
}

function metricOf(
  namespace: string,
  dimensions: Readonly<Record<string, string>>,
): (name: string, statistic: string, period: Duration) => cloudwatch.Metric {
  return (metricName, statistic, period) =>
    new cloudwatch.Metric({
      namespace,
      metricName,
      dimensionsMap: { ...dimensions },
      statistic,
      period,
    });
}

function ofStream({ kinesisStream, kinesis }: StreamConfig, lagMs: number): readonly AlarmSpec[] {
  const metric = metricOf('AWS/Kinesis', { StreamName: kinesisStream });
  const throttled: AlarmSpec = {
    id: `WritesThrottled-${kinesisStream}`,
    description: `Kinesis throttles writes to ${kinesisStream}: clients wait, or get 503. Add shards, or look for one hot partition key.`,
    metric: (period) => metric('WriteProvisionedThroughputExceeded', 'Sum', period),
    above: 0,
    minutes: 5,
  };
  const lag: AlarmSpec = {
    id: `ReadersBehind-${kinesisStream}`,
    description: `A reader of ${kinesisStream} is behind. sluice status says which topology, and what holds it back.`,
    metric: (period) => metric('GetRecords.IteratorAgeMilliseconds', 'Maximum', period),
    above: lagMs,
    minutes: 5,
  };
  if (kinesis.mode === 'on-demand') return [throttled, lag];
  const shards = kinesis.shards ?? 1;
  const busy: AlarmSpec = {
    id: `ShardsBusy-${kinesisStream}`,
    description: `The shards of ${kinesisStream} are more than ${busyAbove} % busy, all together. Add shards before writes are throttled.`,
    metric: (period) => {
      const seconds = period.toSeconds();
      return new cloudwatch.MathExpression({
        label: 'busy, percent',
        expression: `100 * MAX([bytes / ${seconds * mebi * shards}, records / ${seconds * shardRecords * shards}])`,
        usingMetrics: {
          bytes: metric('IncomingBytes', 'Sum', period),
          records: metric('IncomingRecords', 'Sum', period),
        },
        period,
      });
    },
    above: busyAbove,
    minutes: 5,
  };
  return [busy, throttled, lag];
}

const deliveryOf = (name: string) => metricOf('AWS/Firehose', { DeliveryStreamName: name });

const late = (name: string, to: 'S3' | 'Iceberg'): AlarmSpec => ({
  id: `DeliveryLate-${name}`,
  description: `Firehose holds what is sent to ${name} longer than ${deliveredWithinSeconds} s. Look at its log, at the rights on the bucket and the key.`,
  metric: (period) => deliveryOf(name)(`DeliveryTo${to}.DataFreshness`, 'Maximum', period),
  above: deliveredWithinSeconds,
  minutes: 5,
});

/** https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-metric.html */
const ofIceberg = (name: string): readonly AlarmSpec[] => [
  {
    id: `RowsNotDelivered-${name}`,
    description: `Rows of ${name} do not fit its Iceberg table: they are below errors/ in the bucket. Compare them with the columns of the table.`,
    metric: (period) => deliveryOf(name)('DeliveryToIceberg.FailedRowCount', 'Sum', period),
    above: 0,
    minutes: 5,
  },
];

const ofTable = (name: string): readonly AlarmSpec[] => [
  {
    id: `RowsNotConverted-${name}`,
    description: `Firehose cannot convert rows of ${name}: they are below errors/ in the bucket. Compare them with the columns of the table.`,
    metric: (period) => deliveryOf(name)('FailedConversion.Records', 'Sum', period),
    above: 0,
    minutes: 5,
  },
  {
    id: `FoldersTooMany-${name}`,
    description: `More folders of ${name} are open than Firehose allows: rows go to errors/. Request a higher quota, or write the table as Parquet.`,
    metric: (period) => deliveryOf(name)('PartitionCountExceeded', 'Maximum', period),
    above: 0,
    minutes: 5,
  },
];

/** Bytes of running storage that a KPU has, and the part of it that state should not pass. */
const [kpuStorageBytes, stateShare] = [50 * 2 ** 30, 0.5];

/**
 * Of an application. Its counters only rise, so that an alarm looks at how much in its time. How far
 * it is behind its streams is told by `ReadersBehind`, whoever reads them.
 *
 * https://docs.aws.amazon.com/managed-flink/latest/java/metrics-dimensions.html
 */
function ofFlink(
  name: string,
  { parallelism, parallelismPerKpu, checkpointIntervalMs }: FlinkApplication,
): readonly AlarmSpec[] {
  const metric = metricOf('AWS/KinesisAnalytics', { Application: name });
  const rise = (of: string) => (period: Duration) =>
    new cloudwatch.MathExpression({
      label: `${of}, more`,
      expression: 'most - least',
      usingMetrics: {
        most: metric(of, 'Maximum', period),
        least: metric(of, 'Minimum', period),
      },
      period,
    });
  const kpus = Math.ceil(parallelism / parallelismPerKpu);
  return [
    {
      id: `FlinkDown-${name}`,
      description: `The job ${name} does not run: it failed, or nobody started it. Look at its log, and at the status of the application.`,
      metric: (period) => metric('downtime', 'Average', period),
      above: 0,
      minutes: 5,
      isBadWhenMissing: true,
    },
    {
      id: `FlinkRestarts-${name}`,
      description: `The job ${name} restarts again and again, and repeats what came since its last checkpoint. Its log has the cause.`,
      metric: rise('fullRestarts'),
      above: 0,
      minutes: 15,
    },
    {
      id: `FlinkCheckpointFailing-${name}`,
      description: `Checkpoints of ${name} fail: tables stand still, and a restart would repeat more and more. Its log has the cause.`,
      metric: rise('numberOfFailedCheckpoints'),
      above: 0,
      minutes: 15,
    },
    {
      id: `FlinkCheckpointSlow-${name}`,
      description: `A checkpoint of ${name} takes longer than the time between two. Add KPUs, or look for an operator that is behind.`,
      metric: (period) => metric('lastCheckpointDuration', 'Maximum', period),
      above: checkpointIntervalMs,
      minutes: 5,
    },
    {
      id: `FlinkStateLarge-${name}`,
      description: `The state of ${name} is larger than ${100 * stateShare} % of the storage of ${kpus} KPU. Add KPUs, or look for state that never ends.`,
      metric: (period) => metric('lastCheckpointSize', 'Maximum', period),
      above: kpus * kpuStorageBytes * stateShare,
      minutes: 5,
    },
  ];
}

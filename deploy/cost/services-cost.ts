/**
 * What the services beside Kinesis cost: Kafka, tables, machines, the network, the edge. Pure. A
 * line is an amount times a price; where AWS rounds, so does the amount.
 */
import { kibi, mebi } from '../../schemas/kernel/bytes.ts';
import type { Design, Load } from './design.ts';
import type { CostLine } from './kinesis-cost.ts';
import { linesOf } from './kinesis-cost.ts';
import { count } from './numbers.ts';
import type { PriceList } from './price-list.ts';

const gibi = 1_024 * mebi;
const firehoseStepBytes = 5 * kibi;
const firehoseRecordMaxBytes = 1_000 * kibi;
const firehoseFirstGib = 500 * 1_024;
const apiStepBytes = 512 * kibi;
const apiFirstMillions = 300;

/** The load of a month, in the numbers that most lines want. */
export interface Month {
  readonly hours: number;
  readonly seconds: number;
  readonly events: number;
  /** Of the data, as it comes in: small and large. */
  readonly gib: number;
  readonly largeEvents: number;
  readonly largeGib: number;
}

export function monthOf({ streams, large }: Load, { assumed }: PriceList): Month {
  const hours = assumed.month_hours;
  const seconds = 3_600 * hours;
  const small = streams.reduce((sum, { eventsPerSecond }) => sum + eventsPerSecond, 0);
  const smallBytes = streams.reduce(
    (sum, { eventsPerSecond, eventBytes }) => sum + eventsPerSecond * eventBytes,
    0,
  );
  const largeGib = (large.eventsPerSecond * large.eventBytes * seconds) / gibi;
  return {
    hours,
    seconds,
    events: (small + large.eventsPerSecond) * seconds,
    gib: (smallBytes * seconds) / gibi + largeGib,
    largeEvents: large.eventsPerSecond * seconds,
    largeGib,
  };
}

export function kafkaLines(design: Design, month: Month, prices: PriceList): readonly CostLine[] {
  const { price, assumed } = prices;
  const { hours, largeGib, largeEvents } = month;
  if (design.large === 'kafka') return clusterLines(design, month, largeGib, prices);
  const thousands = largeEvents / 1e3;
  return [
    // What is in the topic is a pointer.
    ...clusterLines(design, month, 0, prices),
    ...linesOf('S3', [
      ['claims', thousands, 'thousand PUT', price.s3_thousand_puts],
      ['claims read', thousands * design.readers, 'thousand GET', price.s3_thousand_gets],
      ['claims kept', (largeGib * assumed.claim_days * 24) / hours, 'GB', price.s3_gb_month],
    ]),
  ];
}

function clusterLines(
  { kafka, kafkaPartitions, kafkaRetentionHours, readers }: Design,
  { hours, seconds }: Month,
  inGib: number,
  { price, assumed }: PriceList,
): readonly CostLine[] {
  if (kafka === 'own') return [];
  const keptGib = (inGib * kafkaRetentionHours) / hours;
  if (kafka === 'serverless')
    return linesOf('Kafka (MSK Serverless)', [
      ['cluster', hours, 'hours', price.msk_cluster_hour],
      ['partitions', kafkaPartitions * hours, 'partition-hours', price.msk_partition_hour],
      ['in', inGib, 'GB', price.msk_in_gb],
      ['out', inGib * readers, 'GB', price.msk_out_gb],
      ['kept', keptGib, 'GB', price.msk_kept_gb_month],
    ]);
  // Each broker has a replica of all, and reads of it what the others take.
  const mibPerSecond = (inGib * 1_024) / seconds;
  const sets = Math.max(1, Math.ceil(mibPerSecond / assumed.msk_broker_mib_per_second));
  const brokers = assumed.msk_brokers * sets;
  return linesOf('Kafka (MSK brokers)', [
    [`${brokers} brokers`, brokers * hours, 'broker-hours', price.msk_broker_hour],
    [
      'disks',
      Math.max(brokers * assumed.msk_broker_disk_gb, keptGib * assumed.msk_brokers),
      'GB',
      price.msk_broker_gb_month,
    ],
  ]);
}

/** Rows by Firehose, and bytes that they put through its endpoint. */
export function firehoseLines(
  { firehoseShare: share, firehosePacked, firehoseFormat }: Design,
  { hours, events, gib }: Month,
  { price, assumed }: PriceList,
): { readonly lines: readonly CostLine[]; readonly gib: number } {
  if (share === 0 || events === 0) return { lines: [], gib: 0 };
  const rows = events * share;
  const rowBytes = (gib * gibi) / events + assumed.row_bytes_more;
  const rowGib = (rows * rowBytes) / gibi;
  if (firehoseFormat === 'iceberg') {
    // Not rounded up, and the folders of a table cost nothing: it has none.
    const lines = linesOf('Firehose', [['to Iceberg', rowGib, 'GB', price.firehose_iceberg_gb]]);
    return { lines, gib: rowGib };
  }
  const perRecord = firehosePacked ? Math.max(1, Math.floor(firehoseRecordMaxBytes / rowBytes)) : 1;
  const step = Math.ceil((rowBytes * perRecord) / firehoseStepBytes) * firehoseStepBytes;
  const billed = ((rows / perRecord) * step) / gibi;
  const objects = assumed.partitions_of_tables * 12 * hours;
  const lines = linesOf('Firehose', [
    ['in', Math.min(billed, firehoseFirstGib), 'GB', price.firehose_gb],
    ['in > 500 TB', billed - firehoseFirstGib, 'GB', price.firehose_more_gb],
    ['to Parquet', billed, 'GB', price.firehose_parquet_gb],
    ['partitioned', rowGib / assumed.parquet_compression, 'GB', price.firehose_partitioned_gb],
    ['objects', objects / 1e3, 'thousand', price.firehose_thousand_objects],
    ['JQ', hours, 'hours', price.firehose_jq_hour],
  ]);
  return { lines, gib: rowGib };
}

export function lakeLines(
  { firehoseShare, parquetFilesPerHour }: Design,
  { hours, events, gib }: Month,
  { price, assumed }: PriceList,
): readonly CostLine[] {
  const isWritten = firehoseShare < 1 && events > 0;
  const puts = isWritten ? assumed.partitions_of_tables * parquetFilesPerHour * hours : 0;
  const kept = ((gib / assumed.parquet_compression) * assumed.lake_days * 24) / hours;
  return linesOf('S3', [
    ['Parquet', puts / 1e3, 'thousand PUT', price.s3_thousand_puts],
    ['tables kept', kept, 'GB', price.s3_gb_month],
  ]);
}

/** EKS with its nodes. Where the topologies run elsewhere a node takes more. */
export function machineLines(
  { engine }: Design,
  { peakFactor }: Load,
  { hours, seconds, events, gib }: Month,
  { price, assumed }: PriceList,
): readonly CostLine[] {
  const times = engine === 'sluice' ? 1 : assumed.node_times_without_topologies;
  const eventsPerSecond = ((events / seconds) * peakFactor) / times;
  const mibPerSecond = (((gib * 1_024) / seconds) * peakFactor) / times;
  const nodes = Math.max(
    assumed.nodes_least,
    Math.ceil(eventsPerSecond / assumed.node_events_per_second),
    Math.ceil(mibPerSecond / assumed.node_mib_per_second),
  );
  return linesOf('EKS', [
    ['cluster', hours, 'hours', price.eks_cluster_hour],
    [`${count(nodes)} nodes`, nodes * hours, 'node-hours', price.node_hour],
    ['Auto Mode', nodes * hours, 'node-hours', price.node_hour * price.eks_auto_mode_share],
  ]);
}

/**
 * Managed Flink, where it runs the topologies: each is an application that gets every event, and
 * has one KPU more than it works with.
 */
export function flinkLines(
  { engine, readers }: Design,
  { peakFactor }: Load,
  { hours, seconds, events }: Month,
  { price, assumed }: PriceList,
): readonly CostLine[] {
  if (engine === 'sluice') return [];
  const eventsPerSecond = (events / seconds) * peakFactor;
  const each = Math.max(1, Math.ceil(eventsPerSecond / assumed.flink_events_per_kpu));
  const kpus = each * readers;
  return linesOf('Managed Flink', [
    [`${count(kpus)} KPU`, kpus * hours, 'KPU-hours', price.flink_kpu_hour],
    [`${count(readers)} KPU that orchestrate`, readers * hours, 'KPU-hours', price.flink_kpu_hour],
    ['running storage', kpus * assumed.flink_gb_per_kpu, 'GB', price.flink_kept_gb_month],
    ['snapshots', readers * assumed.flink_snapshots_gb, 'GB', price.flink_backup_gb_month],
  ]);
}

/** `interfaceGib`: bytes that pass interface endpoints. */
export function networkLines(
  { firehoseShare }: Design,
  { hours, gib }: Month,
  interfaceGib: number,
  { price, assumed }: PriceList,
): readonly CostLine[] {
  const endpoints = assumed.endpoints + (firehoseShare > 0 ? assumed.firehose_endpoints : 0);
  return [
    ...linesOf('Load balancer (NLB)', [
      ['hours', hours, 'hours', price.nlb_hour],
      ['bytes in', gib, 'NLCU-hours', price.nlb_unit_hour],
    ]),
    ...linesOf('VPC endpoints', [
      [
        `${endpoints} in ${assumed.zones} zones`,
        endpoints * assumed.zones * hours,
        'hours',
        price.endpoint_hour,
      ],
      ['bytes to and from Kinesis', interfaceGib, 'GB', price.endpoint_gb],
    ]),
    ...linesOf('NAT gateway', [
      ['hours', hours, 'hours', price.nat_hour],
      ['bytes', assumed.nat_gb, 'GB', price.nat_gb],
    ]),
    ...linesOf('CloudWatch', [
      ['alarms', assumed.alarms, 'alarms', price.alarm_month],
      ['dashboard', 1, 'dashboard', price.dashboard_month],
    ]),
  ];
}

export function edgeLines(
  { edge }: Design,
  { eventsPerRequest }: Load,
  { events, gib }: Month,
  { price }: PriceList,
): readonly CostLine[] {
  if (edge === 'nlb' || events === 0) return [];
  const requestBytes = ((gib * gibi) / events) * eventsPerRequest;
  const steps = Math.max(1, Math.ceil(requestBytes / apiStepBytes));
  const millions = ((events / eventsPerRequest) * steps) / 1e6;
  return linesOf('API Gateway', [
    [
      'requests',
      Math.min(millions, apiFirstMillions),
      'million requests',
      price.api_million_requests,
    ],
    [
      'more requests',
      millions - apiFirstMillions,
      'million requests',
      price.api_more_million_requests,
    ],
  ]);
}

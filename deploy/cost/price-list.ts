/**
 * The prices and assumptions that costs are computed with, from YAML: the shipped file
 * (prices.yaml), over which a file of a user's own lays single lines. Pure.
 *
 * Invariant: a list has every line, each a finite number of at least 0 with its date and source.
 */
import { parse } from 'yaml';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';

/** The sections of the file; their lines are known by the names below. */
const priceNames = [
  'kinesis_shard_hour',
  'kinesis_million_put_units',
  'kinesis_extended_shard_hour',
  'kinesis_long_gb_month',
  'kinesis_fan_out_shard_hour',
  'kinesis_fan_out_gb',
  'kinesis_on_demand_stream_hour',
  'kinesis_on_demand_in_gb',
  'kinesis_on_demand_out_gb',
  'kinesis_on_demand_fan_out_gb',
  'kinesis_on_demand_kept_gb_month',
  'firehose_gb',
  'firehose_more_gb',
  'firehose_parquet_gb',
  'firehose_partitioned_gb',
  'firehose_iceberg_gb',
  'firehose_thousand_objects',
  'firehose_jq_hour',
  'msk_cluster_hour',
  'msk_partition_hour',
  'msk_in_gb',
  'msk_out_gb',
  'msk_kept_gb_month',
  'msk_broker_hour',
  'msk_broker_gb_month',
  's3_gb_month',
  's3_thousand_puts',
  's3_thousand_gets',
  'eks_cluster_hour',
  'node_hour',
  'eks_auto_mode_share',
  'nlb_hour',
  'nlb_unit_hour',
  'endpoint_hour',
  'endpoint_gb',
  'nat_hour',
  'nat_gb',
  'alarm_month',
  'dashboard_month',
  'api_million_requests',
  'api_more_million_requests',
  'flink_kpu_hour',
  'flink_kept_gb_month',
  'flink_backup_gb_month',
] as const;
const assumptionNames = [
  'month_hours',
  'compression',
  'envelope_bytes',
  'shard_busy_share',
  'ingest_pods',
  'shared_records_per_second',
  'msk_brokers',
  'msk_broker_mib_per_second',
  'msk_broker_disk_gb',
  'zones',
  'endpoints',
  'firehose_endpoints',
  'nodes_least',
  'node_events_per_second',
  'node_mib_per_second',
  'partitions_of_tables',
  'parquet_compression',
  'lake_days',
  'claim_days',
  'row_bytes_more',
  'nat_gb',
  'alarms',
  'flink_events_per_kpu',
  'flink_gb_per_kpu',
  'flink_snapshots_gb',
  'node_times_without_topologies',
] as const;
/** What is divided by, and so cannot be 0. */
const divisors: ReadonlySet<string> = new Set([
  'month_hours',
  'compression',
  'shard_busy_share',
  'node_events_per_second',
  'node_mib_per_second',
  'parquet_compression',
  'flink_events_per_kpu',
  'node_times_without_topologies',
  'msk_broker_mib_per_second',
]);

type PriceName = (typeof priceNames)[number];
type AssumptionName = (typeof assumptionNames)[number];

export interface PriceLine {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** When it was last compared with its source: YYYY-MM. */
  readonly date: string;
  readonly source: string;
}

export interface PriceList {
  readonly region: string;
  readonly currency: string;
  readonly price: Readonly<Record<PriceName, number>>;
  readonly assumed: Readonly<Record<AssumptionName, number>>;
  /** All of them, as they are documented. */
  readonly lines: { readonly [K in Section]: readonly PriceLine[] };
}

type Section = 'prices' | 'assumptions';
const names: { readonly [K in Section]: readonly string[] } = {
  prices: priceNames,
  assumptions: assumptionNames,
};

/**
 * The list of `texts`, in which later ones replace lines of earlier ones; the first has all. Throws
 * `SluiceError` `prices-invalid`.
 */
export function priceListOf(
  texts: readonly { readonly file: string; readonly text: string }[],
): PriceList {
  const lines = { prices: new Map<string, PriceLine>(), assumptions: new Map<string, PriceLine>() };
  const heads = { region: '', currency: '' };
  for (const { file, text } of texts) {
    const read = recordOf(parsed(file, text), file, 'the file');
    for (const [key, value] of Object.entries(read)) {
      if (key === 'region' || key === 'currency') heads[key] = String(value);
      else if (key === 'prices' || key === 'assumptions')
        for (const line of linesOf(value, key, file))
          lines[key].set(line.name, { ...lines[key].get(line.name), ...line } as PriceLine);
      else throw invalid(file, `'${key}' is not known`, 'region, currency, prices, assumptions');
    }
  }
  const valuesOf = (section: Section): Record<string, number> =>
    Object.fromEntries(
      names[section].map((name) => {
        const line = lines[section].get(name);
        if (line !== undefined) return [name, line.value];
        throw invalid(texts[0]?.file ?? '', `${section}.${name} is missing`, 'a line of its own');
      }),
    );
  return {
    ...heads,
    price: valuesOf('prices') as PriceList['price'],
    assumed: valuesOf('assumptions') as PriceList['assumed'],
    lines: { prices: [...lines.prices.values()], assumptions: [...lines.assumptions.values()] },
  };
}

function parsed(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new SluiceError('prices-invalid', `${file} is not YAML: ${messageOf(cause)}`, { cause });
  }
}

function recordOf(value: unknown, file: string, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>;
  throw invalid(file, `${what} is not a map`, 'a map such as prices: {node_hour: {value: 0.2}}');
}

function* linesOf(
  value: unknown,
  section: Section,
  file: string,
): Iterable<Partial<PriceLine> & { readonly name: string; readonly value: number }> {
  for (const [name, given] of Object.entries(recordOf(value, file, section))) {
    const place = `${section}.${name}`;
    if (!names[section].includes(name))
      throw invalid(file, `'${place}' is not known`, `one of ${names[section].join(', ')}`);
    const { value: number, ...words } = recordOf(given, file, place);
    const isNumber = typeof number === 'number' && Number.isFinite(number) && number >= 0;
    if (!isNumber || (number === 0 && divisors.has(name)))
      throw invalid(
        file,
        `${place} has the value ${JSON.stringify(number)}`,
        divisors.has(name) ? 'a number above 0' : 'a number of at least 0',
      );
    const texts = Object.entries(words).map(([key, word]) => [key, String(word)]);
    yield { ...Object.fromEntries(texts), name, value: number };
  }
}

function invalid(file: string, problem: string, expected: string): SluiceError {
  return new SluiceError('prices-invalid', `${file}: ${problem}; expected ${expected}`, {
    fix: 'deploy/cost/prices.yaml has every line; a file of your own needs only those that differ',
  });
}

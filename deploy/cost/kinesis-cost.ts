/**
 * What Kinesis takes and costs: shards with their arithmetic, PUT payload units, bytes. Pure.
 *
 * A shard takes 1 MiB and 1,000 records a second and gives 2 MiB a second to all its readers
 * together: https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html. Events
 * share records as ingest/delivery/packing.ts puts them together; at low rates few do.
 */
import { kibi, mebi } from '../../schemas/kernel/bytes.ts';
import type { Design, Load, StreamDesign } from './design.ts';
import { kinesisRetentionLeastHours } from './design.ts';
import { count, price } from './numbers.ts';
import type { PriceList } from './price-list.ts';

const gibi = 1_024 * mebi;
const shardRecords = 1_000;
const shardReadBytes = 2 * mebi;
const putUnitBytes = 25 * kibi;
const extendedHoursMax = 168;
/** Bytes of events in one record: the bounds of ingest/delivery/packing.ts. */
const sharedBytes = { kpl: 49 * kibi, 'kpl-gzip': 256 * kibi } as const;

/** What a stream's events are on the wire, on average over the month. */
interface Wire {
  readonly eventsPerSecond: number;
  /** With its attributes. */
  readonly eventBytes: number;
  readonly recordsPerSecond: number;
  readonly recordBytes: number;
  readonly bytesPerSecond: number;
  /** How many times smaller they are than their events. */
  readonly smaller: number;
}

export interface ShardNeed {
  readonly stream: string;
  readonly mode: StreamDesign['mode'];
  readonly needed: number;
  readonly configured: number | undefined;
  /** In words, with its numbers. */
  readonly arithmetic: string;
}

export interface CostLine {
  readonly service: string;
  readonly what: string;
  readonly arithmetic: string;
  readonly dollars: number;
}

export interface KinesisCost {
  readonly shards: readonly ShardNeed[];
  readonly lines: readonly CostLine[];
  readonly bytesPerSecond: number;
}

function wireOf({ name, aggregate }: StreamDesign, load: Load, prices: PriceList): Wire {
  const { ingest_pods: pods, shared_records_per_second: shared, envelope_bytes } = prices.assumed;
  const { eventsPerSecond = 0, eventBytes: dataBytes = 0 } =
    load.streams.find(({ stream }) => stream === name) ?? {};
  const eventBytes = dataBytes + envelope_bytes;
  const bytes = eventsPerSecond * eventBytes;
  const records =
    aggregate === 'none'
      ? eventsPerSecond
      : Math.min(eventsPerSecond, Math.max(bytes / sharedBytes[aggregate], pods * shared));
  // A record of one event is written as it is.
  const smaller = aggregate === 'kpl-gzip' && eventsPerSecond >= 2 * records ? load.compression : 1;
  const bytesPerSecond = bytes / smaller;
  return {
    eventsPerSecond,
    eventBytes,
    recordsPerSecond: records,
    recordBytes: records === 0 ? 0 : bytesPerSecond / records,
    bytesPerSecond,
    smaller,
  };
}

export function kinesisCost(design: Design, load: Load, prices: PriceList): KinesisCost {
  const each = design.streams.map((stream) => {
    const wire = wireOf(stream, load, prices);
    const need = shardsOf(stream, wire, design, load, prices);
    return { stream, wire, need, shards: Math.max(need.needed, need.configured ?? 1) };
  });
  const provisioned = each.filter(({ stream }) => stream.mode === 'provisioned');
  const onDemand = each.filter(({ stream }) => stream.mode === 'on-demand');
  return {
    shards: each.map(({ need }) => need),
    lines: [
      ...provisionedLines(provisioned, design, prices),
      ...onDemandLines(onDemand, design, prices),
    ],
    bytesPerSecond: each.reduce((sum, { wire }) => sum + wire.bytesPerSecond, 0),
  };
}

function shardsOf(
  { name, mode, shards: configured }: StreamDesign,
  { eventsPerSecond, eventBytes, recordsPerSecond, bytesPerSecond, smaller }: Wire,
  { readers, fanOut }: Design,
  { peakFactor }: Load,
  prices: PriceList,
): ShardNeed {
  const { shard_busy_share: busy } = prices.assumed;
  const mib = bytesPerSecond / mebi;
  const bounds = [
    { shards: mib, of: `${count(mib, 2)} MiB/s, 1 a shard` },
    {
      shards: recordsPerSecond / shardRecords,
      of: `${count(recordsPerSecond)} records/s, 1,000 a shard`,
    },
    {
      shards: fanOut ? 0 : (readers * bytesPerSecond) / shardReadBytes,
      of: `${count(readers * mib, 2)} MiB/s read by ${readers} topologies, 2 a shard`,
    },
  ];
  const most = bounds.reduce((most, next) => (next.shards > most.shards ? next : most));
  const packed = smaller === 1 ? '' : ` / ${count(smaller, 2)} (compressed)`;
  const peak = peakFactor === 1 ? '' : `, x ${count(peakFactor, 2)} (peak)`;
  const exact = (most.shards * peakFactor) / busy;
  return {
    stream: name,
    mode,
    needed: Math.max(1, Math.ceil(exact)),
    configured,
    arithmetic:
      eventsPerSecond === 0
        ? 'one is the least'
        : `${count(eventsPerSecond, 2)}/s x ${count(eventBytes)} bytes${packed} = ${most.of}${peak}, ${count(busy * 100)} % busy: ${count(exact, 2)}`,
  };
}

interface Priced {
  readonly stream: StreamDesign;
  readonly wire: Wire;
  readonly shards: number;
}

function provisionedLines(
  streams: readonly Priced[],
  { readers, fanOut }: Design,
  { price: each, assumed: { month_hours: hours } }: PriceList,
): readonly CostLine[] {
  const seconds = 3_600 * hours;
  const sum = (of: (one: Priced) => number): number =>
    streams.reduce((total, one) => total + of(one), 0);
  const shards = sum((one) => one.shards);
  const units =
    (sum(({ wire }) => wire.recordsPerSecond * Math.ceil(wire.recordBytes / putUnitBytes)) *
      seconds) /
    1e6;
  const extended = sum(({ stream, shards: own }) =>
    stream.retentionHours > kinesisRetentionLeastHours ? own : 0,
  );
  const longGib = sum(
    ({ stream, wire }) =>
      (wire.bytesPerSecond * 3_600 * Math.max(0, stream.retentionHours - extendedHoursMax)) / gibi,
  );
  const outGib = (sum(({ wire }) => wire.bytesPerSecond) * seconds * readers) / gibi;
  return linesOf('Kinesis', [
    ['shards', shards * hours, 'shard-hours', each.kinesis_shard_hour],
    ['PUT units', units, 'million PUT units', each.kinesis_million_put_units],
    ['kept > 24 h', extended * hours, 'shard-hours', each.kinesis_extended_shard_hour],
    ['kept > 7 days', longGib, 'GB', each.kinesis_long_gb_month],
    ...(fanOut
      ? ([
          [
            'fan-out',
            shards * readers * hours,
            'consumer-shard-hours',
            each.kinesis_fan_out_shard_hour,
          ],
          ['fan-out', outGib, 'GB', each.kinesis_fan_out_gb],
        ] as const)
      : []),
  ]);
}

function onDemandLines(
  streams: readonly Priced[],
  { readers, fanOut }: Design,
  { price: each, assumed: { month_hours: hours } }: PriceList,
): readonly CostLine[] {
  const seconds = 3_600 * hours;
  const gib = (of: (one: Priced) => number): number =>
    streams.reduce((total, one) => total + of(one), 0) / gibi;
  const billed = ({ wire }: Priced): number =>
    wire.recordsPerSecond * Math.ceil(wire.recordBytes / kibi) * kibi;
  const inGib = gib(billed) * seconds;
  const keptGib = gib(
    (one) => billed(one) * 3_600 * (one.stream.retentionHours - kinesisRetentionLeastHours),
  );
  return linesOf('Kinesis', [
    ['on-demand', streams.length * hours, 'stream-hours', each.kinesis_on_demand_stream_hour],
    ['on-demand in', inGib, 'GB', each.kinesis_on_demand_in_gb],
    [
      'on-demand out',
      inGib * readers,
      'GB',
      fanOut ? each.kinesis_on_demand_fan_out_gb : each.kinesis_on_demand_out_gb,
    ],
    ['kept > 24 h', keptGib, 'GB', each.kinesis_on_demand_kept_gb_month],
  ]);
}

/** Amount times price; lines that cost nothing are left out. */
export function linesOf(
  service: string,
  of: readonly (readonly [what: string, amount: number, unit: string, each: number])[],
): readonly CostLine[] {
  return of
    .filter(([, amount]) => amount > 0)
    .map(([what, amount, unit, each]) => ({
      service,
      what,
      arithmetic: `${count(amount, 2)} ${unit} x ${price(each)}`,
      dollars: amount * each,
    }));
}

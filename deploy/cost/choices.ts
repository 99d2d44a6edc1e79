/**
 * The choices that change a bill: what each alternative would save here, and at what load it turns.
 * A choice is two designs; nothing else is known of it. Pure.
 */
import { billOf } from './bill.ts';
import type { Design, Load, StreamDesign } from './design.ts';
import { changedStreams } from './design.ts';
import type { PriceList } from './price-list.ts';

/** Events a second, and bytes of a large event, among which a turn is looked for. */
const [leastRate, mostRate] = [0.01, 1e6] as const;
const [leastBytes, mostBytes] = [1_024, 8_388_608] as const;
/** Loads that are tried, and how often the interval between two is halved. */
const [loadsTried, halvings] = [160, 40] as const;

interface Alternative {
  /** As it is configured. */
  readonly label: string;
  /** What else it means, in a few words. */
  readonly note: string;
  readonly of: (design: Design) => Design;
}

interface Choice {
  readonly name: string;
  /** Each of the first ones is compared with the last. */
  readonly alternatives: readonly Alternative[];
  /** What the turn is looked for over: events a second, or the size of a large event. */
  readonly over: 'rate' | 'large-size';
}

export interface Change {
  readonly choice: string;
  readonly label: string;
  readonly note: string;
  readonly savesDollars: number;
}

/**
 * When `label` costs less than `than`: at all loads, at none, from `value` on, or up to it. Shards
 * are whole: close to the turn the two may change places more than once.
 */
export interface Turn {
  readonly label: string;
  readonly than: string;
  readonly kind: 'always' | 'never' | 'above' | 'below';
  readonly value?: number;
  readonly unit: 'events/s' | 'bytes';
}

const streams =
  (change: Partial<StreamDesign>) =>
  (design: Design): Design => ({ ...design, streams: changedStreams(design, change) });

const choices: readonly Choice[] = [
  {
    name: 'records that events share',
    alternatives: [
      {
        label: 'aggregate: kpl-gzip',
        note: 'only Sluice reads such records',
        of: streams({ aggregate: 'kpl-gzip' }),
      },
      {
        label: 'aggregate: kpl',
        note: 'other readers must take KPL records apart',
        of: streams({ aggregate: 'kpl' }),
      },
      { label: 'aggregate: none', note: '', of: streams({ aggregate: 'none' }) },
    ],
    over: 'rate',
  },
  {
    name: 'mode of the Kinesis streams',
    alternatives: [
      {
        label: 'kinesis: {mode: provisioned}',
        note: 'you set the shards: see the alarms on throttled writes',
        of: streams({ mode: 'provisioned' }),
      },
      {
        label: 'kinesis: {mode: on-demand}',
        note: 'AWS sets the shards',
        of: streams({ mode: 'on-demand' }),
      },
    ],
    over: 'rate',
  },
  {
    name: 'tables',
    alternatives: [
      {
        label: 'Parquet by Sluice',
        note: 'no `firehose.tables`; each row is in the table once',
        of: (design) => ({ ...design, firehoseShare: 0 }),
      },
      {
        label: 'Firehose to Iceberg',
        note: '`firehose: {format: iceberg}`; you compact the tables, which costs more',
        of: (design) => ({ ...design, firehoseShare: 1, firehoseFormat: 'iceberg' }),
      },
      {
        label: 'Firehose',
        note: 'a row can be in the table twice',
        of: (design) => ({ ...design, firehoseShare: 1, firehoseFormat: 'parquet' }),
      },
    ],
    over: 'rate',
  },
  {
    name: 'large events',
    alternatives: [
      {
        label: 'claims in S3',
        note: '`max.message.bytes` of the topics below their size',
        of: (design) => ({ ...design, large: 'claims' }),
      },
      { label: 'Kafka', note: '', of: (design) => ({ ...design, large: 'kafka' }) },
    ],
    over: 'large-size',
  },
  {
    name: 'Kafka cluster',
    alternatives: [
      {
        label: 'three small MSK brokers',
        note: 'you choose and upgrade them, and watch their disks',
        of: (design) => ({ ...design, kafka: 'brokers' }),
      },
      {
        label: 'MSK Serverless',
        note: 'AWS runs it',
        of: (design) => ({ ...design, kafka: 'serverless' }),
      },
    ],
    over: 'rate',
  },
  {
    name: 'engine of the topologies',
    alternatives: [
      {
        label: 'Managed Flink',
        note: 'AWS runs the machines; what a KPU takes is `flink_events_per_kpu`',
        of: (design) => ({ ...design, engine: 'managed-flink' }),
      },
      {
        label: 'sluice enrich on EKS',
        note: 'one process a topology',
        of: (design) => ({ ...design, engine: 'sluice' }),
      },
    ],
    over: 'rate',
  },
  {
    name: 'edge',
    alternatives: [
      {
        label: 'no API Gateway',
        note: 'Sluice checks keys itself, behind the load balancer',
        of: (design) => ({ ...design, edge: 'nlb' }),
      },
      {
        label: 'API Gateway',
        note: '',
        of: (design) => ({ ...design, edge: 'api-gateway' }),
      },
    ],
    over: 'rate',
  },
];

/** What costs at least a dollar less than the design, the most first: one change a choice. */
export function changesOf(design: Design, load: Load, prices: PriceList): readonly Change[] {
  const now = billOf(design, load, prices).dollars;
  const saves = (to: Design): number => now - billOf(to, load, prices).dollars;
  const asNeeded: Change = {
    choice: 'shards',
    label: 'as many shards as the load needs',
    note: 'lower them in AWS, at most by half at once: `sluice topics` never shrinks',
    savesDollars: saves(streams({})(design)),
  };
  const best = choices.map(({ name, alternatives }) =>
    alternatives
      .map(({ label, note, of }) => ({
        choice: name,
        label,
        note,
        savesDollars: saves(of(design)),
      }))
      .reduce((most, next) => (next.savesDollars > most.savesDollars ? next : most)),
  );
  const found = [asNeeded, ...best]
    .filter(({ savesDollars }) => savesDollars >= 1)
    .sort((a, b) => b.savesDollars - a.savesDollars);
  // What saves the shards alone is that change again.
  return found.filter(
    (change) => change === asNeeded || change.savesDollars !== asNeeded.savesDollars,
  );
}

/** For each choice when an alternative costs less than the last, at events of the load's sizes. */
export function turnsOf(design: Design, load: Load, prices: PriceList): readonly Turn[] {
  return choices.flatMap((choice) => {
    const last = choice.alternatives.at(-1) as Alternative;
    return choice.alternatives
      .slice(0, -1)
      .map((first) => turnOf(first, last, choice.over, { design, load, prices }));
  });
}

interface Situation {
  readonly design: Design;
  readonly load: Load;
  readonly prices: PriceList;
}

function turnOf(
  one: Alternative,
  other: Alternative,
  over: Choice['over'],
  { design, load, prices }: Situation,
): Turn {
  const [least, most] = over === 'rate' ? [leastRate, mostRate] : [leastBytes, mostBytes];
  const [first, second] = [one.of(design), other.of(design)];
  const wins = (value: number): boolean => {
    const there = over === 'rate' ? atRate(load, value) : ofSize(load, value);
    return billOf(first, there, prices).dollars < billOf(second, there, prices).dollars;
  };
  const at = (n: number): number => least * (most / least) ** (n / loadsTried);
  const said = {
    label: one.label,
    than: other.label,
    unit: over === 'rate' ? 'events/s' : 'bytes',
  } as const;
  const isLast = wins(most);
  let turn: number = loadsTried;
  while (turn > 0 && wins(at(turn - 1)) === isLast) turn--;
  if (turn === 0) return { ...said, kind: isLast ? 'always' : 'never' };
  let [low, high] = [at(turn - 1), at(turn)];
  for (let halved = 0; halved < halvings; halved++) {
    const middle = (low + high) / 2;
    if (wins(middle) === isLast) high = middle;
    else low = middle;
  }
  return { ...said, kind: isLast ? 'above' : 'below', value: high };
}

/** One large event a second. */
function ofSize(load: Load, eventBytes: number): Load {
  return { ...load, large: { eventsPerSecond: 1, eventBytes } };
}

/** The load at another rate, shared among the streams as it is; evenly where there is none. */
function atRate(load: Load, rate: number): Load {
  const total = load.streams.reduce((sum, { eventsPerSecond }) => sum + eventsPerSecond, 0);
  return {
    ...load,
    large: { ...load.large, eventsPerSecond: 0 },
    streams: load.streams.map((stream) => ({
      ...stream,
      eventsPerSecond:
        total === 0 ? rate / load.streams.length : (rate * stream.eventsPerSecond) / total,
    })),
  };
}

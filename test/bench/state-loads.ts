/**
 * The loads of `npm run bench:state`: a topology each, and the events that it is given.
 */
import type { SluiceEvent, Topology } from '../../topology/index.ts';
import {
  approxDistinct,
  avg,
  count,
  max,
  schemaOf,
  stream,
  sum,
  table,
  topology,
  tumbling,
} from '../../topology/index.ts';

export interface Load {
  readonly topology: Topology;
  /** Streams that it reads, all at the same rate. */
  readonly streams: readonly string[];
  /** Events a second of each stream. */
  readonly rate: number;
  /** Events of each stream before the measurement, whose times end where its events begin. */
  readonly filled: number;
  /** Of an event's data. */
  readonly dataBytes: number;
  /** Of the data while the state is filled, where what is kept does not depend on it. */
  readonly filledBytes: number;
  /** Of event number `n` of a stream. */
  key(n: number): string;
}

export type LoadName = 'deduplicate' | 'join' | 'windows';

export const loadNames: readonly LoadName[] = ['deduplicate', 'join', 'windows'];

interface Data {
  readonly at: number;
  readonly key: string;
  readonly n: number;
}

const dataOf = (e: SluiceEvent): Data => e.data as Data;
const anything = schemaOf<unknown>({ $id: 'anything', type: 'object', properties: { id: {} } });
const hourMs = 3_600_000;

/** `scale`: of the events before the measurement; the times that state stays are the same part. */
export function loadOf(name: LoadName, scale: number): Load {
  switch (name) {
    case 'deduplicate':
      return deduplicate(scale);
    case 'join':
      return join(scale);
    case 'windows':
      return windows(scale);
  }
}

function built(name: string, build: Parameters<typeof topology>[2]): Topology {
  return topology(name, { version: 1, owner: 'bench/state' }, build);
}

const time = { outOfOrderness: 0, idleAfter: '1s' } as const;

/** An hour of 4,500 events a second, each with another id. */
function deduplicate(scale: number): Load {
  const withinMs = Math.round(hourMs * scale);
  return {
    topology: built('deduplicate', (t) => {
      t.source('in', stream('bench/left'))
        .eventTime('time', (e) => dataOf(e).at, time)
        .deduplicate('once', { by: (e) => e.id, within: withinMs })
        .map((e) => ({ id: e.id }))
        .sinkTo('out', table('out', anything));
    }),
    streams: ['bench/left'],
    rate: 4_500,
    filled: Math.round(4_500 * 3_600 * scale),
    dataBytes: 5_000,
    filledBytes: 100,
    key: (n) => String(n % 100_003),
  };
}

/** Half an hour of 1,000 rows a second on each side, 1 KB each; every other left row finds one. */
function join(scale: number): Load {
  const halfMs = Math.round((hourMs / 2) * scale);
  return {
    topology: built('join', (t) => {
      const side = (id: string) =>
        t
          .source(id, stream(`bench/${id}`))
          .eventTime(`${id}-time`, (e) => dataOf(e).at, time)
          .map((e) => e.data as Data)
          .keyBy((row) => row.key);
      side('left')
        .intervalJoin('pairs', side('right'), { lower: -halfMs, upper: halfMs }, (left, right) => ({
          left: left.n,
          right: right.n,
        }))
        .out.sinkTo('out', table('out', anything));
    }),
    streams: ['bench/left', 'bench/right'],
    rate: 1_000,
    filled: Math.round(1_000 * 1_800 * scale),
    dataBytes: 1_000,
    filledBytes: 1_000,
    key: (n) => (n % 2 === 0 ? String(n) : `own ${n}`),
  };
}

/** A million windows of five aggregates, which get 4,500 events a second. */
function windows(scale: number): Load {
  const keys = Math.round(1_000_000 * scale);
  return {
    topology: built('windows', (t) => {
      t.source('in', stream('bench/left'))
        .eventTime('time', (e) => dataOf(e).at, time)
        .keyBy((e) => dataOf(e).key)
        .window('days', tumbling('1d'))
        .aggregate({
          rows: count(),
          total: sum((e) => dataOf(e).n / 100),
          mean: avg((e) => dataOf(e).n),
          most: max((e) => dataOf(e).n),
          hours: approxDistinct((e) => Math.floor(dataOf(e).at / hourMs)),
        })
        .out.map((w) => ({ key: w.key, rows: w.rows }))
        .sinkTo('out', table('out', anything));
    }),
    streams: ['bench/left'],
    rate: 4_500,
    filled: keys,
    dataBytes: 5_000,
    filledBytes: 100,
    // All keys in turns, far from each other.
    key: (n) => String((n * 7_919) % keys),
  };
}

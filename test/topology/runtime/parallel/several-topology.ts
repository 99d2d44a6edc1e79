/**
 * A topology of every keyed kind, some after each other, with functions that throw and keys that
 * are none; and what may happen to it. What it gives must not depend on how many operators share
 * its keys.
 */
import fc from 'fast-check';
import type { SinkDefinition, Topology } from '../../../../topology/index.ts';
import {
  aggregator,
  approxDistinct,
  count,
  list,
  max,
  session,
  sliding,
  stream,
  sum,
  topology,
  tumbling,
  value,
} from '../../../../topology/index.ts';

export interface Row {
  readonly k: string | number | null | readonly [string, boolean];
  readonly at: number;
  readonly n: number;
}

type Timed = { readonly key: string } & Readonly<Record<string, unknown>>;

interface Event {
  readonly data: Row;
}

const keyOf = ({ data }: Event): string => {
  if (data.n === 13) throw new Error('no key');
  return data.k as string;
};

/** Rejected before it comes to any keyed node. */
const fine = (data: Row): Row => {
  if (data.n === 11) throw new Error('eleven');
  return data;
};

const collected = aggregator({
  create: () => [] as number[],
  add: (all: number[], { data }: Event) => {
    if (data.n === 7) throw new Error('seven');
    all.push(data.n);
    return all;
  },
  merge: (a: number[], b: number[]) => [...a, ...b],
  result: (all: number[]) => {
    if (all.length === 3) throw new Error('three');
    return all;
  },
});

export function severalTo(sink: (id: string) => SinkDefinition<unknown>): Topology {
  return topology('several', { version: 1, owner: 'a/b' }, (t) => {
    const [left, right] = ['left', 'right'].map((id) =>
      t
        .source(id, stream('a/s'))
        .map(({ data }): Event => ({ data: fine(data as Row) }))
        .eventTime(`${id}-time`, ({ data }) => data.at, { outOfOrderness: 5, idleAfter: 1_000 }),
    );
    if (left === undefined || right === undefined) return;

    const once = left.deduplicate('once', {
      by: ({ data }) => [data.k as string, data.n],
      within: 40,
      late: 'side',
    });
    once.out.sinkTo('once-out', sink('once-out'));
    once.late.sinkTo('once-late', sink('once-late'));

    const windowed = left
      .keyBy(keyOf)
      .window('windowed', tumbling(20), { allowedLateness: 30, late: 'side', early: 7 })
      .aggregate({ n: count(), total: sum(({ data }) => data.n), all: collected });
    windowed.out.sinkTo('windowed-out', sink('windowed-out'));
    windowed.late.sinkTo('windowed-late', sink('windowed-late'));

    // Another key, of what windows gave.
    windowed.out
      .keyBy(({ windowStart }) => windowStart % 40)
      .window('again', sliding(40, 20), { mode: 'discarding' })
      .aggregate({ most: max(({ total }) => total), keys: approxDistinct(({ key }) => key) })
      .out.sinkTo('again-out', sink('again-out'));

    left
      .union('both', right)
      .keyBy(keyOf)
      .window('sessions', session(15), { allowedLateness: 10 })
      .aggregate({ all: collected })
      .out.map(({ key, all }) => ({ key, all: [...all].length }))
      .sinkTo('sessions-out', sink('sessions-out'));

    const joined = left.keyBy(keyOf).intervalJoin(
      'joined',
      right.keyBy(({ data }) => data.k as string),
      { lower: -10, upper: 10, join: 'left', late: 'side' },
      (l, r) => {
        if (l.data.n === r?.data.n) throw new Error('equal');
        return { l: l.data, r: r?.data ?? null };
      },
    );
    joined.out.sinkTo('joined-out', sink('joined-out'));
    joined.lateLeft.sinkTo('late-left', sink('late-left'));
    joined.lateRight.sinkTo('late-right', sink('late-right'));

    left
      .keyBy(keyOf)
      .process('timed', {
        state: { seen: list<number>({ ttl: 50 }), last: value<number>() },
        onElement: (
          { data },
          { state, timers, key, timestamp, watermark, processingTime },
        ): readonly Timed[] => {
          state.seen.add(data.n);
          state.last.set(data.at);
          timers.event(timestamp + data.n);
          // For the past: it fires with the next watermark, again and again.
          if (data.n % 3 === 0) timers.event(timestamp - 20);
          timers.processing(processingTime + data.n);
          if (data.n === 7) throw new Error('seven');
          return [
            { key, seen: state.seen.get(), watermark: Math.max(watermark, -1) },
            ...(data.n === 5 ? [{ key, second: true }] : []),
          ];
        },
        onTimer: ({ at, domain }, { state, timers, key, processingTime }): readonly Timed[] => {
          if (domain === 'event' && at % 4 === 0 && at > 0) timers.event(at - 2);
          if (at % 5 === 4) throw new Error('a timer');
          return at % 3 === 0 ? [] : [{ key, at, domain, processingTime, n: state.seen.get() }];
        },
      })
      .keyBy(({ key }) => key)
      .process('again-timed', {
        state: { count: value<number>() },
        onElement: (row, { state, key }) => {
          const next = (state.count.get() ?? 0) + 1;
          state.count.set(next);
          return [{ key, next, row }];
        },
      })
      .sinkTo('timed-out', sink('timed-out'));
  });
}

export const sinks = [
  'once-out',
  'once-late',
  'windowed-out',
  'windowed-late',
  'again-out',
  'sessions-out',
  'joined-out',
  'late-left',
  'late-right',
  'timed-out',
] as const;

export type Happening =
  | { readonly do: 'push'; readonly rows: readonly (readonly ['left' | 'right', Row])[] }
  | { readonly do: 'watermark'; readonly source: 'left' | 'right' | undefined; readonly at: number }
  | { readonly do: 'idle' | 'active'; readonly source: 'left' | 'right' }
  | { readonly do: 'clock'; readonly onMs: number }
  | { readonly do: 'tick' }
  /** `parallelism`: that of what goes on. */
  | { readonly do: 'restore'; readonly parallelism: number };

const source = fc.constantFrom('left' as const, 'right' as const);
const key = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g\u0001', 'g\t', 'g', 'g\n!', 'g\n:'),
  },
  { weight: 2, arbitrary: fc.integer({ min: -2, max: 9 }) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('x', 'y'), fc.boolean()) },
  { weight: 1, arbitrary: fc.constantFrom(null, 2 ** 53) },
);
const row: fc.Arbitrary<Row> = fc.record({
  k: key,
  at: fc.integer({ min: 0, max: 150 }),
  n: fc.integer({ min: 0, max: 14 }),
});

export const happenings: fc.Arbitrary<readonly Happening[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('push' as const),
        rows: fc.array(fc.tuple(source, row), { minLength: 1, maxLength: 12 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('watermark' as const),
        source: fc.option(source, { nil: undefined }),
        at: fc.integer({ min: 0, max: 160 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom('idle' as const, 'active' as const), source }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('clock' as const),
        onMs: fc.integer({ min: 0, max: 30 }),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ do: 'tick' as const }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('restore' as const),
        parallelism: fc.integer({ min: 1, max: 4 }),
      }),
    },
  ),
  { minLength: 1, maxLength: 25 },
);

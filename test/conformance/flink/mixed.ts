/**
 * A topology with every keyed kind, whose functions throw now and then: what comes out of it is
 * compared between the engines.
 */
import type { Topology } from '../../../topology/index.ts';
import {
  aggregator,
  approxDistinct,
  avg,
  collect,
  count,
  list,
  max,
  min,
  session,
  sliding,
  sum,
  value,
} from '../../../topology/index.ts';
import type { Row } from '../subjects/common.ts';
import { rows, topologyOf } from '../subjects/common.ts';

/** Whether a function has had enough of a value. */
const isUnlucky = (given: unknown, by: number): boolean => Number(given) % by === by - 1;

const texts = aggregator<{ readonly data: Row }, { all: string[] }, string>({
  create: () => ({ all: [] }),
  add: (found, { data }) => {
    found.all.push(String(data.value));
    // After it changed something: that has to be undone.
    if (isUnlucky(data.value, 11)) throw new Error('unlucky');
    return found;
  },
  merge: (a, b) => ({ all: [...a.all, ...b.all] }),
  result: ({ all }) => {
    if (all.length === 5) throw new Error('five');
    return all.toSorted().join(' ');
  },
});

export const mixedSinks = [
  'out-slid',
  'out-slid-late',
  'out-sessions',
  'out-steps',
  'out-once',
  'out-joined',
  'out-late-left',
  'out-all',
] as const;

const numberOf = ({ data }: { readonly data: Row }): number => Number(data.value);

function windows(left: ReturnType<typeof rows>): void {
  const slid = left
    .keyBy((e) => e.data.key)
    .window('slid', sliding(20, 10), { allowedLateness: 5, early: 4, late: 'side' })
    .aggregate({
      n: count(),
      odd: count((e) => (numberOf(e) % 2 === 1 ? 1 : null)),
      total: sum((e) => numberOf(e) / 10),
      mean: avg((e) => (isUnlucky(e.data.value, 13) ? ('text' as never) : numberOf(e))),
      least: min(numberOf),
      most: max(numberOf),
      values: approxDistinct((e) => e.data.value),
      texts,
    });
  slid.out.sinkTo('out-slid', collect());
  slid.late.sinkTo('out-slid-late', collect());
  left
    .keyBy((e) => (e.data.value === 3 ? (Number.NaN as number) : [e.data.key, true]))
    .window('sessions', session(7), { allowedLateness: 3, mode: 'discarding' })
    .aggregate({ n: count(), texts })
    .out.sinkTo('out-sessions', collect());
  left
    .keyBy((e) => e.data.key)
    .process('steps', {
      state: {
        last: value<unknown>({ ttl: 6, refresh: 'readWrite' }),
        all: list<number>({ ttl: 9 }),
      },
      onElement: (e, { state: { last, all }, timers, timestamp, processingTime, key }) => {
        const before = last.get() ?? null;
        last.set(e.data.value);
        all.add(numberOf(e));
        timers.event(timestamp + (numberOf(e) % 5));
        timers.processing(processingTime + 3);
        if (numberOf(e) % 4 === 0) timers.deleteEvent(timestamp + 2);
        if (isUnlucky(e.data.value, 7)) throw new Error('unlucky');
        return [{ key, before, all: all.get() }];
      },
      onTimer: ({ at, domain }, { state: { all }, timers, key }) => {
        const held = all.get();
        if (held.length > 4) all.clear();
        if (domain === 'event' && at % 3 === 0) timers.event(at + 4);
        return [{ key: `${String(key)} ${domain} ${at}`, before: null, all: held }];
      },
    })
    .sinkTo('out-steps', collect());
}

export function mixedTopology(): Topology {
  return topologyOf((t) => {
    const [left, right] = [rows(t, 'left'), rows(t, 'right')];
    windows(left);
    left
      .deduplicate('once', {
        by: (e) => (isUnlucky(e.data.value, 17) ? (null as never) : e.data.value),
        within: 15,
      })
      .sinkTo('out-once', collect());
    const joined = left
      .keyBy((e) => e.data.key)
      .intervalJoin(
        'joined',
        right.keyBy((e) => e.data.key),
        { lower: -4, upper: 6, join: 'left', late: 'side' },
        (l, r) => {
          if (r !== undefined && isUnlucky(numberOf(l) + numberOf(r), 9))
            throw new Error('unlucky');
          return [l.data.value, r?.data.value ?? null];
        },
      );
    joined.out.sinkTo('out-joined', collect());
    joined.lateLeft.sinkTo('out-late-left', collect());
    joined.lateRight
      .union('all', right)
      .map((e) => e.data.value)
      .sinkTo('out-all', collect());
  });
}

/** What continues on another version of Flink: state of each kind of operator, over Kafka. */
import {
  aggregator,
  collect,
  count,
  list,
  session,
  stream,
  sum,
  topology,
  tumbling,
  value,
} from 'sluice';
import type { Reading } from './kafka-topology.ts';

/** Keys of what is read once: as many elements have no repetition. */
export const distinct = 250;

const largest = aggregator<Reading, number, number>({
  create: () => -1,
  add: (found, { n }) => Math.max(found, n),
  merge: (a, b) => Math.max(a, b),
  result: (found) => found,
});

export const upgradeSinks = ['once', 'sums', 'sessions', 'pairs', 'minutes'] as const;

export default topology('upgraded', { version: 1, owner: 'shop/web' }, (t) => {
  const all = t
    .source('readings', stream('shop/readings'))
    .map((event) => event.data as Reading)
    .eventTime('time', ({ at }) => at, { outOfOrderness: 0, future: { max: 0 } });
  all
    .deduplicate('first', { by: ({ key, n }) => `${key}/${n % distinct}`, within: '1h' })
    .map(({ key, n }) => ({ key, n }))
    .sinkTo('once', collect());
  const keyed = all.keyBy(({ key }) => key);
  keyed
    .window('by-minute', tumbling('1m'), { late: 'drop' })
    .aggregate({ n: count(), total: sum(({ n }) => n / 10), largest })
    .out.sinkTo('sums', collect());
  keyed
    .window('by-session', session('10s'), { late: 'drop' })
    .aggregate({ n: count() })
    .out.sinkTo('sessions', collect());
  const evens = all.filter(({ n }) => n % 2 === 0).keyBy(({ key }) => key);
  const odds = all.filter(({ n }) => n % 2 === 1).keyBy(({ key }) => key);
  evens
    .intervalJoin('neighbors', odds, { lower: '-1s', upper: '1s' }, (even, odd) => ({
      ...{ key: even.key, even: even.n },
      odd: odd.n,
    }))
    .out.sinkTo('pairs', collect());
  keyed
    .process('each-minute', {
      state: { ats: list<number>({ ttl: '1h' }), fired: value<number>() },
      onElement: ({ at }, { state, timers }) => {
        state.ats.add(at);
        timers.event(at - (at % 60_000) + 60_000);
        return [];
      },
      // What came later may have been read before it fires; what is of before it was.
      onTimer: ({ at }, { state, key }) => {
        const fired = (state.fired.get() ?? 0) + 1;
        state.fired.set(fired);
        return [{ key, at, fired, before: state.ats.get().filter((one) => one < at).length }];
      },
    })
    .sinkTo('minutes', collect());
});

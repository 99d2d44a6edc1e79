/**
 * The topology of the drill: every keyed kind, with results that depend on the events alone.
 */
import type { Stream, Topology } from '../../../topology/index.ts';
import {
  count,
  list,
  schemaOf,
  session,
  stream,
  sum,
  table,
  topology,
  tumbling,
  value,
} from '../../../topology/index.ts';

export interface Row {
  readonly n: number;
  readonly at: number;
  readonly key: string;
}

export const events = 2_400;
const keys = 97;

/** Event number `n`; every eighth comes twice. */
export function eventOf(n: number): Row {
  const of = n % 8 === 7 ? n - 3 : n;
  return { n: of, at: n * 500 - (n % 5) * 90, key: `user ${(of * 31) % keys}` };
}

const told = schemaOf<{ text: string }>({
  $id: 'told',
  type: 'object',
  properties: { text: { type: 'string' } },
});

const flow: Topology = topology('drill', { version: 1, owner: 'a/b' }, (t) => {
  const to = <T>(id: string, made: Stream<T>): void =>
    made.map((one) => ({ text: JSON.stringify(one) })).sinkTo(id, table(id, told));
  const rows = t
    .source('in', stream('a/b'))
    .map((e) => e.data as Row)
    .eventTime('time', ({ at }) => at, { outOfOrderness: 500, future: { max: 0 } });
  const once = rows.deduplicate('once', { by: ({ n }) => n, within: '5m' });
  to('once_rows', once);
  const users = once.keyBy(({ key }) => key);
  const windows = users
    .window('windows', tumbling('30s'))
    .aggregate({ n: count(), total: sum(({ n }) => n) });
  to('windows_rows', windows.out);
  const sessions = users.window('sessions', session('45s')).aggregate({ n: count() });
  to('sessions_rows', sessions.out);
  const even = once.filter(({ n }) => n % 2 === 0).keyBy(({ key }) => key);
  const odd = once.filter(({ n }) => n % 2 === 1).keyBy(({ key }) => key);
  const pairs = even.intervalJoin(
    'pairs',
    odd,
    { lower: '-2m', upper: '1m', join: 'left' },
    (l, r) => ({ l: l.n, r: r?.n ?? null }),
  );
  to('pairs_rows', pairs.out);
  const timed = users.process('timed', {
    state: { n: value<number>(), seen: list<Row>() },
    onElement: (row, { state, timers }): readonly object[] => {
      const { n, at } = row;
      if (n % 100 === 50) throw new Error('fifty');
      state.n.set((state.n.get() ?? 0) + 1);
      state.seen.add(row);
      timers.event(at + 90_000);
      return [{ n, nth: state.n.get() ?? 0 }];
    },
    onTimer: ({ at }, { state, key }): readonly object[] => {
      // What came after it in a turn is none of its.
      const seen = state.seen.get();
      state.seen.set(seen.filter((row) => row.at > at - 90_000));
      return [{ key, at, seen: seen.filter((row) => row.at <= at).map(({ n }) => n) }];
    },
  });
  to('timed_rows', timed);
});

export default flow;

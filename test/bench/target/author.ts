/** An aggregate of the author's own in windows of a minute, by key. */
import { aggregator, table, topology, tumbling } from 'sluice';
import type { Sale } from './load.ts';
import { anything, sales } from './load.ts';

interface Kept {
  readonly sales: number;
  readonly latest: readonly number[];
}

const latest = aggregator<Sale, Kept, number>({
  create: () => ({ sales: 0, latest: [] }),
  add: (kept, { n }) => ({ sales: kept.sales + 1, latest: [...kept.latest.slice(-4), n] }),
  merge: (a, b) => ({ sales: a.sales + b.sales, latest: [...a.latest, ...b.latest].slice(-5) }),
  result: (kept) => kept.sales + kept.latest.length,
});

export default topology('author', { version: 1, owner: 'bench/target' }, (t) => {
  t.source('in', sales)
    .eventTime('time', (e) => e.data.at, { outOfOrderness: 0, idleAfter: 0 })
    .map((e) => e.data)
    .keyBy((sale) => sale.k)
    .window('minutes', tumbling('1m'))
    .aggregate({ latest })
    .out.sinkTo('out', table('out', anything));
});

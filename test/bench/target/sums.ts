/** A count and a sum in windows of a minute, by key. */
import { count, sum, table, topology, tumbling } from 'sluice';
import { anything, sales } from './load.ts';

export default topology('sums', { version: 1, owner: 'bench/target' }, (t) => {
  t.source('in', sales)
    .eventTime('time', (e) => e.data.at, { outOfOrderness: 0, idleAfter: 0 })
    .map((e) => e.data)
    .keyBy((sale) => sale.k)
    .window('minutes', tumbling('1m'))
    .aggregate({ sales: count(), total: sum((sale) => sale.price) })
    .out.sinkTo('out', table('out', anything));
});

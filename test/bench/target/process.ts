/** A function with a value of state by key: one of ten rows is written. */
import { table, topology, value } from 'sluice';
import { anything, sales } from './load.ts';

export default topology('process', { version: 1, owner: 'bench/target' }, (t) => {
  t.source('in', sales)
    .eventTime('time', (e) => e.data.at, { outOfOrderness: 0, idleAfter: 0 })
    .map((e) => e.data)
    .keyBy((sale) => sale.k)
    .process('totals', {
      state: { total: value<number>() },
      onElement: ({ k, n, price }, { state }): readonly object[] => {
        const total = (state.total.get() ?? 0) + price;
        state.total.set(total);
        return n % 10 === 0 ? [{ k, total }] : [];
      },
    })
    .sinkTo('out', table('out', anything));
});

/** Stateless nodes behind each other: one of ten rows is written. */
import { table, topology } from 'sluice';
import { anything, sales } from './load.ts';

export default topology('fused', { version: 1, owner: 'bench/target' }, (t) => {
  t.source('in', sales)
    .map((e) => e.data)
    .map(({ k, n, price }) => ({ k, n, cents: price * 100 }))
    .filter(({ n }) => n % 10 === 0)
    .sinkTo('out', table('out', anything));
});

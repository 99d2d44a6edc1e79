/**
 * Events of `npm run bench:target`: some 150 bytes of data each, ten ms of event time apart, of a
 * thousand keys.
 */
import type { SluiceEvent } from '../../topology/index.ts';
import { event } from '../../topology/testing.ts';
import type { Sale } from './target/load.ts';

const keys = 1_000;
const stepMs = 10;
const startMs = Date.parse('2026-01-01T00:00:00Z');

export function saleOf(n: number): SluiceEvent<Sale> {
  const data: Sale = {
    k: `key-${n % keys}`,
    n,
    at: startMs + n * stepMs,
    price: (n % 997) + 0.5,
    page: `/products/of/this/shop/number-${n % 5_003}?from=the-front-page&list=${n % 13}`,
  };
  return event(data, {
    ...{ id: `e-${n}`, source: '/bench/sales', time: '2026-01-01T00:00:00Z' },
    ...{ team: 'bench', app: 'sales', partitionkey: data.k },
  });
}

/**
 * Rows that are made of other rows, many of them equal, beside the ends that all have: of lists, of
 * windows and of joins. `row_id` alone tells them apart.
 */
import { count, schemaOf, table, topology, tumbling } from 'sluice';
import { drillEnds, drillEvents } from './ends.ts';

const number = schemaOf<{ readonly n: number }>({
  $id: 'https://sluice.example/drill/number',
  type: 'object',
  properties: { n: { type: 'integer' } },
  required: ['n'],
});
const unpartitioned = { partitionBy: [] } as const;

export default topology('drill', { version: 1, owner: 'd/drill' }, (t) => {
  const { once } = drillEvents(t);
  const events = once.map((e) => ({
    id: e.id,
    n: e.data.n,
    user: e.data.user,
    item: e.data.item,
  }));
  drillEnds(events);
  const byItem = events.keyBy((e) => e.item);
  events
    .flatMap(() => [{ n: 1 }, { n: 1 }])
    .sinkTo('parts-table', table('parts', number, unpartitioned));
  byItem
    .window('twenty-seconds', tumbling('20s'))
    .aggregate({ events: count() })
    .out.map(({ events: n }) => ({ n }))
    .sinkTo('windows-table', table('windows', number, unpartitioned));
  byItem
    .intervalJoin('pairs', byItem, { lower: 0, upper: '10s' }, () => ({ n: 1 }))
    .out.sinkTo('pairs-table', table('pairs', number, unpartitioned));
});

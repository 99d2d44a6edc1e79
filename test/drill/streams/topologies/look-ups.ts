/**
 * Every event is looked up by its item before it comes to the ends that all have, and to a table
 * with what was found.
 */
import { connector, schemaOf, table, topology } from 'sluice';
import { drillEnds, drillEvents } from './ends.ts';

const priced = schemaOf<{ readonly n: number; readonly price: number | null }>({
  $id: 'https://sluice.example/drill/priced',
  type: 'object',
  properties: { n: { type: 'integer' }, price: { type: ['integer', 'null'] } },
  required: ['n', 'price'],
});

export default topology('drill', { version: 1, owner: 'd/drill' }, (t) => {
  const found = drillEvents(t).once.lookup(
    'price',
    connector<{ readonly price: number }>('prices'),
    { by: (e) => e.data.item },
    (e, price) => ({
      id: e.id,
      n: e.data.n,
      user: e.data.user,
      item: e.data.item,
      price: price?.price ?? null,
    }),
  );
  drillEnds(found.map(({ id, n, user, item }) => ({ id, n, user, item })));
  found.map(({ n, price }) => ({ n, price })).sinkTo('priced-table', table('priced', priced));
});

/** A topology with two tables that Firehose delivers. */
import { schemaOf, stream, table, topology } from 'sluice';

export interface Sold {
  readonly n: number;
  readonly team: string;
  readonly price: number;
  readonly note: string;
}

const row = schemaOf<Sold>({
  $id: 'sold',
  type: 'object',
  required: ['n', 'team', 'price', 'note'],
  properties: {
    n: { type: 'integer' },
    team: { type: 'string' },
    price: { type: 'number' },
    note: { type: 'string' },
  },
});

/** When it was sold. */
export const soldMs = (n: number): number => 1_767_323_045_000 + n;

export default topology('sold', { version: 1, owner: 'shop/web' }, (t) => {
  const sold = t
    .source('events', stream('shop/sold'))
    .map(({ data }) => data as Sold)
    .eventTime('time', ({ n }) => soldMs(n), {
      outOfOrderness: '2s',
      future: { max: 0 },
    });
  sold.sinkTo('all', table('all', row, { partitionBy: ['team', 'date'] }));
  sold.filter(({ n }) => n >= 0 && n < 700).sinkTo('part', table('part', row, { upsert: ['n'] }));
});

/** A topology with a graph, whose function takes its time: so there are checkpoints while it runs. */
import { graph, graphModel, stream, topology } from 'sluice';

interface Seen {
  readonly user: string;
  readonly page: number;
  readonly at: number;
  readonly price: number;
}

/** Turns of a loop for each event: some 5 ms of the interpreter. */
const turns = 60_000;

const shop = graphModel({
  nodes: {
    User: {
      key: 'id',
      props: { id: 'string', events: 'integer', vip: 'boolean', price: 'number', note: 'string' },
    },
    Page: { key: 'n', props: { n: 'integer', title: 'string' } },
  },
  edges: {
    SAW: {
      from: 'User',
      to: 'Page',
      key: ['hour'],
      props: { hour: 'integer', last: 'integer', price: 'number' },
    },
    AFTER: { from: 'Page', to: 'Page', key: [], props: { user: 'string' } },
  },
});

export default topology('pages', { version: 1, owner: 'shop/web' }, (t) => {
  t.source('seen', stream('shop/seen'))
    .map(({ data }) => data as Seen)
    .eventTime('time', ({ at }) => at, { outOfOrderness: '2s', future: { max: 0 } })
    .sinkTo(
      'graph',
      graph(shop, ({ user, page, at, price }) => {
        let sum = 0;
        for (let turn = 0; turn < turns; turn++) sum += turn % 7;
        if (page === 13) return [{ kind: 'node', label: 'Nobody', props: {} }] as never;
        return [
          shop.User({
            id: user,
            events: at,
            vip: price > 50,
            price: price / 3 + sum * 0,
            note: price % 5 === 0 ? null : `é ${price}`,
          }),
          ...(page % 3 === 0 ? [shop.Page({ n: page, title: `page "${page}"` })] : []),
          shop.SAW({ from: user, to: page, hour: at % 3, last: at, price: price + 0.1 }),
          shop.AFTER({ from: page, to: (page + 1) % 5, user }),
        ];
      }),
    );
});

/**
 * What the drill of the real streams and the soak run: every event once into a table, into Firehose
 * and into the graph; what is not valid is rejected. Its state is that of the last minutes, so that
 * it stops growing.
 */
import { graph, graphModel, schemaOf, stream, table, topology } from 'sluice';

interface Did {
  readonly n: number;
  readonly user: string;
  readonly item: string;
}

const text = { type: 'string' } as const;
const did = schemaOf<Did>({
  $id: 'https://sluice.example/drill/did',
  type: 'object',
  properties: { n: { type: 'integer', minimum: 0 }, user: text, item: text },
  required: ['n', 'user', 'item'],
});
const row = schemaOf<{ readonly id: string } & Did>({
  $id: 'https://sluice.example/drill/row',
  type: 'object',
  properties: { id: text, n: { type: 'integer' }, user: text, item: text },
  required: ['id', 'n', 'user', 'item'],
  additionalProperties: false,
});
const model = graphModel({
  nodes: {
    User: { key: 'id', props: { id: 'string' } },
    Item: { key: 'id', props: { id: 'string' } },
    Event: { key: 'id', props: { id: 'string', n: 'integer' } },
  },
  edges: { DID: { from: 'User', to: 'Event' }, WITH: { from: 'Event', to: 'Item' } },
});

export default topology('drill', { version: 1, owner: 'd/drill' }, (t) => {
  const events = t
    .source('events', stream('d/events'))
    .validate('valid', did)
    .eventTime('time', (e) => e.time, { outOfOrderness: '1m' })
    .deduplicate('once', { by: (e) => e.id, within: '5m' })
    .map((e) => ({ id: e.id, n: e.data.n, user: e.data.user, item: e.data.item }));
  events.sinkTo('table', table('events', row));
  events.sinkTo('hose', table('hose', row));
  events.sinkTo(
    'graph',
    graph(model, (r) => [
      model.Event({ id: r.id, n: r.n }),
      model.DID({ from: r.user, to: r.id }),
      model.WITH({ from: r.id, to: r.item }),
    ]),
  );
});

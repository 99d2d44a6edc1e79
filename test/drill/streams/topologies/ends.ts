/**
 * What all topologies of the drill have in common: every valid event once into a table, into
 * Firehose and into the graph; what is not valid is rejected. State is that of the last minutes, so
 * that it stops growing.
 */
import type { Stream, TopologyBuilder } from 'sluice';
import { graph, graphModel, schemaOf, stream, table } from 'sluice';

interface Did {
  readonly n: number;
  readonly user: string;
  readonly item: string;
  readonly team?: string;
  readonly pad?: string;
}

export type Row = { readonly id: string } & Pick<Did, 'n' | 'user' | 'item'>;

const text = { type: 'string' } as const;
const did = schemaOf<Did>({
  $id: 'https://sluice.example/drill/did',
  type: 'object',
  properties: { n: { type: 'integer', minimum: 0 }, user: text, item: text, team: text, pad: text },
  required: ['n', 'user', 'item'],
});
const row = schemaOf<Row>({
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

/** `once` is every valid event once, of those that come within a minute of the others. */
export function drillEvents(t: TopologyBuilder) {
  const valid = t.source('events', stream('d/events')).validate('valid', did);
  const once = valid
    .eventTime('time', (e) => e.time, { outOfOrderness: '1m' })
    .deduplicate('once', { by: (e) => e.id, within: '5m' });
  return { valid, once };
}

export function drillEnds(rows: Stream<Row>): void {
  rows.sinkTo('table', table('events', row));
  rows.sinkTo('hose', table('hose', row));
  rows.sinkTo(
    'graph',
    graph(model, (r) => [
      model.Event({ id: r.id, n: r.n }),
      model.DID({ from: r.user, to: r.id }),
      model.WITH({ from: r.id, to: r.item }),
    ]),
  );
}

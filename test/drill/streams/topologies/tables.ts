/**
 * Tables beside the ends that all have: one whose folders events name themselves, one of large
 * rows, and one by key, whose windows fire again for each event that comes behind the others.
 */
import { count, schemaOf, table, topology, tumbling } from 'sluice';
import { drillEnds, drillEvents } from './ends.ts';

const text = { type: 'string' } as const;
const integer = { type: 'integer' } as const;
const named = schemaOf<{ readonly n: number; readonly team: string }>({
  $id: 'https://sluice.example/drill/named',
  type: 'object',
  properties: { n: integer, team: text },
  required: ['n', 'team'],
});
const large = schemaOf<{ readonly n: number; readonly pad: string }>({
  $id: 'https://sluice.example/drill/large',
  type: 'object',
  properties: { n: integer, pad: text },
  required: ['n', 'pad'],
});
const counted = schemaOf<{
  readonly item: string;
  readonly start: string;
  readonly events: number;
}>({
  $id: 'https://sluice.example/drill/counted',
  type: 'object',
  properties: { item: text, start: { type: 'string', format: 'date-time' }, events: integer },
  required: ['item', 'start', 'events'],
});

export default topology('drill', { version: 1, owner: 'd/drill' }, (t) => {
  const { valid, once } = drillEvents(t);
  drillEnds(once.map((e) => ({ id: e.id, n: e.data.n, user: e.data.user, item: e.data.item })));
  once
    .map((e) => ({ n: e.data.n, team: e.data.team ?? 'd' }))
    .sinkTo('named-table', table('named', named));
  once
    .map((e) => ({ n: e.data.n, pad: e.data.pad ?? '' }))
    .sinkTo('large-table', table('large', large, { partitionBy: [] }));
  valid
    .eventTime('no-patience', (e) => e.time, { outOfOrderness: 0 })
    .deduplicate('counted-once', { by: (e) => e.id, within: '10m' })
    .keyBy((e) => e.data.item)
    .window('ten-seconds', tumbling('10s'), { allowedLateness: '10m' })
    .aggregate({ events: count() })
    .out.map(({ key, windowStart, events }) => ({
      item: key,
      start: new Date(windowStart).toISOString(),
      events,
    }))
    .sinkTo('counts-table', table('counts', counted, { upsert: ['item', 'start'] }));
});

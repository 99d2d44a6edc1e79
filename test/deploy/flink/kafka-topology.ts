/** What the test of the Kafka source runs: the events of three partitions, and sums by minute. */
import { schemaOf, stream, sum, table, topology, tumbling } from 'sluice';

export interface Reading {
  readonly n: number;
  /** Epoch ms. */
  readonly at: number;
  readonly key: string;
  /** Only to make an event large. */
  readonly pad?: string;
}

const readSchema = schemaOf<{ readonly n: number; readonly id: string }>({
  $id: 'read',
  type: 'object',
  required: ['n', 'id'],
  properties: { n: { type: 'integer' }, id: { type: 'string' } },
});

const sumSchema = schemaOf<{
  readonly key: string;
  readonly windowStart: number;
  readonly total: number;
}>({
  $id: 'total',
  type: 'object',
  required: ['key', 'windowStart', 'total'],
  properties: {
    key: { type: 'string' },
    windowStart: { type: 'integer' },
    total: { type: 'number' },
  },
});

export default topology('kafka-readings', { version: 1, owner: 'shop/web' }, (t) => {
  const all = t
    .source('readings', stream('shop/readings'))
    .map((event) => ({ ...(event.data as Reading), id: event.id }));
  const readings = all.eventTime('time', ({ at }) => at, { outOfOrderness: 0, future: { max: 0 } });
  readings.map(({ n, id }) => ({ n, id })).sinkTo('read', table('read', readSchema));
  const sums = readings
    .keyBy(({ key }) => key)
    .window('sums', tumbling('1m'), { late: 'side' })
    .aggregate({ total: sum(({ n }) => n) });
  sums.out
    .map(({ key, windowStart, total }) => ({ key, windowStart, total }))
    .sinkTo('totals', table('totals', sumSchema));
  sums.late.map(({ n, id }) => ({ n, id })).sinkTo('late', table('late', readSchema));
  // The same once more, with splits that fall idle.
  all
    .eventTime('idle-time', ({ at }) => at, {
      outOfOrderness: 0,
      idleAfter: '1s',
      future: { max: 0 },
    })
    .keyBy(({ key }) => key)
    .window('idle-sums', tumbling('1m'), { late: 'drop' })
    .aggregate({ total: sum(({ n }) => n) })
    .out.map(({ key, windowStart, total }) => ({ key, windowStart, total }))
    .sinkTo('idle-totals', table('idle_totals', sumSchema));
});

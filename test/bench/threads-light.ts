/** A load of `npm run bench:threads`: keyed nodes that do little for an element. */
import { schemaOf, stream, sum, table, topology, tumbling } from '../../topology/index.ts';
import type { ThreadsRow } from './threads-run.ts';

const anything = schemaOf<unknown>({ $id: 'anything', type: 'object', properties: { id: {} } });

export default topology('light', { version: 1, owner: 'bench/threads' }, (t) => {
  t.source('in', stream('bench/rows'))
    .eventTime('time', (e) => (e.data as ThreadsRow).at, { outOfOrderness: 0, idleAfter: 0 })
    .map((e) => e.data as ThreadsRow)
    .keyBy((row) => row.k)
    .window('minutes', tumbling('1m'))
    .aggregate({ total: sum((row) => row.n) })
    .out.sinkTo('out', table('out', anything));
});

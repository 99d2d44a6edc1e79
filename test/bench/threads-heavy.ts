/**
 * A load of `npm run bench:threads`: a keyed node whose own function takes most of the time, some 30
 * microseconds for an element.
 */
import { schemaOf, stream, table, topology, value } from '../../topology/index.ts';
import type { ThreadsRow } from './threads-run.ts';

const anything = schemaOf<unknown>({ $id: 'anything', type: 'object', properties: { id: {} } });
const words = Array.from({ length: 400 }, (_, n) => `word ${(n * 7_919) % 1_009}`);

/** As a score of a text: each word is looked at, and counted. */
function scoreOf({ k, n }: ThreadsRow): number {
  const seen = new Map<string, number>();
  for (const word of words) seen.set(word, (seen.get(word) ?? 0) + k.length);
  return (seen.get(`word ${n % 1_009}`) ?? 0) + seen.size;
}

export default topology('heavy', { version: 1, owner: 'bench/threads' }, (t) => {
  t.source('in', stream('bench/rows'))
    .eventTime('time', (e) => (e.data as ThreadsRow).at, { outOfOrderness: 0, idleAfter: 0 })
    .map((e) => e.data as ThreadsRow)
    .keyBy((row) => row.k)
    .process('scores', {
      state: { score: value<number>() },
      onElement: (row, { state }): readonly object[] => {
        const score = (state.score.get() ?? 0) + scoreOf(row);
        state.score.set(score);
        return row.n % 10 === 0 ? [{ key: row.k, score }] : [];
      },
    })
    .sinkTo('out', table('out', anything));
});

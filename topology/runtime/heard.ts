/**
 * Until when the splits of a job are known to be silent, each one and all together: the basis for
 * idleness.
 *
 * Invariants:
 * 1. `through` is of every split that an event time of the job takes for silent, or that was not
 *    read yet in this run: what one of them may hold unread holds the others too, as a join or a
 *    union after them would.
 * 2. What counts is what has reached the event time: a tick waits behind the rows that a look-up
 *    still holds, and so does what it says. So each source tells of its own splits only: another
 *    one's ticks may come by a way on which nothing waits.
 * 3. A split whose end was not seen in this run is heard through nothing.
 * 4. One that takes no more is heard no further: what continues where it was is in its children,
 *    which were not read yet.
 */
import type { Heard, SplitTime } from '../time/watermark.ts';
import { maxTime, minTime } from '../time/watermark.ts';
import type { Cursor } from './cursor.ts';
import type { Dag } from './dag.ts';

/** What each source tells, by its id. `timeOf` gives the time of ticks for a monotonic one. */
export function heardOf(
  cursors: readonly Cursor[],
  dag: Dag,
  timeOf: (monotonicMs: number) => number,
): ReadonlyMap<string, Heard> {
  const bySource = new Map(dag.sources.map(({ node }) => [node.id, new Map<string, number>()]));
  const known = new Map<string, Cursor>();
  for (const cursor of cursors) {
    if (cursor.phase !== 'begun') continue;
    known.set(cursor.key, cursor);
    if (cursor.heardMs !== undefined && !cursor.ended)
      bySource.get(cursor.source.id)?.set(cursor.key, timeOf(cursor.heardMs));
  }
  let through = maxTime;
  for (const { operator } of dag.stages) {
    for (const [split, time] of operator.watermarks?.splits ?? []) {
      const cursor = known.get(split);
      if (cursor !== undefined) through = Math.min(through, heardOfSplit(time, cursor));
    }
  }
  return new Map([...bySource].map(([source, at]) => [source, { through, source, at }]));
}

function heardOfSplit(time: Readonly<SplitTime>, { met }: Cursor): number {
  if (!met) return minTime;
  if (!time.idle) return maxTime;
  // Restored, and not told yet that its source continues: that is behind rows which were restored,
  // too.
  return time.heardMs === maxTime ? minTime : time.heardMs;
}

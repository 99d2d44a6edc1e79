/**
 * What the sources of a job have heard, for those who judge idleness: by split, and of all silent ones together.
 *
 * Invariants:
 * 1. `through` is of every split that an event time of the job takes for silent, or that was not read yet in this run: what one of them may hold
 *    unread holds the others too, as a join or a union behind them would.
 * 2. A split whose end was not seen in this run is heard through nothing.
 */
import { EventTimeOperator } from '../operators/event-time.ts';
import type { Heard } from '../time/watermark.ts';
import { maxTime } from '../time/watermark.ts';
import type { Dag } from './dag.ts';
import type { Cursor } from './source.ts';

/** `timeOf` gives the time of ticks for a monotonic one. */
export function heardOf(cursors: readonly Cursor[], dag: Dag, timeOf: (monotonicMs: number) => number): Heard {
  const at = new Map<string, number>();
  const unmet = new Set<string>();
  for (const { phase, key, heardMs, met } of cursors) {
    if (phase !== 'begun') continue;
    if (heardMs !== undefined) at.set(key, timeOf(heardMs));
    if (!met) unmet.add(key);
  }
  let through = maxTime;
  for (const { operator } of dag.stages) {
    if (!(operator instanceof EventTimeOperator)) continue;
    for (const [split, time] of operator.watermarks.splits) {
      if (time.idle || unmet.has(split)) through = Math.min(through, at.get(split) ?? time.heardMs);
    }
  }
  return { through, at };
}

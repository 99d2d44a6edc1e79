/**
 * Writes the state of a running job to its checkpoints, and restores it: positions of its splits,
 * states of its operators, counters.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Manifest, SplitMark } from '../checkpoint/manifest.ts';
import { manifestVersion } from '../checkpoint/manifest.ts';
import type { EntrySource } from '../checkpoint/stored-state.ts';
import { unreadable } from '../checkpoint/unreadable-state.ts';
import type { Plan } from '../plan/plan.ts';
import type { Cursor } from './cursor.ts';
import { positionKey } from './cursor.ts';
import { markOf } from './cursor-heard.ts';
import type { Dag } from './dag.ts';
import { tellClock } from './dag.ts';
import type { StateTables } from './state-tables.ts';

/** What all manifests of a job have. */
export function headOf(plan: Plan): Pick<Manifest, 'manifestVersion' | 'topology' | 'version'> {
  return { manifestVersion, topology: plan.name, version: plan.version };
}

export function positionsOf(dag: Dag, cursors: readonly Cursor[]): Manifest['positions'] {
  const bySource: Record<string, Record<string, string>> = {};
  for (const { node } of dag.sources) bySource[node.id] = {};
  for (const cursor of cursors) {
    if (cursor.position !== undefined)
      (bySource[cursor.source.id] ??= {})[positionKey(cursor)] = cursor.position;
  }
  return bySource;
}

/** What is known of the splits beside their positions. */
export function marksOf(
  dag: Dag,
  cursors: readonly Cursor[],
  clock: Clock,
): NonNullable<Manifest['marks']> {
  const [nowMs, monotonicMs] = [clock.now(), clock.monotonic()];
  const bySource: Record<string, Record<string, SplitMark>> = {};
  for (const { node } of dag.sources) bySource[node.id] = {};
  for (const cursor of cursors)
    (bySource[cursor.source.id] ??= {})[positionKey(cursor)] = markOf(cursor, nowMs, monotonicMs);
  return bySource;
}

/** `last`: everything was given out, and no state is left. */
export function statesOf(dag: Dag, last: boolean): Pick<Manifest, 'operators' | 'counts'> {
  const operators: Record<string, unknown> = {};
  for (const { nodes, operator } of dag.stages) {
    const [node] = nodes;
    const state = last ? undefined : operator.snapshot?.();
    if (node !== undefined && state !== undefined) operators[node.id] = state;
  }
  return {
    operators,
    counts: Object.fromEntries([...dag.counts].map(([id, count]) => [id, { ...count }])),
  };
}

type Restored = Pick<Manifest, 'operators' | 'counts'> & Partial<Pick<Manifest, 'stateful'>>;

/** Throws `SluiceError` `checkpoint-corrupt` where what is stored is not what an operator keeps. */
export async function restoreStates(
  dag: Dag,
  tables: StateTables,
  { operators, counts, stateful = [] }: Restored,
  entries: EntrySource,
  nowMs: number,
): Promise<void> {
  const eras = new Map(stateful.map(({ id, era = 0 }) => [id, era]));
  for (const { nodes, operator } of dag.stages) operator.begin?.(eras.get(nodes[0]?.id ?? '') ?? 0);
  // Before the states: a restored operator may refuse what it held.
  for (const [id, count] of Object.entries(counts)) Object.assign(dag.counts.get(id) ?? {}, count);
  // And the time: what waits in a restored operator may come out at once.
  tellClock(dag, nowMs, nowMs);
  for (const { nodes, operator } of dag.stages) {
    const [node] = nodes;
    const head = node === undefined ? undefined : operators[node.id];
    if (head === undefined) continue;
    try {
      operator.restore?.(head as never);
    } catch (thrown) {
      throw unreadable(thrown, `the state of '${node?.id}'`);
    }
  }
  await tables.restore(entries, (node) => operators[node] !== undefined);
}

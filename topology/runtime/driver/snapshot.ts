/**
 * The test driver's snapshot: what a checkpoint holds, and restored as one is. A topology that a
 * job would refuse to restore is refused here.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Manifest } from '../../checkpoint/manifest.ts';
import { manifestVersion, statefulNodes } from '../../checkpoint/manifest.ts';
import type { Migrations } from '../../checkpoint/migrate-state.ts';
import { migrationsOf } from '../../checkpoint/migrate-state.ts';
import { carryOver } from '../../checkpoint/restore.ts';
import type { NodeEntry } from '../../checkpoint/stored-state.ts';
import type { Topology } from '../../plan/plan.ts';
import { textOf } from '../../state/entry-text.ts';
import { jsonProblem } from '../../state/json-safe.ts';
import type { Dag } from '../dag.ts';
import type { KeyExamples } from '../key-examples.ts';
import { requireRestorable } from '../take-over.ts';
import type { DrivenState, SnapshotEntry } from './driven-state.ts';
import { nodeEntryOf } from './driven-state.ts';

type Restored = Pick<Manifest, 'operators' | 'counts' | 'keyExamples'> & {
  readonly entries: readonly SnapshotEntry[];
};
type Snapshot = Restored & Pick<Manifest, 'topology' | 'stateful'>;

export function takeSnapshot(
  { plan }: Topology,
  dag: Dag,
  state: DrivenState,
  examples: KeyExamples,
): string {
  const operators = dag.stages.flatMap(({ nodes: [node], operator }) => {
    const head = operator.snapshot?.();
    return node === undefined || head === undefined
      ? []
      : [[node.id, checkedState(node.id, head)] as const];
  });
  const snapshot: Snapshot = {
    topology: plan.name,
    stateful: statefulNodes(plan),
    operators: Object.fromEntries(operators),
    entries: state.take(),
    counts: Object.fromEntries(dag.counts),
    keyExamples: examples.taken(),
  };
  return JSON.stringify(snapshot);
}

/** What `topology` resumes from. Throws `SluiceError` `restore-refused`. */
export async function readSnapshot(text: string, topology: Topology): Promise<Restored> {
  const { entries, ...snapshot } = JSON.parse(text) as Snapshot;
  const head = {
    manifestVersion,
    version: topology.plan.version,
    checkpoint: 1,
    attempt: 1,
    createdAtMs: 0,
  } as const;
  const manifest: Manifest = { ...head, ...snapshot, positions: {}, sinks: {}, retiring: [] };
  const stored = { manifest, entries: () => inOne(entries), isWhole: false };
  const dropped: ReadonlySet<string> = new Set();
  await requireRestorable(stored, topology, dropped);
  const migrations = migrationsOf(manifest, topology, dropped);
  return {
    ...carryOver(manifest, topology.plan, dropped, 0),
    entries: entries.map((entry) => migratedEntry(entry, migrations)),
  };
}

function migratedEntry(entry: SnapshotEntry, migrations: Migrations): SnapshotEntry {
  const [node, table, group, key, time] = entry;
  if (!migrations.has(node)) return entry;
  return [node, table, group, key, time, textOf(migrations.entry(nodeEntryOf(entry)).value)];
}

async function* inOne(entries: readonly SnapshotEntry[]): AsyncGenerator<readonly NodeEntry[]> {
  yield entries.map(nodeEntryOf);
}

function checkedState(node: string, state: unknown): unknown {
  const problem = jsonProblem(state);
  if (problem === undefined) return state;
  throw new SluiceError(
    'not-json-safe',
    `'${node}' keeps ${problem.found}: state must be JSON-safe`,
  );
}

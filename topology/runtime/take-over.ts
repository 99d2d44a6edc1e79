/**
 * The checks before a job takes over from the last checkpoint.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { keyMisfits } from '../checkpoint/key-examples.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { migrationsOf } from '../checkpoint/migrate-state.ts';
import { restoreMisfits, targetOf } from '../checkpoint/restore.ts';
import type { Misfit } from '../checkpoint/restore-rules.ts';
import { misfitText } from '../checkpoint/restore-rules.ts';
import type { StoredState } from '../checkpoint/stored-state.ts';
import type { PlanProblem } from '../nodes/node.ts';
import { sinkKindOf } from '../operators/sink/sinks.ts';
import type { Plan, Topology } from '../plan/plan.ts';
import { validateTopology } from '../plan/validate.ts';
import type { JobConnectors } from './job-options.ts';
import { elementMisfits } from './state-elements.ts';

/** `collects`: sinks that only a test driver reads are allowed. */
export function requireValid(topology: Topology, { collects = false } = {}): void {
  const problems = problemsOf(topology, { collects });
  if (problems.length === 0) return;
  const list = problems.map((problem) => `  ${problem.node}: ${problem.message}`).join('\n');
  throw new SluiceError(
    'topology-invalid',
    `the topology '${topology.plan.name}' has ${problems.length} problem(s):\n${list}`,
    { details: { problems } },
  );
}

export function problemsOf(topology: Topology, { collects = false } = {}): readonly PlanProblem[] {
  return [...validateTopology(topology), ...(collects ? [] : collectProblems(topology.plan))];
}

/**
 * Throws `restore-refused` with every misfit, its old and new value, and what to do. `savepoint`:
 * the name of the one that is restored.
 */
export async function requireRestorable(
  previous: StoredState | undefined,
  topology: Topology,
  drop: ReadonlySet<string>,
  savepoint?: string,
): Promise<void> {
  if (previous === undefined) return;
  const { name } = topology.plan;
  const misfits = await misfitsWith(previous, topology, drop);
  if (misfits.length === 0) return;
  const list = misfits.map((misfit) => `  ${misfitText(misfit)}`).join('\n');
  const what = savepoint === undefined ? 'its last checkpoint' : `the savepoint '${savepoint}'`;
  throw new SluiceError('restore-refused', `'${name}' does not fit ${what}:\n${list}`, {
    fix: misfitsFix(name, misfits),
    details: { misfits },
  });
}

/** What of the last checkpoint a topology cannot resume from. */
export async function misfitsWith(
  { manifest, entries }: StoredState,
  topology: Topology,
  drop: ReadonlySet<string>,
): Promise<readonly Misfit[]> {
  const { plan } = topology;
  return [
    ...restoreMisfits(manifest, plan, drop),
    ...keyMisfits(manifest, topology, drop),
    ...(await elementMisfits(manifest, plan, drop, entries)),
    ...(await migrationsOf(manifest, topology, drop).misfits(entries)),
  ];
}

/** What there is of a topology's tables that cannot take its rows, by sink. */
export async function tableMisfits(
  previous: Manifest | undefined,
  plan: Plan,
  { misfits }: Pick<JobConnectors, 'misfits'>,
): Promise<readonly PlanProblem[]> {
  const found: PlanProblem[] = [];
  const before = (previous?.stateful ?? []).flatMap(({ id, definition }) =>
    definition?.sink === undefined
      ? []
      : [{ sink: definition.sink, target: targetOf(id, definition.sink) }],
  );
  for (const node of plan.nodes) {
    if (node.kind !== 'sink' || misfits === undefined) continue;
    const fix = sinkKindOf(node.sink).misfitFix?.(node.sink);
    if (fix === undefined) continue;
    const target = targetOf(node.id, node.sink);
    const was = before.find((other) => other.target === target)?.sink;
    for (const message of await misfits(node, plan, was))
      found.push({ node: node.id, message, fix });
  }
  return found;
}

/** Throws `table-mismatch`. */
export async function requireTables(
  previous: Manifest | undefined,
  plan: Plan,
  connectors: Pick<JobConnectors, 'misfits'>,
): Promise<void> {
  const found = await tableMisfits(previous, plan, connectors);
  const [first] = found;
  if (first === undefined) return;
  const list = found.map(({ node, message }) => `  sink '${node}': ${message}`).join('\n');
  throw new SluiceError(
    'table-mismatch',
    `the tables of '${plan.name}' cannot take its rows:\n${list}`,
    { fix: first.fix ?? '', details: { problems: found } },
  );
}

/** What to do about state that does not fit. */
export function misfitsFix(name: string, misfits: readonly Misfit[]): string {
  const back = 'change it back, with its old id';
  const drops = [...new Set(misfits.flatMap(({ drop }) => drop ?? []))];
  if (drops.length === 0) return back;
  return `${back}; or emit the state first: \`sluice drain ${name}\` with the old topology; or drop the state: start with --drop-state ${drops.join(',')}`;
}

function collectProblems(plan: Plan): readonly PlanProblem[] {
  return plan.nodes.flatMap((node): readonly PlanProblem[] => {
    const problem = node.kind === 'sink' ? sinkKindOf(node.sink).jobProblem : undefined;
    return problem === undefined ? [] : [{ node: node.id, ...problem }];
  });
}

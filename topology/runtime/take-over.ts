/**
 * What has to hold before a job takes over from the last checkpoint, and what it takes over.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { decideRestore, rejectedSinkId, statefulNodes } from '../checkpoint/manifest.ts';
import type { Graph, GraphProblem, Topology } from '../graph/graph.ts';
import { validateTopology } from '../graph/validate-graph.ts';

export type CarriedState = Pick<Manifest, 'sinks' | 'operators' | 'positions' | 'counts'>;

/** `collects`: sinks that only a test driver reads are allowed. */
export function requireValid(topology: Topology, { collects = false } = {}): void {
  const problems = problemsOf(topology, { collects });
  if (problems.length === 0) return;
  const list = problems.map((problem) => `  ${problem.node}: ${problem.message}`).join('\n');
  throw new SluiceError('topology-invalid', `the topology '${topology.graph.name}' has ${problems.length} problem(s):\n${list}`);
}

export function problemsOf(topology: Topology, { collects = false } = {}): readonly GraphProblem[] {
  return [...validateTopology(topology), ...(collects ? [] : collectProblems(topology.graph))];
}

export function requireRestorable(previous: Manifest | undefined, graph: Graph, dropState: boolean): void {
  if (previous === undefined) return;
  const decision = decideRestore(previous, graph, dropState);
  if (decision.kind === 'restore') return;
  throw new SluiceError('restore-refused', `'${graph.name}' does not fit its last checkpoint:\n  ${decision.reasons.join('\n  ')}`, {
    fix: 'give the nodes their old ids back, or start with --drop-state to let go of that state',
  });
}

function collectProblems(graph: Graph): readonly GraphProblem[] {
  return graph.nodes
    .filter((node) => node.kind === 'sink' && node.sink.kind === 'collect')
    .map(({ id }) => ({
      node: id,
      message: 'collect() is for the test driver; a job needs a sink that keeps what it is given',
      fix: 'sink it into a table()',
    }));
}

/** What is kept of a manifest whose graph may have had other nodes. */
export function carriedOver(previous: Manifest | undefined, graph: Graph): CarriedState {
  if (previous === undefined) return { sinks: {}, operators: {}, positions: {}, counts: {} };
  const fingerprints = new Map(statefulNodes(graph).map((node) => [node.id, node.fingerprint]));
  const kept = new Set(previous.stateful.filter((node) => fingerprints.get(node.id) === node.fingerprint).map((node) => node.id));
  const keep = <T>(states: Readonly<Record<string, T>>, all: ReadonlySet<string>): Record<string, T> =>
    Object.fromEntries(Object.entries(states).filter(([id]) => id === rejectedSinkId || all.has(id)));
  const nodes = new Set(graph.nodes.map((node) => node.id));
  return {
    sinks: keep(previous.sinks, kept),
    // A drained run gave out all its windows: what comes next starts with empty ones, and reads on.
    operators: previous.drained === true ? {} : keep(previous.operators, kept),
    positions: keep(previous.positions, kept),
    counts: keep(previous.counts, nodes),
  };
}

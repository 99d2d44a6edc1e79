/**
 * Compiles a plan into the stages of a turn: one for each node that keeps state, and one for each
 * chain of adjacent nodes that keep none. The kind of a node defines how it runs.
 */
import { present } from '../../schemas/kernel/assert.ts';
import { outPort } from '../nodes/node.ts';
import { Batch } from '../operators/batch.ts';
import type { PlanNode } from '../operators/kinds.ts';
import { isStateful, kindOf } from '../operators/kinds.ts';
import type { NodeParts } from '../operators/node-parts.ts';
import type { Reject } from '../operators/operator.ts';
import { noCounts } from '../operators/operator.ts';
import type { SinkNode } from '../operators/sink/node.ts';
import { sinkKindOf } from '../operators/sink/sinks.ts';
import { StatelessOperator } from '../operators/stateless.ts';
import type { Plan, Topology } from '../plan/plan.ts';
import { isLateOutput } from '../plan/plan.ts';
import type { RestingPlace } from '../state/records.ts';
import type { Dag, SinkStage, SourceStage, Stage } from './dag.ts';
import { CompiledDag } from './dag.ts';
import { frozenPorts } from './frozen-values.ts';
import { KeyedStage } from './parallel/keyed-stage.ts';
import type { WorkerCalls } from './parallel/worker-calls.ts';
import type { DagConnections, PartsOf } from './parts-of-nodes.ts';
import { partsFor, resolved } from './parts-of-nodes.ts';

export function compileDag(topology: Topology, reject: Reject, connections: DagConnections): Dag {
  const { plan } = topology;
  const { freezes } = connections;
  const counts = new Map(plan.nodes.map((node) => [node.id, noCounts()]));
  const records: RestingPlace[] = [];
  const partsOf = partsFor(topology, { counts, records }, reject, connections);
  const batches = new Batches();
  const frozenOf = (node: PlanNode): readonly Batch[] =>
    frozenPorts(plan, node, freezes).map((port) => batches.of(node.id, port));
  const sources: SourceStage[] = [];
  const entering: Batch[] = [];
  const stages: Stage[] = [];
  const sinks: SinkStage[] = [];
  const fused = new Set<string>();

  for (const node of plan.nodes) {
    if (fused.has(node.id)) continue;
    const inputs = node.inputs.map((input) => batches.of(input.node, input.port));
    if (node.kind === 'source') {
      sources.push({ node, out: present(batches.make(node)[0], 'an output') });
      entering.push(...frozenOf(node));
    } else if (node.kind === 'sink') {
      sinks.push(sinkStage(node, present(inputs[0], 'an input'), topology));
    } else {
      const nodes = isFused(node) ? chainFrom(node, plan) : [node];
      for (const { id } of nodes) fused.add(id);
      const last = present(nodes.at(-1), 'a node');
      const operator = isFused(node)
        ? chained(nodes, partsOf)
        : alone(node, partsOf(node), connections.workers, records);
      stages.push({ nodes, operator, inputs, out: batches.make(last), frozen: frozenOf(last) });
    }
  }
  const all = batches.all;
  return new CompiledDag({
    sources,
    stages,
    sinks,
    counts,
    parallelism: connections.workers?.parallelism ?? 1,
    records,
    batches: all,
    begins: connections.begins,
    entering,
    freezes,
  });
}

/** The batches of a plan's outputs. */
class Batches {
  readonly all: Batch[] = [];
  readonly #byOutput = new Map<string, Batch>();

  make({ id, outputs }: PlanNode): readonly Batch[] {
    return outputs.map((port) => {
      const batch = new Batch();
      this.all.push(batch);
      this.#byOutput.set(`${id}\n${port}`, batch);
      return batch;
    });
  }

  of(node: string, port: string): Batch {
    return present(this.#byOutput.get(`${node}\n${port}`), `the batch of ${node}.${port}`);
  }
}

function sinkStage(node: SinkNode, input: Batch, topology: Topology): SinkStage {
  const from = present(node.inputs[0], 'an input');
  const makesWrites = sinkKindOf(node.sink).slots?.includes('writes') === true;
  const writes = makesWrites ? resolved(topology, node.id, 'writes') : undefined;
  const late = isLateOutput(topology.plan, from);
  return { node, input, port: from.port, late, writes };
}

function alone(
  node: PlanNode,
  parts: NodeParts,
  workers: WorkerCalls | undefined,
  records: RestingPlace[],
): Stage['operator'] {
  if (workers !== undefined && kindOf(node).keyed !== undefined) {
    const stage = new KeyedStage(node, parts, workers);
    records.push(stage.resting);
    return stage;
  }
  return present(kindOf(node).operator, `the operator of ${node.kind}`)(node, parts);
}

function chained(nodes: readonly PlanNode[], partsOf: PartsOf): Stage['operator'] {
  const links = nodes.map((node) =>
    present(kindOf(node).link, `the link of ${node.kind}`)(node, partsOf(node)),
  );
  return new StatelessOperator(links);
}

function isFused(node: PlanNode): boolean {
  return kindOf(node).link !== undefined && !isStateful(node);
}

/** The nodes without state from `first` on, as long as each feeds only the next. */
function chainFrom(first: PlanNode, { nodes }: Plan): readonly PlanNode[] {
  const chain = [first];
  for (let last = first; ; ) {
    const consumers = nodes.filter((node) =>
      node.inputs.some((input) => input.node === last.id && input.port === outPort),
    );
    const [next, ...others] = consumers;
    if (next === undefined || others.length > 0 || !isFused(next) || next.inputs.length !== 1)
      return chain;
    chain.push(next);
    last = next;
  }
}

/**
 * Compiles a plan into the stages of a turn: one for each node that keeps state, and one for each
 * chain of adjacent nodes that keep none. The kind of a node defines how it runs.
 */
import { assert, present } from '../../schemas/kernel/assert.ts';
import { outPort } from '../nodes/node.ts';
import { downstreamOf, upstreamOf } from '../nodes/ways.ts';
import { Batch } from '../operators/batch.ts';
import type { PlanNode } from '../operators/kinds.ts';
import { isStateful, kindOf } from '../operators/kinds.ts';
import type { LookupFunction } from '../operators/lookup/bounded-calls.ts';
import { lookupTargets } from '../operators/lookup/lookup-target.ts';
import type { Call, NodeParts, SchemasCheck } from '../operators/node-parts.ts';
import type { NodeCounts, OperatorHost, Reject } from '../operators/operator.ts';
import { noCounts } from '../operators/operator.ts';
import type { SinkNode } from '../operators/sink/node.ts';
import { sinkKindOf } from '../operators/sink/sinks.ts';
import { StatelessOperator } from '../operators/stateless.ts';
import type { Plan, Topology } from '../plan/plan.ts';
import { isLateOutput } from '../plan/plan.ts';
import { memoryRecords } from '../state/memory-records.ts';
import type { RecordStore, StateRoom } from '../state/records.ts';
import { liveStateDefaultMaxBytes } from '../state/records.ts';
import type { Dag, SinkStage, SourceStage, Stage } from './dag.ts';
import { CompiledDag } from './dag.ts';
import { elementLevels } from './element-levels.ts';
import type { Freezes } from './frozen-values.ts';
import { frozenPorts, returningFrozen } from './frozen-values.ts';

/** What nodes need of the world beside their functions. */
export interface DagConnections {
  /** By node id: rows of a file's table by their key's encoding. */
  readonly tables: ReadonlyMap<string, ReadonlyMap<string, unknown>>;
  /** By node id. */
  readonly lookups: ReadonlyMap<string, LookupFunction>;
  readonly host: OperatorHost;
  readonly freezes: Freezes;
  readonly room?: StateRoom;
  /** What a node's check of schemas is called by, where somebody watches. */
  readonly schemas?: (node: string, check: SchemasCheck) => SchemasCheck;
}

type PartsOf = (node: PlanNode) => NodeParts;

export function compileDag(topology: Topology, reject: Reject, connections: DagConnections): Dag {
  const { plan } = topology;
  const { freezes } = connections;
  const counts = new Map(plan.nodes.map((node) => [node.id, noCounts()]));
  const records: RecordStore[] = [];
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
      const operator = isFused(node) ? chained(nodes, partsOf) : alone(node, partsOf(node));
      stages.push({ nodes, operator, inputs, out: batches.make(last), frozen: frozenOf(last) });
    }
  }
  const all = batches.all;
  return new CompiledDag({
    sources,
    stages,
    sinks,
    counts,
    records,
    batches: all,
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

/** What each node is run with; what it has of `records` is added there. */
function partsFor(
  topology: Topology,
  {
    counts,
    records,
  }: { readonly counts: ReadonlyMap<string, NodeCounts>; readonly records: RecordStore[] },
  reject: Reject,
  { tables, lookups, host, freezes, room = {}, schemas }: DagConnections,
): PartsOf {
  const { plan } = topology;
  const { recordStore = memoryRecords, liveStateMaxBytes = liveStateDefaultMaxBytes } = room;
  const resting = plan.nodes.filter((node) => kindOf(node).rests === true).length;
  const levels = elementLevels(plan);
  const targets = lookupTargets(host.clock);
  return (node) => {
    const { id } = node;
    const level = levels.levelOf(node);
    return {
      plan: plan,
      call: (slot) => resolved(topology, id, slot),
      returning: (call) => returningFrozen(call, freezes),
      counts: present(counts.get(id), `the counts of ${id}`),
      reject,
      level,
      wayLevel: levels.hasWays(node) ? level : undefined,
      isBeforeTime: () => isBeforeTime(node, plan),
      host,
      records: () => {
        const store = recordStore();
        records.push(store);
        return store;
      },
      liveStateMaxBytes: liveStateMaxBytes / Math.max(1, resting),
      table: () => present(tables.get(id), `the table of ${id}`),
      connector: () => present(lookups.get(id), `the connector of ${id}`),
      targets,
      watched: (check) => schemas?.(id, check) ?? check,
    };
  };
}

function alone(node: PlanNode, parts: NodeParts): Stage['operator'] {
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

/**
 * Whether event time is only set behind this node. Either all inputs of a union have it, or none.
 */
function isBeforeTime(node: PlanNode, plan: Plan): boolean {
  const upstream = upstreamOf(plan, node);
  const downstream = downstreamOf(plan, node);
  const timed = plan.nodes.filter((each) => kindOf(each).setsTime === true).map(({ id }) => id);
  return timed.some((id) => downstream.has(id)) && !timed.some((id) => upstream.has(id));
}

function resolved(topology: Topology, node: string, slot: string): Call {
  const found = topology.resolve(node, slot);
  assert(found !== undefined, `${node} has no function ${slot}`);
  return found as Call;
}

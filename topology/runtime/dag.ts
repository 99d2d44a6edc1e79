/**
 * From a graph to what a turn runs: stages in topological order, adjacent stateless nodes fused
 * into one.
 *
 * Invariants:
 * 1. A stage's inputs are batches that earlier stages (or sources) own; running the stages in order
 *    runs the turn.
 * 2. Every node has its counters, also inside a fused stage.
 */
import type { SluiceEvent } from '../../schemas/event.ts';
import { assert, present } from '../../schemas/kernel/assert.ts';
import { compileSchema, selectSchema } from '../../schemas/registry.ts';
import type {
  EventTimeNode,
  Graph,
  GraphNode,
  KeyedNode,
  LookupCall,
  LookupFile,
  LookupNode,
  SinkNode,
  SourceNode,
  SplitNode,
  Topology,
  UnionNode,
  ValidateNode,
} from '../graph/graph.ts';
import { isLateOutput, outPort, restPort } from '../graph/graph.ts';
import { aggregatorOf } from '../operators/aggregates.ts';
import { Batch, endOfInput, rowKinds } from '../operators/batch.ts';
import { DeduplicateOperator } from '../operators/deduplicate.ts';
import { EventTimeOperator } from '../operators/event-time.ts';
import { IntervalJoinOperator } from '../operators/interval-join.ts';
import { keyTextOf } from '../operators/key-text.ts';
import type { LookupFunction } from '../operators/lookup.ts';
import { LookupOperator } from '../operators/lookup.ts';
import type { LookupTarget } from '../operators/lookup-target.ts';
import { lookupTargets } from '../operators/lookup-target.ts';
import type { NodeCounts, Operator, OperatorHost, Reject } from '../operators/operator.ts';
import { noCounts } from '../operators/operator.ts';
import { ProcessOperator } from '../operators/process.ts';
import { SplitOperator } from '../operators/split.ts';
import type { StatelessStep, StepRefusal } from '../operators/stateless.ts';
import { StatelessOperator } from '../operators/stateless.ts';
import { UnionOperator } from '../operators/union.ts';
import { WindowOperator } from '../operators/window.ts';
import { maxTime } from '../time/watermark.ts';
import type { ElementLevels } from './element-levels.ts';
import { elementLevels } from './element-levels.ts';
import type { Freezes } from './frozen-values.ts';
import { freezeElements, frozenPorts, returningFrozen } from './frozen-values.ts';

export interface Stage {
  /** The nodes it runs, in order; the last one's outputs are `out`. */
  readonly nodes: readonly GraphNode[];
  readonly operator: Operator;
  readonly inputs: readonly Batch[];
  readonly out: readonly Batch[];
  /** Those of `out` whose elements nobody may change once the stage is done with them. */
  readonly frozen: readonly Batch[];
}

export interface SinkStage {
  readonly node: SinkNode;
  readonly input: Batch;
  /** The port that feeds it, which tells why an element ended in a rejected sink. */
  readonly port: string;
  /** Whether that is what came too late for an operator. */
  readonly late: boolean;
  /** A graph sink's function: the writes that an element means. */
  readonly writes: ((value: unknown) => unknown) | undefined;
}

export interface Dag {
  readonly sources: readonly { readonly node: SourceNode; readonly out: Batch }[];
  readonly stages: readonly Stage[];
  readonly sinks: readonly SinkStage[];
  readonly counts: ReadonlyMap<string, NodeCounts>;
  /** The stage that runs, or ran last: the one that failed, where `run` threw. */
  readonly at: Stage | undefined;
  /**
   * Runs all stages over what the sources' batches hold; says whether something came out of an
   * operator that had waited.
   */
  run(runStage?: (stage: Stage) => boolean): boolean;
  /** Empties every batch, for the next turn. */
  clear(): void;
}

/**
 * Processing time, before anything else comes: no operator is asked for a time that it was not
 * given.
 */
export function tellClock(dag: Dag, nowMs: number, tickMs?: number): void {
  for (const { out } of dag.sources) out.control(rowKinds.clock, nowMs, tickMs);
  dag.run();
  dag.clear();
}

/**
 * The end of input, once and everywhere: each operator gives all that it holds, and then passes it
 * on.
 */
export function endInput(dag: Dag): void {
  for (const { out } of dag.sources) out.control(rowKinds.watermark, maxTime, endOfInput);
}

type StatelessGraphNode =
  | Extract<GraphNode, { kind: 'map' | 'filter' | 'flatMap' | 'validate' }>
  | (LookupNode & { readonly lookup: LookupFile });

function isStateless(node: GraphNode): node is StatelessGraphNode {
  if (node.kind === 'lookup') return node.lookup.from === 'file';
  return (
    node.kind === 'map' ||
    node.kind === 'filter' ||
    node.kind === 'flatMap' ||
    node.kind === 'validate'
  );
}

/** What nodes need of the world beside their functions. */
export interface DagConnections {
  /** By node id: rows of a file's table by their key's encoding. */
  readonly tables: ReadonlyMap<string, ReadonlyMap<string, unknown>>;
  /** By node id. */
  readonly lookups: ReadonlyMap<string, LookupFunction>;
  readonly host: OperatorHost;
  readonly freezes: Freezes;
  /** What a node's check of schemas is called by, where somebody watches. */
  readonly schemas?: (node: string, check: SchemasCheck) => SchemasCheck;
}

interface BoundConnections extends DagConnections {
  readonly targetOf: (lookup: LookupCall) => LookupTarget;
}

type SchemasCheck = (value: unknown) => StepRefusal | undefined;

export function compileDag(topology: Topology, reject: Reject, connections: DagConnections): Dag {
  const { graph } = topology;
  const bound: BoundConnections = {
    ...connections,
    targetOf: lookupTargets(connections.host.clock),
  };
  const counts = new Map(graph.nodes.map((node) => [node.id, noCounts()]));
  const batches = new Map<string, Batch>();
  const batchOf = (node: string, port: string): Batch =>
    present(batches.get(`${node}\n${port}`), `the batch of ${node}.${port}`);
  const own = (node: GraphNode): readonly Batch[] =>
    node.outputs.map((port) => {
      const batch = new Batch();
      batches.set(`${node.id}\n${port}`, batch);
      return batch;
    });
  const countsOf = (node: GraphNode): NodeCounts =>
    present(counts.get(node.id), `the counts of ${node.id}`);

  const levels = elementLevels(graph);
  const { freezes } = connections;
  const frozenOf = (node: GraphNode): readonly Batch[] =>
    frozenPorts(graph, node, freezes).map((port) => batchOf(node.id, port));
  const sources: { node: SourceNode; out: Batch }[] = [];
  const entering: Batch[] = [];
  const stages: Stage[] = [];
  const sinks: SinkStage[] = [];
  const fused = new Set<string>();

  for (const node of graph.nodes) {
    if (fused.has(node.id)) continue;
    const inputs = node.inputs.map((input) => batchOf(input.node, input.port));
    if (node.kind === 'source') {
      sources.push({ node, out: present(own(node)[0], 'an output') });
      entering.push(...frozenOf(node));
    } else if (node.kind === 'sink') {
      const writes = node.sink.kind === 'graph' ? resolved(topology, node.id, 'writes') : undefined;
      const from = present(node.inputs[0], 'an input');
      sinks.push({
        node,
        input: present(inputs[0], 'an input'),
        port: from.port,
        late: isLateOutput(graph, from),
        writes,
      });
    } else if (isStateless(node)) {
      const chain = chainFrom(node, graph);
      for (const link of chain) fused.add(link.id);
      const last = present(chain.at(-1), 'a chain');
      const steps = chain.map((link) =>
        stepOf(link, topology, countsOf(link), connections, levels),
      );
      stages.push({
        nodes: chain,
        operator: new StatelessOperator(steps, reject),
        inputs,
        out: own(last),
        frozen: frozenOf(last),
      });
    } else {
      const operator = operatorOf(node, topology, countsOf(node), reject, bound, levels);
      stages.push({ nodes: [node], operator, inputs, out: own(node), frozen: frozenOf(node) });
    }
  }
  let at: Stage | undefined;
  return {
    sources,
    stages,
    sinks,
    counts,
    get at() {
      return at;
    },
    run(runStage = runStageAtOnce) {
      let polled = false;
      for (const batch of entering) freezeElements(batch, freezes);
      for (const stage of stages) {
        at = stage;
        if (stage.inputs.length > 1) wakeInputs(stage);
        if (runStage(stage)) polled = true;
        for (const batch of stage.frozen) freezeElements(batch, freezes);
      }
      return polled;
    },
    clear() {
      for (const batch of batches.values()) batch.clear();
    },
  };
}

function runStageAtOnce({ operator, inputs, out }: Stage): boolean {
  const polled = operator.poll?.(out) === true;
  for (let input = 0; input < inputs.length; input++) {
    const batch = inputs[input] as Batch;
    if (batch.length > 0) operator.process(input, batch, out);
  }
  return polled;
}

/**
 * Inputs are run one after the other, though what is in them came together: one that wakes in this
 * turn is awake for all of it. Else the time of the first would pass what the second has before it
 * says that it is active.
 */
function wakeInputs({ operator, inputs, out }: Stage): void {
  for (let input = 0; input < inputs.length; input++) {
    if (inputs[input]?.kinds.includes(rowKinds.active) === true) operator.wake?.(input, out);
  }
}

/** The stateless nodes from `first` on, as long as each feeds only the next. */
function chainFrom(first: StatelessGraphNode, graph: Graph): readonly StatelessGraphNode[] {
  const chain = [first];
  for (let last = first; ; ) {
    const consumers = graph.nodes.filter((node) =>
      node.inputs.some((input) => input.node === last.id && input.port === outPort),
    );
    const [next, ...others] = consumers;
    if (next === undefined || others.length > 0 || !isStateless(next) || next.inputs.length !== 1)
      return chain;
    chain.push(next);
    last = next;
  }
}

function stepOf(
  node: StatelessGraphNode,
  topology: Topology,
  counts: NodeCounts,
  connections: DagConnections,
  levels: ElementLevels,
): StatelessStep {
  if (node.kind === 'lookup') {
    const rows = present(connections.tables.get(node.id), `the table of ${node.id}`);
    const by = resolved(topology, node.id, 'by');
    const combine = resolved(topology, node.id, 'combine');
    const found = (value: unknown): unknown => rows.get(keyTextOf(by(value), undefined));
    const call = returningFrozen(
      (value: unknown) => combine(value, found(value)),
      connections.freezes,
    );
    return { node: node.id, counts, kind: 'map', call, found };
  }
  if (node.kind === 'validate') {
    const check = checkOf(node);
    return {
      node: node.id,
      counts,
      kind: 'validate',
      check: connections.schemas?.(node.id, check) ?? check,
    };
  }
  const own = resolved(topology, node.id, 'function');
  if (node.kind === 'filter') return { node: node.id, counts, kind: 'filter', call: own };
  const call = returningFrozen(own, connections.freezes);
  if (node.kind === 'flatMap')
    return { node: node.id, counts, kind: 'flatMap', call, level: levels.levelOf(node) };
  return { node: node.id, counts, kind: node.kind, call };
}

/** Why a validate node refuses an event; undefined when it takes it. */
export function checkOf(node: ValidateNode): (value: unknown) => StepRefusal | undefined {
  const checks = new Map(node.schemas.map((schema) => [schema.id, compileSchema(schema.document)]));
  const refusal = (event: SluiceEvent, id: string): StepRefusal | undefined => {
    const violation = checks.get(id)?.(event.data);
    return violation === undefined ? undefined : { ...violation, code: 'schema-violation' };
  };
  const [only, ...others] = node.schemas;
  if (only !== undefined && others.length === 0) {
    const check = compileSchema(only.document);
    return (value) => {
      const violation = check((value as SluiceEvent).data);
      return violation === undefined ? undefined : { ...violation, code: 'schema-violation' };
    };
  }
  return (value) => {
    const event = value as SluiceEvent;
    const chosen = selectSchema(node, event);
    if (chosen !== undefined) return refusal(event, chosen.id);
    const known = node.schemas.map((schema) => schema.id).join(', ');
    const message = `no schema is for type '${event.type}' and dataschema '${event.dataschema ?? ''}'; there are ${known}`;
    return { code: 'schema-unknown', message, pointer: null, schema: known };
  };
}

type OperatorNode = EventTimeNode | SplitNode | KeyedNode | UnionNode | LookupNode;

function operatorOf(
  node: OperatorNode,
  topology: Topology,
  counts: NodeCounts,
  reject: Reject,
  connections: BoundConnections,
  levels: ElementLevels,
): Operator {
  const wayLevel = levels.hasWays(node) ? levels.levelOf(node) : undefined;
  const call = (slot: string): ((...args: unknown[]) => unknown) =>
    resolved(topology, node.id, slot);
  switch (node.kind) {
    case 'eventTime':
      return new EventTimeOperator(node, call('timestamp'), counts, reject);
    case 'deduplicate':
      return new DeduplicateOperator(node, call('by'), counts, reject);
    case 'split': {
      const conditions = node.outputs.filter((port) => port !== restPort).map(call);
      return new SplitOperator(node.id, conditions, counts, reject);
    }
    case 'window': {
      const aggregates = node.aggregates.map((choice) => ({
        name: choice.name,
        aggregator: aggregatorOf(choice, call),
      }));
      return new WindowOperator(node, call('key'), aggregates, counts, reject);
    }
    case 'intervalJoin':
      return new IntervalJoinOperator(
        node,
        { leftKey: call('leftKey'), rightKey: call('rightKey'), join: call('join') },
        wayLevel,
        counts,
        reject,
      );
    case 'process': {
      const onTimer = node.timers ? call('onTimer') : undefined;
      return new ProcessOperator(
        node,
        { key: call('key'), onElement: call('onElement'), onTimer },
        levels.levelOf(node),
        counts,
        reject,
      );
    }
    case 'union':
      return new UnionOperator(
        sourcesOfInputs(node, topology.graph),
        counts,
        !isBeforeEventTime(node, topology.graph),
        wayLevel,
      );
    case 'lookup': {
      const { lookup } = node;
      assert(lookup.from !== 'file', 'a table is looked up without waiting');
      const asked =
        lookup.from === 'function'
          ? (call('call') as LookupFunction)
          : connections.lookups.get(node.id);
      const functions = {
        by: call('by'),
        call: present(asked, `the connector of ${node.id}`),
        combine: call('combine'),
      };
      return new LookupOperator(
        node.id,
        lookup,
        functions,
        counts,
        reject,
        connections.host,
        connections.targetOf(lookup),
      );
    }
  }
}

/** The sources upstream of each input. */
function sourcesOfInputs({ inputs }: UnionNode, graph: Graph): readonly ReadonlySet<string>[] {
  const sources = new Map<string, ReadonlySet<string>>();
  // Inputs name earlier nodes.
  for (const node of graph.nodes) {
    sources.set(
      node.id,
      new Set(
        node.kind === 'source'
          ? [node.id]
          : node.inputs.flatMap((input) => [...(sources.get(input.node) ?? [])]),
      ),
    );
  }
  return inputs.map((input) => present(sources.get(input.node), 'an earlier node'));
}

/**
 * Whether event time is only set behind this node. Either all inputs of a union have it, or none.
 */
function isBeforeEventTime(node: GraphNode, graph: Graph): boolean {
  const upstream = new Set([node.id]);
  const downstream = new Set([node.id]);
  // Inputs name earlier nodes, so that one way finds all.
  for (const from of graph.nodes.toReversed())
    if (upstream.has(from.id)) for (const input of from.inputs) upstream.add(input.node);
  for (const to of graph.nodes)
    if (to.inputs.some((input) => downstream.has(input.node))) downstream.add(to.id);
  const timed = graph.nodes.filter(({ kind }) => kind === 'eventTime').map(({ id }) => id);
  return timed.some((id) => downstream.has(id)) && !timed.some((id) => upstream.has(id));
}

function resolved(topology: Topology, node: string, slot: string): (...args: unknown[]) => unknown {
  const found = topology.resolve(node, slot);
  assert(found !== undefined, `${node} has no function ${slot}`);
  return found as (...args: unknown[]) => unknown;
}

/**
 * A topology's plan in the form that the Flink job reads (`plan.json`): what runs as one Flink
 * operator, how operators are connected, and their settings. It has no functions; those are in the
 * bundle, which is asked by the operator's uid.
 *
 * Invariants:
 * 1. JSON-safe, durations in whole milliseconds, operators in topological order. The same topology
 *    gives the same text.
 * 2. Stateless nodes of one input are fused into segments: trees with one input and several
 *    outputs. An `eventTime` begins a segment, because all outputs of an operator share one time.
 * 3. Every input of a keyed operator comes from an output of a segment, which evaluates its key.
 * 4. The uid of an operator that keeps state is the author's id. That of another segment is told by
 *    where its input comes from, so that a stateless node more or less changes no uid.
 */
import { present } from '../../schemas/kernel/assert.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { NodeInput, PlanProblem } from '../../topology/nodes/node.ts';
import type { PlanNode } from '../../topology/operators/kinds.ts';
import { isStateful, kindOf } from '../../topology/operators/kinds.ts';
import type { LookupCall, LookupNode } from '../../topology/operators/lookup/node.ts';
import type { SinkNode } from '../../topology/operators/sink/node.ts';
import { sinkKindOf } from '../../topology/operators/sink/sinks.ts';
import type { AggregateChoice } from '../../topology/operators/window/node.ts';
import type { Owner, Plan, Topology } from '../../topology/plan/plan.ts';
import type { StateDeclaration } from '../../topology/state/key-state.ts';
import type { WindowShape } from '../../topology/time/windows.ts';

/** Of this form; the job refuses another one. */
export const flinkIrVersion = 1;

/** Key groups of a job: as the engine here has (topology/state/entries.ts). */
const maxParallelism = 128;

/** An output of an operator. */
export interface FlinkInput {
  readonly operator: string;
  readonly port: string;
}

/** What a segment does with an element that reaches one of its outputs. */
export interface SegmentOutput {
  readonly port: string;
  /** The output of the plan that it is. */
  readonly from: NodeInput;
  /** The keyed node that reads it, and the slot of its key. */
  readonly key?: { readonly node: string; readonly slot: string };
  /**
   * The sink that it goes to, which takes rows as they are checked and made here: those that it does
   * not take are rejected. To the rejected table all of them are.
   */
  readonly sink?: string;
  /** Whether it has what the aggregates of that node read of the element. */
  readonly reads?: true;
  /** Whether the element's value is sent: not where only what is read of it counts. */
  readonly value: boolean;
  /** Whether what is said of splits is passed on: where event time comes only after it. */
  readonly controls: boolean;
}

interface OperatorBase {
  readonly uid: string;
  readonly inputs: readonly FlinkInput[];
}

export interface SourceOperator extends OperatorBase {
  readonly kind: 'source';
  readonly stream: string;
  readonly dataText: boolean;
}

export interface SegmentOperator extends OperatorBase {
  readonly kind: 'segment';
  /** In the order of the plan. */
  readonly nodes: readonly string[];
  /** Whether its first node sets event time. */
  readonly timed: boolean;
  readonly outputs: readonly SegmentOutput[];
  /** Nodes that look up a row of a file's table, with the file. */
  readonly tables: readonly { readonly node: string; readonly file: string }[];
}

export interface UnionOperator extends OperatorBase {
  readonly kind: 'union';
  /** Whether its inputs have event time, so that it merges their watermarks. */
  readonly merges: boolean;
}

export interface WindowOperator extends OperatorBase {
  readonly kind: 'window';
  readonly window: WindowShape;
  readonly allowedLatenessMs: number;
  readonly late: 'drop' | 'side';
  readonly mode: 'accumulating' | 'discarding';
  readonly earlyMs: number;
  readonly aggregates: readonly AggregateChoice[];
}

export interface IntervalJoinOperator extends OperatorBase {
  readonly kind: 'intervalJoin';
  readonly lowerMs: number;
  readonly upperMs: number;
  readonly join: 'inner' | 'left';
  readonly late: 'drop' | 'side';
}

export interface ProcessOperator extends OperatorBase {
  readonly kind: 'process';
  readonly state: readonly StateDeclaration[];
  readonly timers: boolean;
}

export interface DeduplicateOperator extends OperatorBase {
  readonly kind: 'deduplicate';
  readonly withinMs: number;
  readonly late: 'drop' | 'side';
}

/** A look-up by a connector: the settings say what that asks. */
export interface LookupOperator extends OperatorBase {
  readonly kind: 'lookup';
  readonly lookup: LookupCall;
}

export interface SinkOperator extends OperatorBase {
  readonly kind: 'sink';
  /** Its kind and options, as in the plan. */
  readonly sink: SinkNode['sink'];
}

export type FlinkOperator =
  | SourceOperator
  | SegmentOperator
  | UnionOperator
  | WindowOperator
  | IntervalJoinOperator
  | ProcessOperator
  | DeduplicateOperator
  | LookupOperator
  | SinkOperator;

export interface FlinkPlan {
  readonly irVersion: typeof flinkIrVersion;
  readonly name: string;
  readonly version: number;
  readonly owner: Owner;
  readonly maxParallelism: number;
  readonly operators: readonly FlinkOperator[];
}

/** What of a plan the job has no operator for. */
export function flinkPlanProblems({ plan }: Pick<Topology, 'plan'>): readonly PlanProblem[] {
  return plan.nodes.flatMap((node) => {
    if (node.kind !== 'lookup' || node.lookup.from !== 'function') return [];
    return [
      {
        node: node.id,
        message:
          'asyncLookup() cannot run on Flink: its function has nothing to ask there (a job has no sockets and no timers)',
        fix: 'write connector(name), with its address in lookups of the settings, or look up in a file: fileTable(...)',
      },
    ];
  });
}

/** Throws `SluiceError` `flink-unsupported`, with a line for each node that cannot run there. */
export function flinkPlan(topology: Topology): FlinkPlan {
  const problems = flinkPlanProblems(topology);
  if (problems.length > 0)
    throw new SluiceError(
      'flink-unsupported',
      problems.map(({ node, message }) => `'${node}': ${message}`).join('\n'),
      problems[0]?.fix === undefined ? {} : { fix: problems[0].fix },
    );
  const { name, version, owner } = topology.plan;
  const operators = new Operators(topology.plan).made();
  return { irVersion: flinkIrVersion, name, version, owner, maxParallelism, operators };
}

interface OpenSegment extends Omit<SegmentOperator, 'nodes' | 'outputs' | 'tables'> {
  readonly nodes: string[];
  readonly outputs: SegmentOutput[];
  readonly tables: { readonly node: string; readonly file: string }[];
}

class Operators {
  readonly #plan: Plan;
  readonly #made: FlinkOperator[] = [];
  /** By node: the segment that it is in. */
  readonly #segments = new Map<string, OpenSegment>();
  /** By output of an operator: the segment that begins there. */
  readonly #roots = new Map<string, OpenSegment>();

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  made(): readonly FlinkOperator[] {
    for (const node of this.#plan.nodes) {
      if (isInSegment(node)) this.#join(node);
      else if (node.kind === 'sink') this.#sink(node);
      else this.#made.push(this.#operator(node));
    }
    return this.#made;
  }

  /** Puts a stateless node, or one of event time, into its segment. */
  #join(node: PlanNode): void {
    const from = present(node.inputs[0], 'an input');
    const segment =
      node.kind === 'eventTime'
        ? this.#begin(node.id, this.#plain(from, true), true)
        : (this.#segments.get(from.node) ?? this.#rooted(from));
    segment.nodes.push(node.id);
    if (node.kind === 'lookup' && node.lookup.from === 'file')
      segment.tables.push({ node: node.id, file: node.lookup.file });
    this.#segments.set(node.id, segment);
  }

  #begin(uid: string, input: FlinkInput, timed: boolean): OpenSegment {
    const inputs = [input];
    const made: OpenSegment = {
      uid,
      kind: 'segment',
      inputs,
      timed,
      nodes: [],
      outputs: [],
      tables: [],
    };
    this.#made.push(made);
    return made;
  }

  /** The segment without event time that begins at an operator's output. */
  #rooted({ node, port }: NodeInput): OpenSegment {
    const uid = `${node}/${port}/segment`;
    const known = this.#roots.get(uid);
    if (known !== undefined) return known;
    const made = this.#begin(uid, { operator: node, port }, false);
    this.#roots.set(uid, made);
    return made;
  }

  /** The output of an operator where an output of the plan is read as it is. */
  #plain(from: NodeInput, controls: boolean): FlinkInput {
    const segment = this.#segments.get(from.node);
    if (segment === undefined) return { operator: from.node, port: from.port };
    const port = `${from.node}.${from.port}${controls ? '' : '.rows'}`;
    if (!segment.outputs.some((output) => output.port === port))
      segment.outputs.push({ port, from, value: true, controls });
    return { operator: segment.uid, port };
  }

  /** The same with the key of a keyed node. */
  #keyed(node: PlanNode, input: number, slot: string): FlinkInput {
    const from = present(node.inputs[input], 'an input');
    const segment = this.#segments.get(from.node) ?? this.#rooted(from);
    const port = `${node.id}#${input}`;
    const reads = node.kind === 'window' ? { reads: true as const } : {};
    const key = { node: node.id, slot };
    segment.outputs.push({
      port,
      from,
      key,
      ...reads,
      value: needsValues(node),
      controls: false,
    });
    return { operator: segment.uid, port };
  }

  #operator(node: PlanNode): FlinkOperator {
    const uid = node.id;
    switch (node.kind) {
      case 'source':
        return {
          uid,
          kind: 'source',
          inputs: [],
          stream: node.stream,
          dataText: node.dataText === true,
        };
      case 'union':
        return this.#union(node);
      case 'lookup':
        return this.#lookup(node);
      case 'window':
      case 'intervalJoin':
      case 'process':
      case 'deduplicate':
        return this.#keyedOperator(node);
      default:
        throw new SluiceError('flink-unsupported', `'${uid}': the kind ${node.kind} cannot run`);
    }
  }

  #sink(node: SinkNode): void {
    const from = present(node.inputs[0], 'an input');
    const { check, slots, isRejected } = sinkKindOf(node.sink);
    const looks = check !== undefined || isRejected === true || slots?.includes('writes') === true;
    const input = looks ? this.#sunk(node, from) : this.#plain(from, false);
    // What is rejected is not written by a sink of its own.
    if (isRejected === true) return;
    this.#made.push({ uid: node.id, kind: 'sink', inputs: [input], sink: node.sink });
  }

  /** The rows of a sink that does not take all. */
  #sunk(node: PlanNode, from: NodeInput): FlinkInput {
    const segment = this.#segments.get(from.node) ?? this.#rooted(from);
    const port = `${node.id}#0`;
    segment.outputs.push({ port, from, sink: node.id, value: true, controls: false });
    return { operator: segment.uid, port };
  }

  #union(node: PlanNode): FlinkOperator {
    const merges = !this.#isBeforeTime(node);
    const inputs = node.inputs.map((from) => this.#plain(from, !merges));
    return { uid: node.id, kind: 'union', inputs, merges };
  }

  /** Elements wait in it, and all else that is said in line with them. */
  #lookup(node: LookupNode): FlinkOperator {
    const from = present(node.inputs[0], 'an input');
    const input = this.#plain(from, this.#isBeforeTime(node));
    return { uid: node.id, kind: 'lookup', inputs: [input], lookup: node.lookup as LookupCall };
  }

  #keyedOperator(node: PlanNode): FlinkOperator {
    const slots = kindOf(node).keySlots ?? [];
    const inputs = slots.map((slot, input) => this.#keyed(node, input, slot));
    const { id, inputs: _inputs, outputs: _outputs, ...options } = node;
    return { uid: id, ...options, inputs } as unknown as FlinkOperator;
  }

  /** Whether event time is only set after it. */
  #isBeforeTime(node: PlanNode): boolean {
    const after = new Set([node.id]);
    let found = false;
    for (const next of this.#plan.nodes) {
      if (!next.inputs.some((input) => after.has(input.node))) continue;
      after.add(next.id);
      found ||= next.kind === 'eventTime';
    }
    return found;
  }
}

function isInSegment(node: PlanNode): boolean {
  if (node.kind === 'eventTime' || node.kind === 'branch' || node.kind === 'split') return true;
  return kindOf(node).link !== undefined && !isStateful(node);
}

/**
 * Whether a keyed node is sent the values of its elements: a window adds what it read of them, and
 * has the value only to give it as a late one, or to reject it.
 */
function needsValues(node: PlanNode): boolean {
  if (node.kind !== 'window') return true;
  return node.late === 'side' || node.aggregates.some(({ agg }) => agg === 'user');
}

/**
 * A topology as data: what the language builds, and all that validation, drawing, checkpoints and the engine look at.
 * Functions are not in it; they are addressed by (node id, slot), with slot names fixed per kind.
 *
 * Invariants:
 * 1. Everything here is JSON-safe and frozen: durations are integer milliseconds, minimum and maximum times are strings.
 * 2. Nodes stand in the order of their making, so every input names an earlier node.
 */
import type { JsonSchema } from '../../schemas/registry.ts';

export const irVersion = 1;

export interface Owner {
  readonly team: string;
  readonly app: string;
}

export interface NodeInput {
  readonly node: string;
  readonly port: string;
}

interface NodeBase {
  /** Unique in the topology. Given by the author for stateful nodes, derived from the place for stateless ones. */
  readonly id: string;
  readonly inputs: readonly NodeInput[];
  /** Names of the outputs that exist for these options. Sinks have none. */
  readonly outputs: readonly string[];
}

export interface SourceNode extends NodeBase {
  readonly kind: 'source';
  /** `team/app`: a Kinesis stream and a Kafka topic as one. */
  readonly stream: string;
  /** Whether events carry the client's bytes of `data` as text. */
  readonly dataText: boolean;
}

export interface SchemaChoice {
  readonly id: string;
  readonly document: JsonSchema;
}

export interface ValidateNode extends NodeBase {
  readonly kind: 'validate';
  /** One schema for all events, or several told apart by the event's type and dataschema. */
  readonly schemas: readonly SchemaChoice[];
}

export interface EventTimeNode extends NodeBase {
  readonly kind: 'eventTime';
  readonly outOfOrdernessMs: number;
  /** 0: a quiet split holds the watermark back for ever. */
  readonly idleAfterMs: number;
  /** Events further ahead of processing time are rejected; 0: no guard. */
  readonly futureMaxMs: number;
}

export interface StatelessNode extends NodeBase {
  readonly kind: 'map' | 'filter' | 'flatMap';
}

export interface SplitNode extends NodeBase {
  /** The first port whose function says yes takes the element; `rest` takes the others. */
  readonly kind: 'split';
}

export interface DeduplicateNode extends NodeBase {
  readonly kind: 'deduplicate';
  readonly withinMs: number;
  readonly late: 'drop' | 'side';
}

export interface TableDefinition {
  readonly kind: 'table';
  readonly table: string;
  /** The row's schema: an object; its properties are the columns. */
  readonly schema: JsonSchema;
  readonly partitionBy: readonly PartitionColumn[];
}

/** Elements of a side output that belong with the refused ones. */
export interface RejectedDefinition {
  readonly kind: 'rejected';
}

export type PartitionColumn = 'date' | 'hour' | 'team' | 'app';

export interface SinkNode extends NodeBase {
  readonly kind: 'sink';
  readonly sink: TableDefinition | RejectedDefinition;
}

export type GraphNode = SourceNode | ValidateNode | EventTimeNode | StatelessNode | SplitNode | DeduplicateNode | SinkNode;

export interface Graph {
  readonly irVersion: typeof irVersion;
  readonly name: string;
  readonly version: number;
  readonly owner: Owner;
  readonly nodes: readonly GraphNode[];
}

/** A user function, by its slot's contract; the engine checks what comes back. */
export type UserFunction = (...args: never[]) => unknown;

/** A graph with its functions. Made by `topology()`. */
export interface Topology {
  readonly graph: Graph;
  /** What was wrong already in the author's options; `validateTopology` adds the rest. */
  readonly problems: readonly GraphProblem[];
  resolve(node: string, slot: string): UserFunction | undefined;
}

export interface GraphProblem {
  readonly node: string;
  readonly message: string;
}

/** Whether a node keeps state that a checkpoint holds: these need an author's id that stays. */
export function isStateful(node: GraphNode): boolean {
  return node.kind === 'source' || node.kind === 'eventTime' || node.kind === 'deduplicate' || node.kind === 'sink';
}

/** The slots that a node of this kind resolves. A split has one per port but `rest`. */
export function slotsOf(node: GraphNode): readonly string[] {
  switch (node.kind) {
    case 'map':
    case 'filter':
    case 'flatMap':
      return ['function'];
    case 'eventTime':
      return ['timestamp'];
    case 'deduplicate':
      return ['by'];
    case 'split':
      return node.outputs.filter((port) => port !== restPort);
    case 'source':
    case 'validate':
    case 'sink':
      return [];
  }
}

export const outPort = 'out';
export const latePort = 'late';
export const restPort = 'rest';

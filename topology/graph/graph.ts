/**
 * A topology as data: what the language builds, and all that validation, drawing, checkpoints and
 * the engine look at. Functions are not in it; they are addressed by (node id, slot), with slot
 * names fixed per kind.
 *
 * Invariants:
 * 1. Everything here is JSON-safe and frozen: durations are integer milliseconds, minimum and
 *    maximum times are strings.
 * 2. Nodes stand in the order of their making, so every input names an earlier node.
 */
import type { PartitionColumn } from '../../schemas/partition.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import type { GraphModel } from './graph-model.ts';

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
  /**
   * Unique in the topology. Given by the author for stateful nodes, derived from the place for
   * stateless ones.
   */
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

export type WindowShape =
  | { readonly type: 'tumbling'; readonly sizeMs: number; readonly offsetMs: number }
  | {
      readonly type: 'sliding';
      readonly sizeMs: number;
      readonly slideMs: number;
      readonly offsetMs: number;
    }
  | { readonly type: 'session'; readonly gapMs: number };

/** `countValues`: of what a function gives, those that are not null. */
export type AggregateKind =
  | 'count'
  | 'countValues'
  | 'sum'
  | 'avg'
  | 'min'
  | 'max'
  | 'approxDistinct'
  | 'user';

export interface AggregateChoice {
  /** The result's property. */
  readonly name: string;
  readonly agg: AggregateKind;
  /** Which functions the author gave: `of`, or the parts of a user aggregate. */
  readonly parts: readonly string[];
}

export interface WindowNode extends NodeBase {
  readonly kind: 'window';
  readonly window: WindowShape;
  readonly allowedLatenessMs: number;
  readonly late: 'drop' | 'side';
  readonly mode: 'accumulating' | 'discarding';
  /** Interval of early firings in event time; 0: none. */
  readonly earlyMs: number;
  readonly aggregates: readonly AggregateChoice[];
}

export interface IntervalJoinNode extends NodeBase {
  readonly kind: 'intervalJoin';
  /** Inclusive bounds of right - left. */
  readonly lowerMs: number;
  readonly upperMs: number;
  readonly join: 'inner' | 'left';
  readonly late: 'drop' | 'side';
}

export interface UnionNode extends NodeBase {
  readonly kind: 'union';
}

/** A table that is read whole from a file when the job starts. */
export interface LookupFile {
  readonly from: 'file';
  /** Relative to the topology's file: a JSON array or NDJSON (also .gz). */
  readonly file: string;
  /** The rows' property that is looked up. */
  readonly key: string;
  readonly schema: SchemaChoice;
  /**
   * What a change of the file does while the topology runs: it is started again from its last
   * checkpoint with the new rows, or keeps the old ones.
   */
  readonly whenChanged: 'reload' | 'keep';
}

export interface LookupCall {
  /**
   * `connector`: bound by name where the job starts. `function`: the author's own; it runs on this
   * engine only.
   */
  readonly from: 'connector' | 'function';
  readonly name: string;
  /** Answers kept; 0: none. */
  readonly cacheMaxEntries: number;
  readonly cacheTtlMs: number;
  /** Look-ups in flight. */
  readonly capacity: number;
  readonly timeoutMs: number;
  /**
   * Tries before the element is rejected, or before a holding look-up says in the status that it
   * fails.
   */
  readonly attempts: number;
  readonly order: 'ordered' | 'unordered';
  /** `hold`: tries go on and nothing passes; `reject`: the element is rejected after `attempts`. */
  readonly whenFailing: 'hold' | 'reject';
}

export interface LookupNode extends NodeBase {
  readonly kind: 'lookup';
  readonly lookup: LookupFile | LookupCall;
}

export interface StateDeclaration {
  readonly name: string;
  readonly type: 'value' | 'list';
  /** 0: it never expires. */
  readonly ttlMs: number;
  readonly refresh: 'write' | 'readWrite';
}

export interface ProcessNode extends NodeBase {
  readonly kind: 'process';
  readonly state: readonly StateDeclaration[];
  /** Whether the author handles timers. */
  readonly timers: boolean;
}

export interface TableDefinition {
  readonly kind: 'table';
  readonly table: string;
  /** The row's schema: an object; its properties are the columns. */
  readonly schema: JsonSchema;
  readonly partitionBy: readonly PartitionColumn[];
  /** Whether its files have the column `row_id`. */
  readonly rowId?: true;
  /**
   * The columns that are a row's key: a later row of a key stands in place of those before.
   * Without, rows are only added.
   */
  readonly upsert?: readonly string[];
}

/** Elements of a side output that belong with the refused ones. */
export interface RejectedDefinition {
  readonly kind: 'rejected';
}

/** Elements are kept for the test driver to read. */
export interface CollectDefinition {
  readonly kind: 'collect';
}

/** A property graph. */
export interface GraphDefinition {
  readonly kind: 'graph';
  readonly model: GraphModel;
}

export type SinkDefinitionData =
  | TableDefinition
  | RejectedDefinition
  | CollectDefinition
  | GraphDefinition;

export interface SinkNode extends NodeBase {
  readonly kind: 'sink';
  readonly sink: SinkDefinitionData;
}

/** Nodes with state by key, that forget by event time. */
export type KeyedNode = DeduplicateNode | WindowNode | IntervalJoinNode | ProcessNode;

export type GraphNode =
  | SourceNode
  | ValidateNode
  | EventTimeNode
  | StatelessNode
  | SplitNode
  | KeyedNode
  | UnionNode
  | LookupNode
  | SinkNode;

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
  /**
   * The stack of the call that made a node, or else the topology: for whoever tells its author
   * where a problem is.
   */
  readonly placeOf?: (node: string) => string | undefined;
  resolve(node: string, slot: string): UserFunction | undefined;
}

export interface GraphProblem {
  readonly node: string;
  readonly message: string;
  /** What to do. */
  readonly fix?: string;
}

/** Whether a node keeps state that a checkpoint holds: these need an author's id that stays. */
export function isStateful(node: GraphNode): boolean {
  switch (node.kind) {
    case 'source':
    case 'eventTime':
    case 'deduplicate':
    case 'window':
    case 'intervalJoin':
    case 'process':
    case 'union':
    case 'sink':
      return true;
    case 'lookup':
      return node.lookup.from !== 'file';
    case 'validate':
    case 'map':
    case 'filter':
    case 'flatMap':
    case 'split':
      return false;
  }
}

/**
 * The slots that a node of this kind resolves. A split has one per port but `rest`; a window one
 * per function of its aggregates.
 */
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
    case 'window':
      return [
        'key',
        ...node.aggregates.flatMap(({ name, parts }) =>
          parts.map((part) => aggregateSlot(name, part)),
        ),
      ];
    case 'intervalJoin':
      return ['leftKey', 'rightKey', 'join'];
    case 'lookup':
      return node.lookup.from === 'function' ? ['by', 'call', 'combine'] : ['by', 'combine'];
    case 'process':
      return node.timers ? ['key', 'onElement', 'onTimer'] : ['key', 'onElement'];
    case 'source':
    case 'validate':
    case 'union':
      return [];
    case 'sink':
      return node.sink.kind === 'graph' ? ['writes'] : [];
  }
}

/** The slot of one function of one aggregate. */
export function aggregateSlot(name: string, part: string): string {
  return `${name}:${part}`;
}

export const outPort = 'out';
export const latePort = 'late';
export const lateLeftPort = 'lateLeft';
export const lateRightPort = 'lateRight';
export const restPort = 'rest';

const latePorts: ReadonlySet<string> = new Set([latePort, lateLeftPort, lateRightPort]);

/** Whether it is what came too late for an operator. A split may call an output the same. */
export function isLateOutput({ nodes }: Graph, { node, port }: NodeInput): boolean {
  return latePorts.has(port) && nodes.find(({ id }) => id === node)?.kind !== 'split';
}

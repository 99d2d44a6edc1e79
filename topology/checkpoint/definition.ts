/**
 * What a stateful node was defined as when its state was made: kept in the checkpoint, compared
 * when it is restored. Pure.
 *
 * Functions are not in it and cannot be compared; of a key function the checkpoint keeps an example
 * of what it gave (`key-examples.ts`).
 *
 * Invariant: a definition is JSON and depends on the graph alone, so that equal graphs have equal
 * definitions.
 */
import { createHash } from 'node:crypto';
import type {
  Graph,
  GraphNode,
  LookupNode,
  NodeInput,
  SinkDefinitionData,
  ValidateNode,
  WindowNode,
} from '../graph/graph.ts';
import { isStateful, outPort } from '../graph/graph.ts';

export type OptionValue = string | number | boolean;

export interface InputDefinition {
  /**
   * The sources that its elements come from, each with the named outputs on the way: `clicks`,
   * `clicks>mobile`.
   */
  readonly origins: readonly string[];
  /** The nearest node before it that is not stateless, and the named outputs on the way. */
  readonly anchor: string;
  /**
   * Digest of the nodes on the way from the sources: while it stays, elements are made by the same
   * ones.
   */
  readonly path: string;
  /**
   * Digest of the schemas that its elements passed as they are; null when a function made something
   * else of them.
   */
  readonly schema: string | null;
}

export interface Definition {
  /**
   * By their names in the language, times in ms. A part of the state is an option `<group>.<name>`.
   */
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly inputs: readonly InputDefinition[];
  /** Of a sink: what it takes to commit its staged output once the topology has it no more. */
  readonly sink?: SinkDefinitionData;
}

type Definitions = ReadonlyMap<string, Definition>;

/** Graphs are frozen. */
const known = new WeakMap<Graph, Definitions>();

/** The stateful nodes of a graph, each with its definition, in the graph's order. */
export function definitionsOf(graph: Graph): Definitions {
  const made = known.get(graph) ?? makeDefinitions(graph);
  known.set(graph, made);
  return made;
}

function makeDefinitions(graph: Graph): Definitions {
  const provenance = provenanceOf(graph);
  return new Map(
    graph.nodes.filter(isStateful).map((node): readonly [string, Definition] => {
      if (node.kind === 'sink') return [node.id, { options: {}, inputs: [], sink: node.sink }];
      return [
        node.id,
        { options: optionsOf(node), inputs: (provenance.get(node.id) ?? []).map(inputOf) },
      ];
    }),
  );
}

function optionsOf(node: GraphNode): Readonly<Record<string, OptionValue>> {
  switch (node.kind) {
    case 'source':
      return { stream: node.stream, dataText: node.dataText };
    case 'eventTime':
      return {
        outOfOrderness: node.outOfOrdernessMs,
        idleAfter: node.idleAfterMs,
        'future.max': node.futureMaxMs,
      };
    case 'deduplicate':
      return { within: node.withinMs, late: node.late };
    case 'window':
      return windowOptions(node);
    case 'intervalJoin':
      return { lower: node.lowerMs, upper: node.upperMs, join: node.join, late: node.late };
    case 'process': {
      const parts = node.state.flatMap(
        ({ name, type, ttlMs, refresh }): readonly (readonly [string, OptionValue])[] => [
          [partOption('state', name), type],
          [`ttl of ${name}`, ttlMs],
          [`refresh of ${name}`, refresh],
        ],
      );
      return { onTimer: node.timers, ...Object.fromEntries(parts) };
    }
    case 'lookup':
      return lookupOptions(node);
    case 'union':
    case 'sink':
    case 'validate':
    case 'map':
    case 'filter':
    case 'flatMap':
    case 'split':
      return {};
  }
}

function windowOptions({
  window,
  allowedLatenessMs,
  late,
  mode,
  earlyMs,
  aggregates,
}: WindowNode): Readonly<Record<string, OptionValue>> {
  const { type, ...lengths } = window;
  return {
    window: type,
    ...Object.fromEntries(
      Object.entries(lengths).map(([name, ms]) => [name.replace(/Ms$/, ''), ms]),
    ),
    allowedLateness: allowedLatenessMs,
    late,
    mode,
    early: earlyMs,
    ...Object.fromEntries(aggregates.map(({ name, agg }) => [partOption('aggregates', name), agg])),
  };
}

function lookupOptions({ lookup }: LookupNode): Readonly<Record<string, OptionValue>> {
  if (lookup.from === 'file') return {};
  return {
    from: lookup.from,
    name: lookup.name,
    'cache.maxEntries': lookup.cacheMaxEntries,
    'cache.ttl': lookup.cacheTtlMs,
    capacity: lookup.capacity,
    timeout: lookup.timeoutMs,
    'retry.attempts': lookup.attempts,
    order: lookup.order,
    whenFailing: lookup.whenFailing,
  };
}

/** An aggregate or a declared state of a node as an option. */
function partOption(group: 'aggregates' | 'state', name: string): string {
  return `${group}.${name}`;
}

/** The part that an option stands for, undefined for any other option. */
export function partOf(
  option: string,
): { readonly group: 'aggregates' | 'state'; readonly name: string } | undefined {
  const [, group, name] = /^(aggregates|state)\.(.+)$/.exec(option) ?? [];
  return group === undefined || name === undefined
    ? undefined
    : { group: group as 'aggregates' | 'state', name };
}

/**
 * Elements that are events as a schema took them, and whether they carry the client's bytes as
 * text.
 */
export interface ElementShape {
  readonly validate: ValidateNode;
  readonly dataText: boolean;
}

/** What is known of the elements that a node gives, or of those of an input. */
export interface Provenance {
  readonly origins: ReadonlySet<string>;
  readonly anchor: string;
  readonly upstream: ReadonlySet<string>;
  /** Undefined where a function made the elements, or nothing checked them. */
  readonly shapes: readonly ElementShape[] | undefined;
  readonly dataText: boolean;
}

/** By node and input, in the order of the graph. */
export function provenanceOf(graph: Graph): ReadonlyMap<string, readonly Provenance[]> {
  const outputs = new Map<string, Provenance>();
  return new Map(
    graph.nodes.map((node) => {
      const inputs = node.inputs.flatMap((input) => {
        const from = outputs.get(input.node);
        return from === undefined ? [] : [throughPort(from, input)];
      });
      outputs.set(node.id, outputOf(node, inputs));
      return [node.id, inputs];
    }),
  );
}

/** A port that tells elements apart is part of where they come from. */
function throughPort(from: Provenance, { node, port }: NodeInput): Provenance {
  const named = (at: string): string => (port === outPort ? at : `${at}>${port}`);
  const upstream = new Set([...from.upstream, `${node}.${port}`]);
  return {
    ...from,
    origins: new Set([...from.origins].map(named)),
    anchor: named(from.anchor),
    upstream,
  };
}

function outputOf(node: GraphNode, inputs: readonly Provenance[]): Provenance {
  const [first] = inputs;
  return {
    origins:
      node.kind === 'source'
        ? new Set([node.id])
        : new Set(inputs.flatMap(({ origins }) => [...origins])),
    anchor: isStateful(node) || first === undefined ? node.id : first.anchor,
    upstream: new Set(inputs.flatMap(({ upstream }) => [...upstream])),
    shapes: shapesOf(node, inputs),
    dataText: node.kind === 'source' ? node.dataText : inputs.every(({ dataText }) => dataText),
  };
}

function shapesOf(
  node: GraphNode,
  inputs: readonly Provenance[],
): readonly ElementShape[] | undefined {
  switch (node.kind) {
    case 'validate':
      return [{ validate: node, dataText: inputs.every(({ dataText }) => dataText) }];
    case 'eventTime':
    case 'deduplicate':
    case 'filter':
    case 'split':
    case 'union':
      if (inputs.some(({ shapes }) => shapes === undefined)) return undefined;
      return [...new Set(inputs.flatMap(({ shapes }) => shapes ?? []))];
    default:
      return undefined;
  }
}

function inputOf({ origins, anchor, upstream, shapes }: Provenance): InputDefinition {
  const schemas = shapes?.map(({ validate, dataText }) => [
    dataText,
    validate.schemas.map(({ document }) => document),
  ]);
  return {
    origins: [...origins].sort(),
    anchor,
    path: digestOf([...upstream].sort()),
    schema: schemas === undefined ? null : digestOf(schemas),
  };
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
}

/**
 * The definition of a stateful node at the time of its state: kept in the checkpoint, and compared
 * when it is restored. Pure.
 *
 * It has no functions, which cannot be compared. For a key function the checkpoint keeps an example
 * of its result (`key-examples.ts`).
 *
 * Invariant: a definition is JSON and depends on the plan alone, so that equal plans have equal
 * definitions.
 */
import { createHash } from 'node:crypto';
import type { NodeInput } from '../nodes/node.ts';
import { outPort } from '../nodes/node.ts';
import type { Options } from '../operators/kind-state.ts';
import type { PlanNode } from '../operators/kinds.ts';
import { isStateful, kindOf } from '../operators/kinds.ts';
import type { SinkDefinitionData } from '../operators/sink/node.ts';
import type { ValidateNode } from '../operators/validate/kind.ts';
import type { Plan } from '../plan/plan.ts';
import { storedNames } from './stored-names.ts';

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
  readonly options: Options;
  readonly inputs: readonly InputDefinition[];
  /** Of a sink: what it takes to commit its staged output once the topology has it no more. */
  readonly sink?: SinkDefinitionData;
}

type Definitions = ReadonlyMap<string, Definition>;

/** Plans are frozen. */
const known = new WeakMap<Plan, Definitions>();

/** The stateful nodes of a plan, each with its definition, in the plan's order. */
export function definitionsOf(plan: Plan): Definitions {
  const made = known.get(plan) ?? makeDefinitions(plan);
  known.set(plan, made);
  return made;
}

function makeDefinitions(plan: Plan): Definitions {
  const provenance = provenanceOf(plan);
  return new Map(
    plan.nodes.filter(isStateful).map((node): readonly [string, Definition] => {
      if (node.kind === 'sink') return [node.id, { options: {}, inputs: [], sink: node.sink }];
      return [
        node.id,
        {
          options: kindOf(node).state?.options?.(node) ?? {},
          inputs: (provenance.get(node.id) ?? []).map(inputOf),
        },
      ];
    }),
  );
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

/** By node and input, in the order of the plan. */
export function provenanceOf(plan: Plan): ReadonlyMap<string, readonly Provenance[]> {
  const names = storedNames(plan);
  const outputs = new Map<string, Provenance>();
  return new Map(
    plan.nodes.map((node) => {
      const inputs = node.inputs.flatMap((input) => {
        const from = outputs.get(input.node);
        return from === undefined ? [] : [throughPort(from, input, names)];
      });
      outputs.set(node.id, outputOf(node, inputs));
      return [node.id, inputs];
    }),
  );
}

/** A port that tells elements apart is part of where they come from. */
function throughPort(
  from: Provenance,
  { node, port }: NodeInput,
  names: ReadonlyMap<string, string>,
): Provenance {
  const named = (at: string): string => (port === outPort ? at : `${at}>${port}`);
  const upstream = new Set([...from.upstream, `${names.get(node) ?? node}.${port}`]);
  return {
    ...from,
    origins: new Set([...from.origins].map(named)),
    anchor: named(from.anchor),
    upstream,
  };
}

function outputOf(node: PlanNode, inputs: readonly Provenance[]): Provenance {
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
  node: PlanNode,
  inputs: readonly Provenance[],
): readonly ElementShape[] | undefined {
  if (node.kind === 'validate')
    return [{ validate: node, dataText: inputs.every(({ dataText }) => dataText) }];
  if (kindOf(node).passesElements !== true) return undefined;
  if (inputs.some(({ shapes }) => shapes === undefined)) return undefined;
  return [...new Set(inputs.flatMap(({ shapes }) => shapes ?? []))];
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

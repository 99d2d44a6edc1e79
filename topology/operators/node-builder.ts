/**
 * What a kind's module needs to make a node of what an author wrote. It never throws for that: what
 * is wrong is a problem of the node, and something that fits stands in its place.
 */
import type { AnyNode, NodeInput, PlanProblem, SchemaChoice } from '../nodes/node.ts';

export interface NodeBuilder {
  readonly problems: PlanProblem[];
  /** `functions`: by slot. */
  add(node: AnyNode, functions?: Readonly<Record<string, unknown>>): void;
  /** The id of a node without one of the author's: its place. */
  pathId(from: NodeInput, kind: string): string;
  /** What an author gave as `what`, which must be an object. */
  given<T extends object>(node: string, what: string, value: T, example: string): T;
  schema(node: string, value: SchemaChoice): SchemaChoice;
  /** The names that an author gave to the parts of `what`. */
  namesOf(node: string, what: string, parts: object): readonly string[];
  /** Milliseconds from `least` up. */
  duration(node: string, option: string, value: unknown, least?: number): number;
  /** The same, of how long something is kept: it may be forever. */
  lasting(node: string, option: string, value: unknown, least?: number): number;
  /** Milliseconds, also negative ones. */
  signedDuration(node: string, option: string, value: unknown): number;
  /** The output that a stream object stands for. */
  inputOf(stream: object, node: string): NodeInput;
  /** The same of a keyed stream, with the function of its key. */
  keyedInputOf(stream: object, node: string): KeyedInput;
}

/** A stream and the function that keys it. */
export interface KeyedInput {
  readonly from: NodeInput;
  readonly key: unknown;
}

/** A call of an author on a stream. */
export interface StreamCall {
  readonly builder: NodeBuilder;
  readonly from: NodeInput;
  /** The name that was called. */
  readonly name: string;
  /** What was given, as the method's type has it. */
  readonly given: readonly unknown[];
}

/** A call of an author on a keyed stream. */
export interface KeyedCall extends StreamCall {
  readonly key: unknown;
}

/**
 * What a call made: a node with the one stream `out`; with `outputs` several, by name. Nothing
 * comes out of a sink.
 */
export interface Made {
  readonly id: string;
  readonly outputs?: readonly string[];
}

/**
 * What every node of a topology's plan has, whatever its kind: its id, where its elements come from
 * and which outputs it has. Kinds add their options (`operators/<kind>/`).
 *
 * Invariants:
 * 1. Everything here is JSON-safe and frozen: durations are integer milliseconds, minimum and
 *    maximum times are strings.
 * 2. Nodes stand in the order of their making, so every input names an earlier node.
 */
import type { JsonSchema } from '../../schemas/registry.ts';

export interface NodeInput {
  readonly node: string;
  readonly port: string;
}

export interface NodeBase {
  /**
   * Unique in the topology. Given by the author for stateful nodes, derived from the place for
   * stateless ones.
   */
  readonly id: string;
  readonly inputs: readonly NodeInput[];
  /** Names of the outputs that exist for these options. Sinks have none. */
  readonly outputs: readonly string[];
}

/** A node of which only its kind's name is known. */
export interface AnyNode extends NodeBase {
  readonly kind: string;
}

/** The nodes of a plan, for those who look at their places only. */
export interface PlanShape {
  readonly nodes: readonly AnyNode[];
}

export interface SchemaChoice {
  readonly id: string;
  readonly document: JsonSchema;
}

/** A user function, by its slot's contract; the engine checks what comes back. */
export type UserFunction = (...args: never[]) => unknown;

/** What is wrong, and what to do. */
export interface Problem {
  readonly message: string;
  readonly fix?: string;
}

export interface PlanProblem extends Problem {
  readonly node: string;
}

export const outPort = 'out';
export const latePort = 'late';

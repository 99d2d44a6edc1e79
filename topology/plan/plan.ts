/**
 * A topology's plan: what the language builds, as data, for validation, drawings, checkpoints and
 * the engine. It has no functions; they are addressed by (node id, slot), with slot names fixed per
 * kind.
 */
import type { NodeInput, PlanProblem, UserFunction } from '../nodes/node.ts';
import type { PlanNode } from '../operators/kinds.ts';
import { kindOf } from '../operators/kinds.ts';

export const irVersion = 1;

export interface Owner {
  readonly team: string;
  readonly app: string;
}

export interface Plan {
  readonly irVersion: typeof irVersion;
  readonly name: string;
  readonly version: number;
  readonly owner: Owner;
  readonly nodes: readonly PlanNode[];
}

/** A plan with its functions. Made by `topology()`. */
export interface Topology {
  readonly plan: Plan;
  /** @deprecated Since 0.1.0: use `plan`. */
  readonly graph: Plan;
  /** What was wrong already in the author's options; `validateTopology` adds the rest. */
  readonly problems: readonly PlanProblem[];
  /**
   * The stack of the call that made a node, or else the topology: for whoever tells its author
   * where a problem is.
   */
  readonly placeOf?: (node: string) => string | undefined;
  resolve(node: string, slot: string): UserFunction | undefined;
}

/** Whether it is what came too late for an operator. A branch may call an output the same. */
export function isLateOutput({ nodes }: Plan, { node, port }: NodeInput): boolean {
  const from = nodes.find(({ id }) => id === node);
  return from !== undefined && (kindOf(from).latePorts ?? []).includes(port);
}

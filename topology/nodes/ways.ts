/**
 * The ways through a plan: which nodes come before a node, and which after it. Pure.
 */
import type { AnyNode, PlanShape } from './node.ts';

/** Itself and the ids of all nodes upstream. */
export function upstreamOf({ nodes }: PlanShape, { id }: AnyNode): ReadonlySet<string> {
  const upstream = new Set([id]);
  // Inputs name earlier nodes, so that one way back finds all.
  for (const from of nodes.toReversed())
    if (upstream.has(from.id)) for (const input of from.inputs) upstream.add(input.node);
  return upstream;
}

/** Itself and the ids of all nodes downstream. */
export function downstreamOf({ nodes }: PlanShape, { id }: AnyNode): ReadonlySet<string> {
  const downstream = new Set([id]);
  for (const to of nodes)
    if (to.inputs.some((input) => downstream.has(input.node))) downstream.add(to.id);
  return downstream;
}

/**
 * Which nodes make several elements of one event, and how many such nodes come before each: by that
 * an element has its number among those of its event. Pure.
 */
import { present } from '../../schemas/kernel/assert.ts';
import type { PlanNode } from '../operators/kinds.ts';
import { kindOf } from '../operators/kinds.ts';
import type { Plan } from '../plan/plan.ts';

export interface ElementLevels {
  /** How many nodes that number elements are on the longest way to this one. */
  levelOf(node: PlanNode): number;
  /** Whether an event may come to it by more than one of its inputs. */
  hasWays(node: PlanNode): boolean;
}

export function elementLevels({ nodes }: Plan): ElementLevels {
  const levels = new Map<string, number>();
  const streams = new Map<string, ReadonlySet<string>>();
  const ways = new Set<string>();
  const numbering = new Set<string>();
  // Inputs name earlier nodes.
  for (const node of nodes) {
    const before = node.inputs.map((input) =>
      present(streams.get(input.node), `the streams of ${input.node}`),
    );
    const all = new Set(before.flatMap((each) => [...each]));
    if (before.reduce((sum, each) => sum + each.size, 0) > all.size) ways.add(node.id);
    if (node.kind === 'source') all.add(node.stream);
    streams.set(node.id, all);
    levels.set(
      node.id,
      Math.max(
        0,
        ...node.inputs.map(({ node: id }) => (levels.get(id) ?? 0) + (numbering.has(id) ? 1 : 0)),
      ),
    );
    const { multiplies } = kindOf(node);
    if (multiplies === 'each' || (multiplies === 'ways' && ways.has(node.id)))
      numbering.add(node.id);
  }
  return {
    levelOf: ({ id }) => present(levels.get(id), `the level of ${id}`),
    hasWays: ({ id }) => ways.has(id),
  };
}

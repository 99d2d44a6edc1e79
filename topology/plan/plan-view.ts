/**
 * What kinds may ask about the place of a node in a plan. Pure; also of a plan that is wrong.
 */
import type { AnyNode, NodeInput, PlanShape } from '../nodes/node.ts';
import type { PlanView } from '../operators/kind.ts';
import { kindNamed } from '../operators/kinds.ts';

export function planView({ nodes }: PlanShape): PlanView {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const setsTime = ({ kind }: AnyNode): boolean => kindNamed(kind)?.setsTime === true;

  const hasTime = (input: NodeInput): boolean => {
    const node = byId.get(input.node);
    if (node === undefined || node.inputs.length === 0) return false;
    return setsTime(node) || node.inputs.every((from) => from.node !== node.id && hasTime(from));
  };
  return {
    nodes,
    isTimed: ({ inputs }) => inputs.every(hasTime),
    isInputTimed: ({ inputs }, input) => {
      const from = inputs[input];
      return from !== undefined && hasTime(from);
    },
    isTimeSetBefore: (node) => upstream(node, byId).some(setsTime),
  };
}

function upstream(node: AnyNode, byId: ReadonlyMap<string, AnyNode>): readonly AnyNode[] {
  const found = new Map<string, AnyNode>();
  const visit = (from: AnyNode): void => {
    for (const input of from.inputs) {
      const next = byId.get(input.node);
      if (next === undefined || next === from || found.has(next.id)) continue;
      found.set(next.id, next);
      visit(next);
    }
  };
  visit(node);
  return [...found.values()];
}

/**
 * The names of node kinds in the digests of checkpoints. The ids of nodes without state contain the
 * names of their kinds, so a kind that was renamed keeps its old name there: a topology that adopts
 * the new name keeps its definitions. Pure.
 */
import type { AnyNode, PlanShape } from '../nodes/node.ts';
import { outPort } from '../nodes/node.ts';
import { isStateful, kindOf } from '../operators/kinds.ts';

/** By id. */
export function storedNames({ nodes }: PlanShape): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  // Inputs name earlier nodes.
  for (const node of nodes) names.set(node.id, storedName(node, names));
  return names;
}

function storedName(node: AnyNode, earlier: ReadonlyMap<string, string>): string {
  const [from, ...others] = node.inputs;
  if (from === undefined || others.length > 0 || isStateful(node)) return node.id;
  const port = from.port === outPort ? '' : `.${from.port}`;
  const place = `${from.node}${port}/${node.kind}`;
  // Else it is the author's.
  if (!node.id.startsWith(place)) return node.id;
  const kind = kindOf(node).oldName ?? node.kind;
  const numbered = node.id.slice(place.length);
  return `${earlier.get(from.node) ?? from.node}${port}/${kind}${numbered}`;
}

/**
 * Finds values that are written down in a function whose results go from node to node, and are not
 * JSON: on Flink they cross as text. What is only seen when it runs (a field that is a Date) the
 * test driver reports. Pure.
 */
import type { AnyNode } from 'acorn';
import type { PlanNode } from '../../../topology/operators/kinds.ts';
import type { SlotFunction } from './reach.ts';
import type { ScriptTree } from './script-tree.ts';
import { isFunction } from './script-tree.ts';
import { isMadeBy, returnsOf, valueOf } from './uses.ts';

export interface JsonValueFinding {
  readonly node: string;
  readonly found: string;
  readonly at: AnyNode;
}

/** What `new` makes that JSON does not have. */
const classes =
  'Date Map Set WeakMap WeakSet RegExp Error ArrayBuffer Uint8Array Float64Array BigInt64Array'.split(
    ' ',
  );

/** Of one function. They nest as deep, which the stack allows. */
const valuesMax = 1_000;

/** `plan`: which slots give what goes on is told by their node's kind. */
export function jsonValues(
  tree: ScriptTree,
  slots: readonly SlotFunction[],
  nodes: readonly PlanNode[],
): readonly JsonValueFinding[] {
  const kinds = new Map(nodes.map((node) => [node.id, node]));
  return slots.flatMap(({ node, slot, functions }) => {
    const of = kinds.get(node);
    if (of === undefined || !givesValues(of, slot)) return [];
    return functions.flatMap((range) =>
      tree.within(range).flatMap(({ node: made }) => {
        const isIt = isFunction(made) && made.end === range.end;
        if (!isIt) return [];
        const seen = new Set<AnyNode>();
        return returnsOf(tree, made)
          .flatMap((value) => notJson(tree, value, seen))
          .map(({ found, at }) => ({ node, found, at }));
      }),
    );
  });
}

function givesValues(node: PlanNode, slot: string): boolean {
  switch (node.kind) {
    case 'map':
    case 'flatMap':
      return true;
    case 'lookup':
      return slot === 'combine';
    case 'intervalJoin':
      return slot === 'join';
    case 'process':
      return slot === 'onElement' || slot === 'onTimer';
    case 'window':
      return /:(?:create|add|merge|result)$/.test(slot);
    default:
      return false;
  }
}

interface NotJson {
  readonly found: string;
  readonly at: AnyNode;
}

/** `seen`: each value is looked at once, so that what is named many times costs once. */
function notJson(tree: ScriptTree, given: AnyNode, seen: Set<AnyNode>): readonly NotJson[] {
  const node = valueOf(tree, given);
  if (seen.has(node) || seen.size >= valuesMax) return [];
  seen.add(node);
  const found = (what: string): readonly NotJson[] => [{ found: what, at: node }];
  const inside = (...parts: readonly AnyNode[]): readonly NotJson[] =>
    parts.flatMap((part) => notJson(tree, part, seen));
  if (isFunction(node)) return found('a function');
  switch (node.type) {
    case 'ObjectExpression':
      return inside(
        ...node.properties.flatMap((property) =>
          property.type === 'Property' ? [property.value] : [],
        ),
      );
    case 'ArrayExpression':
      return inside(
        ...node.elements.flatMap((element) =>
          element === null || element.type === 'SpreadElement' ? [] : [element],
        ),
      );
    case 'ConditionalExpression':
      return inside(node.consequent, node.alternate);
    case 'LogicalExpression':
      return inside(node.left, node.right);
    case 'Literal':
      if (typeof node.bigint === 'string') return found('a BigInt');
      return node.regex === undefined || node.regex === null ? [] : found('a regular expression');
    case 'UnaryExpression':
      if (node.operator === 'void') return found('undefined');
      return node.operator === '-' ? inside(node.argument) : [];
    case 'Identifier': {
      const isGlobal = tree.declarationOf(node) === undefined;
      return isGlobal && ['NaN', 'Infinity', 'undefined'].includes(node.name)
        ? found(node.name)
        : [];
    }
    case 'CallExpression':
      return calledNotJson(tree, node);
    case 'NewExpression': {
      const made = classes.find((name) => isMadeBy(tree, node, name));
      return made === undefined ? [] : found(`a ${made}`);
    }
    default:
      return [];
  }
}

function calledNotJson(
  tree: ScriptTree,
  node: Extract<AnyNode, { type: 'CallExpression' }>,
): readonly NotJson[] {
  const { callee } = node;
  if (callee.type !== 'Identifier' || tree.declarationOf(callee) !== undefined) return [];
  return callee.name === 'BigInt' || callee.name === 'Symbol'
    ? [{ found: `a ${callee.name}`, at: node }]
    : [];
}

/**
 * Everything in a topology that cannot run on Flink, and what runs there and may differ: of its
 * plan, and of the code of its functions and of what they import. Pure.
 */
import type { AnyNode } from 'acorn';
import { messageOf } from '../../../schemas/kernel/errors.ts';
import type { Plan } from '../../../topology/plan/plan.ts';
import type { ScriptPlace } from '../../host/author-places.ts';
import { differenceOf } from './differences.ts';
import { jsonValues } from './json-values.ts';
import type { PlanFinding } from './plan-findings.ts';
import { planFindings } from './plan-findings.ts';
import type { SlotFunction, SlotText } from './reach.ts';
import { isWithin, slotFunctions } from './reach.ts';
import type { ScriptTree } from './script-tree.ts';
import { around, isFunction, scriptTree } from './script-tree.ts';
import type { Use } from './uses.ts';
import { usesIn } from './uses.ts';

export interface FlinkSubject {
  readonly plan: Plan;
  /** The functions of its nodes. */
  readonly slots: readonly SlotText[];
  /** Lines and columns in the bundle at which its nodes are made, from 1. */
  readonly made: readonly ScriptPlace[];
  /** The bundle, with `sluice` left outside. */
  readonly script: string;
}

export interface FlinkFinding extends Omit<PlanFinding, 'node'> {
  /** The nodes that it is about; none: it is about no function of a node, as far as can be seen. */
  readonly nodes: readonly string[];
  /** In the bundle; undefined: where the node is made. */
  readonly at?: ScriptPlace;
}

/**
 * Of the script without its source map, in UTF-16 units: 2 million took 7 s of CPU, and the time
 * grows with the length.
 */
const scriptMaxLength = 5_000_000;

export function checkForFlink(subject: FlinkSubject): readonly FlinkFinding[] {
  const { plan } = subject;
  const tree = treeOf(subject.script);
  if (typeof tree === 'string')
    return once([
      ...planFindings(plan).map(({ node, ...rest }) => ({ ...rest, nodes: [node] })),
      { severity: 'problem', nodes: [], message: tree, fix: 'import less, or smaller packages' },
    ]);
  const slots = slotFunctions(tree, subject.slots);
  const uses = usesIn(tree).filter((use) => !isOfRefused(use, slots, plan));
  const json = jsonValues(tree, slots, plan.nodes).map(({ node, found, at }): FlinkFinding => {
    const message = `it gives ${found}, which is not JSON: between the nodes of a Flink job values are text`;
    const fix = 'give a string, a finite number, a boolean, null, or arrays and objects of these';
    return { severity: 'warning', nodes: [node], message, fix, at: placeOf(at) };
  });
  const found = [
    ...planFindings(plan).map(({ node, ...rest }) => ({ ...rest, nodes: [node] })),
    ...asyncSlots(tree, slots, plan),
    ...uses.flatMap((use) => findingOf(use, tree, slots, subject.made)),
    ...json,
  ];
  return once(found);
}

/** Or why its functions cannot be checked. */
function treeOf(script: string): ScriptTree | string {
  const map = script.lastIndexOf('\n//# sourceMappingURL=');
  const code = map < 0 ? script : script.slice(0, map + 1);
  if (code.length > scriptMaxLength)
    return `the topology with all that it imports has ${code.length} characters: up to ${scriptMaxLength} can be checked`;
  try {
    return scriptTree(code);
  } catch (thrown) {
    // esbuild wrote it, so that its syntax is right.
    return `the topology or what it imports cannot be checked: ${messageOf(thrown)}`;
  }
}

/** Of a function that is refused as a whole nothing more is told. */
function isOfRefused({ at }: Use, slots: readonly SlotFunction[], { nodes }: Plan): boolean {
  const reaching = slots.filter(({ ranges }) => isWithin(at.start, ranges));
  if (reaching.length === 0) return false;
  return reaching.every(
    ({ node, slot }) =>
      slot === 'call' && nodes.some(({ id, kind }) => id === node && kind === 'lookup'),
  );
}

/** A function of a node that gives a promise gives no value. */
function asyncSlots(
  tree: ScriptTree,
  slots: readonly SlotFunction[],
  { nodes }: Plan,
): readonly FlinkFinding[] {
  return slots.flatMap(({ node, slot, functions }) => {
    if (nodes.some(({ id, kind }) => id === node && kind === 'lookup') && slot === 'call')
      return [];
    return functions.flatMap((range) =>
      tree.within(range).flatMap(({ node: made }): readonly FlinkFinding[] => {
        if (!isFunction(made) || !made.async) return [];
        if (made.end !== range.end) return [];
        const message = `its ${slot} is asynchronous: a Flink job needs its result at once`;
        const fix = differenceOf('async').fix;
        return [{ severity: 'problem', nodes: [node], message, fix, at: placeOf(made) }];
      }),
    );
  });
}

function findingOf(
  { difference, found, at }: Use,
  tree: ScriptTree,
  slots: readonly SlotFunction[],
  made: readonly ScriptPlace[],
): readonly FlinkFinding[] {
  const { severity, isLacking = false, message, fix } = differenceOf(difference);
  // It is told of the node.
  if (difference === 'async' && slots.some(({ functions }) => isOne(at, functions))) return [];
  const nodes = [
    ...new Set(slots.filter(({ ranges }) => isWithin(at.start, ranges)).map(({ node }) => node)),
  ];
  const isProblem = severity === 'problem' || isLacking;
  const isCertain = nodes.length > 0 || isRunAtLoad(tree, at, made);
  return [
    {
      severity: isProblem && isCertain ? 'problem' : 'warning',
      nodes,
      message: message(found),
      fix,
      at: placeOf(at),
    },
  ];
}

const isOne = (at: AnyNode, functions: SlotFunction['functions']): boolean =>
  functions.some(({ start, end }) => end === at.end && start <= at.start && isFunction(at));

/** Outside of functions, or in one that makes nodes. */
function isRunAtLoad(tree: ScriptTree, at: AnyNode, made: readonly ScriptPlace[]): boolean {
  const inside = around(tree.placeOf(at), ({ node }) => isFunction(node))?.node;
  if (inside === undefined) return true;
  return made.some(({ line, column }) => {
    const { start, end } = inside.loc ?? {};
    if (start === undefined || end === undefined) return false;
    const isAfter = line > start.line || (line === start.line && column > start.column);
    return isAfter && (line < end.line || (line === end.line && column <= end.column));
  });
}

function placeOf({ loc }: AnyNode): ScriptPlace {
  const { line, column } = loc?.start ?? { line: 1, column: 0 };
  return { line, column: column + 1 };
}

/** The same of the same line is told once. */
function once(findings: readonly FlinkFinding[]): readonly FlinkFinding[] {
  const told = new Set<string>();
  return findings.filter(({ message, at, nodes }) => {
    const key = JSON.stringify([message, at?.line, at === undefined ? nodes : []]);
    if (told.has(key)) return false;
    told.add(key);
    return true;
  });
}

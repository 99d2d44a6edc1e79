/**
 * Everything in a topology that cannot run on Flink, and what runs there and may differ: of its
 * plan, and of the code of its functions and of what they import. Pure.
 */
import type { AnyNode } from 'acorn';
import type { Plan } from '../../../topology/plan/plan.ts';
import type { ScriptPlace } from '../../host/author-places.ts';
import type { FlinkEngine } from './differences.ts';
import { differenceOf } from './differences.ts';
import { jsonValues } from './json-values.ts';
import type { PlanFinding } from './plan-findings.ts';
import { planFindings } from './plan-findings.ts';
import type { SlotFunction, SlotText } from './reach.ts';
import { isWithin, slotFunctions } from './reach.ts';
import type { ScriptTree } from './script-tree.ts';
import { around, isFunction, scriptTree } from './script-tree.ts';
import type { Use } from './uses.ts';
import { hasProperty, usesIn } from './uses.ts';

/** The engines that the job has. */
const jobEngines: readonly FlinkEngine[] = ['graaljs'];
const allEngines: readonly FlinkEngine[] = ['graaljs', 'v8'];

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

/** An engine, and what keeps it from running the topology. */
export interface EngineVerdict {
  readonly engine: FlinkEngine;
  /** Whether the job has it. */
  readonly built: boolean;
  readonly lacks: readonly { readonly found: string; readonly at?: ScriptPlace }[];
}

export interface FlinkVerdict {
  readonly findings: readonly FlinkFinding[];
  readonly engines: readonly EngineVerdict[];
}

export function checkForFlink(subject: FlinkSubject): FlinkVerdict {
  const { plan, script } = subject;
  const tree = scriptTree(script);
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
  return { findings: once(found), engines: enginesFor(uses, plan) };
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
      tree.nodes.flatMap(({ node: made }): readonly FlinkFinding[] => {
        if (!isFunction(made) || !made.async) return [];
        if (made.end !== range.end || made.start < range.start) return [];
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
  const { severity, lacking, message, fix } = { lacking: undefined, ...differenceOf(difference) };
  // It is told of the node.
  if (difference === 'async' && slots.some(({ functions }) => isOne(at, functions))) return [];
  const isLacking = lacking !== undefined && jobEngines.every((engine) => engine === lacking);
  if (severity === 'none' && !isLacking) return [];
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
  const place = tree.nodes.find(({ node }) => node === at);
  const inside = place && around(place, ({ node }) => isFunction(node))?.node;
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

function enginesFor(uses: readonly Use[], plan: Plan): readonly EngineVerdict[] {
  return allEngines.map((engine) => {
    const lacks = uses
      .filter(({ difference }) => differenceOf(difference).lacking === engine)
      .map(({ found, at }) => ({ found, at: placeOf(at) }));
    const patterns = engine === 'v8' ? schemaPatterns(plan) : [];
    return { engine, built: jobEngines.includes(engine), lacks: [...lacks, ...patterns] };
  });
}

/** Patterns of schemas that need tables of Unicode: they are compiled with the flag u. */
function schemaPatterns({ nodes }: Plan): readonly { readonly found: string }[] {
  const found = new Set<string>();
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [name, part] of Object.entries(value) as readonly [string, unknown][]) {
      if (name === 'pattern' && typeof part === 'string') found.add(part);
      if (name === 'patternProperties' && typeof part === 'object' && part !== null)
        for (const pattern of Object.keys(part)) found.add(pattern);
      look(part);
    }
  };
  for (const node of nodes) look(node);
  return [...found].filter(hasProperty).map((pattern) => ({
    found: `the pattern ${pattern} of a schema`,
  }));
}

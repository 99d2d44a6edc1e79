/**
 * Finds every problem of a plan at once, each with its node. Pure; an empty list means that the
 * engine accepts the plan. The rules of a kind of node are in its module.
 */
import { isInherited } from '../nodes/names.ts';
import type { AnyNode, PlanProblem, Problem } from '../nodes/node.ts';
import { outPort } from '../nodes/node.ts';
import { allKinds, kindOf, slotsOf } from '../operators/kinds.ts';
import type { Plan, Topology } from './plan.ts';
import { planView } from './plan-view.ts';

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._/~-]{0,127}$/;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The problems of a topology: of its options, of its plan, and of functions that are missing. */
export function validateTopology(topology: Topology): readonly PlanProblem[] {
  const missing = topology.plan.nodes.flatMap((node) =>
    slotsOf(node)
      .filter((slot) => typeof topology.resolve(node.id, slot) !== 'function')
      .map((slot) => ({
        node: node.id,
        message: `its ${slot} must be a function`,
        fix: `give it a function for ${slot}`,
      })),
  );
  return [...topology.problems, ...validatePlan(topology.plan), ...missing];
}

export function validatePlan(plan: Plan): readonly PlanProblem[] {
  const view = planView(plan);
  return [
    ...at(plan.name, headProblems(plan)),
    ...placeProblems(plan),
    ...plan.nodes.flatMap((node) => at(node.id, kindOf(node).problems?.(node, view) ?? [])),
    ...unreadProblems(plan),
    ...togetherProblems(plan),
    ...at(plan.name, inheritedProblems('the name of a topology', plan.name)),
    ...plan.nodes.flatMap((node) => at(node.id, namesProblems(node))),
  ];
}

function at(node: string, problems: readonly Problem[]): readonly PlanProblem[] {
  return problems.map((problem) => ({ node, ...problem }));
}

function headProblems({ name, version, owner, nodes }: Plan): readonly Problem[] {
  const problems: Problem[] = [];
  const report = (message: string, fix: string): void => void problems.push({ message, fix });
  if (!namePattern.test(name))
    report(
      'a topology name must be 1 to 64 of A-Z a-z 0-9 . _ -',
      'rename it: the first argument of topology()',
    );
  if (!Number.isInteger(version) || version < 1)
    report(`version must be an integer from 1, not ${version}`, 'write version: 1');
  if (!namePattern.test(owner.team) || !namePattern.test(owner.app))
    report("owner must be 'team/app'", "write who owns it, such as owner: 'shop/promo'");
  if (!nodes.some(({ kind }) => kind === 'source'))
    report('there is no source', "read a stream: t.source('clicks', stream('team/app'))");
  if (!nodes.some(({ kind }) => kind === 'sink'))
    report(
      'there is no sink: nothing would be kept',
      "give its results a sink: sinkTo('rows', table(...))",
    );
  return problems;
}

/** Of ids, and of inputs that lead nowhere. */
function placeProblems({ nodes }: Plan): readonly PlanProblem[] {
  const problems: PlanProblem[] = [];
  const earlier = new Map<string, AnyNode>();
  for (const node of nodes) {
    problems.push(
      ...at(node.id, [
        ...idProblems(node.id, earlier),
        ...node.inputs.flatMap((input) => inputProblems(input, earlier)),
      ]),
    );
    earlier.set(node.id, node);
  }
  return problems;
}

function idProblems(id: string, earlier: ReadonlyMap<string, AnyNode>): readonly Problem[] {
  const wrong = {
    message: 'an id must be 1 to 128 of A-Z a-z 0-9 . _ / ~ -, starting with a letter or digit',
    fix: 'rename the node',
  };
  const taken = {
    message: 'the id is used twice; ids identify state in checkpoints and must be unique',
    fix: 'rename one of the two nodes',
  };
  return [...(idPattern.test(id) ? [] : [wrong]), ...(earlier.has(id) ? [taken] : [])];
}

function inputProblems(
  { node, port }: AnyNode['inputs'][number],
  earlier: ReadonlyMap<string, AnyNode>,
): readonly Problem[] {
  const from = earlier.get(node);
  if (from === undefined) {
    const message = `its input '${node}' is not an earlier node of this topology`;
    return [{ message, fix: 'use streams of the same topology() call only' }];
  }
  if (from.outputs.includes(port)) return [];
  const message = `'${node}' has no output '${port}'`;
  return [{ message, fix: `use one of its outputs: ${from.outputs.join(', ')}` }];
}

/**
 * A stream that nobody reads is a mistake: at a side output the elements would vanish, elsewhere
 * the work would.
 */
function unreadProblems({ nodes }: Plan): readonly PlanProblem[] {
  const read = new Set(
    nodes.flatMap(({ inputs }) => inputs.map(({ node, port }) => `${node}\n${port}`)),
  );
  return nodes.flatMap((node) => {
    const optional = kindOf(node).optionalPorts ?? [];
    const unread = node.outputs.filter(
      (port) => !read.has(`${node.id}\n${port}`) && !optional.includes(port),
    );
    return unread.map((port) => ({
      node: node.id,
      message: `its output '${port}' is not used`,
      fix: `add .${port === outPort ? '' : `${port}.`}sinkTo(...), or remove the option that creates this output`,
    }));
  });
}

function togetherProblems({ nodes }: Plan): readonly PlanProblem[] {
  return allKinds.flatMap(({ name, together }) => {
    const own = together === undefined ? [] : nodes.filter(({ kind }) => kind === name);
    return together?.(own) ?? [];
  });
}

/** State, columns and functions are looked up by name. */
function inheritedProblems(what: string, name: string): readonly Problem[] {
  if (!isInherited(name)) return [];
  const message = `${what} cannot be '${name}': every object of JavaScript has a member of that name`;
  return [{ message, fix: 'rename it' }];
}

function namesProblems(node: AnyNode): readonly Problem[] {
  return [...inheritedProblems('an id', node.id), ...(kindOf(node).nameProblems?.(node) ?? [])];
}

/**
 * The earlier names of the public surface are the same things as the new ones, for one version.
 */
import { expect, it } from 'vitest';
import type {
  Graph,
  GraphFormat,
  GraphNode,
  GraphProblem,
  Plan,
  RefusedRow,
  RejectedRow,
} from '../../../topology/index.ts';
import {
  describeGraph,
  describePlan,
  validateGraph,
  validatePlan,
} from '../../../topology/index.ts';
import { everyKind, everyMistake } from './every-kind.ts';

it('the old names of a plan give what the new ones give', () => {
  const { graph, plan } = everyKind;
  expect(graph).toBe(plan);
  const old: Graph = plan;
  const nodes: readonly GraphNode[] = old.nodes;
  expect(nodes.length).toBeGreaterThan(20);
  for (const format of ['json', 'mermaid', 'dot'] satisfies readonly GraphFormat[])
    expect(describeGraph(old, format)).toBe(describePlan(plan, format));
  const problems: readonly GraphProblem[] = validateGraph(everyMistake.graph);
  expect(problems).toEqual(validatePlan(everyMistake.plan satisfies Plan));
  expect(problems.length).toBeGreaterThan(10);
  const row: RefusedRow = { index: 0, message: 'too long', pointer: '/id' };
  expect(row satisfies RejectedRow).toBe(row);
});

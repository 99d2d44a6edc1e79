/**
 * What the public surface called a topology's graph is its plan now; the old names are the same
 * things, for one version.
 */
import { expect, it } from 'vitest';
import type { Graph, GraphFormat, GraphNode, GraphProblem, Plan } from '../../../topology/index.ts';
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
});

/**
 * A plan for people: JSON, Mermaid (https://mermaid.js.org/syntax/flowchart.html) and DOT
 * (https://graphviz.org/doc/info/lang.html).
 */
import type { AnyNode } from '../nodes/node.ts';
import { outPort } from '../nodes/node.ts';
import { kindOf } from '../operators/kinds.ts';
import type { Plan } from './plan.ts';

export type PlanFormat = 'json' | 'mermaid' | 'dot';

export function describePlan(plan: Plan, format: PlanFormat = 'json'): string {
  switch (format) {
    case 'json':
      return JSON.stringify(plan, null, 2);
    case 'mermaid':
      return mermaid(plan);
    case 'dot':
      return dot(plan);
  }
}

/** What a node does, in a few words. */
function summaryOf(node: AnyNode): string {
  return kindOf(node).summary?.(node) ?? node.kind;
}

function mermaid(plan: Plan): string {
  const number = new Map(plan.nodes.map((node, index) => [node.id, index]));
  const text = (value: string): string => value.replaceAll('"', '#quot;');
  const lines = plan.nodes.map((node, index) => {
    const label = `"${text(node.id)}<br/>${text(summaryOf(node))}"`;
    const [before, after] = kindOf(node).outline ?? ['[', ']'];
    return `  n${index}${before}${label}${after}`;
  });
  const edges = plan.nodes.flatMap((node, index) =>
    node.inputs.map((input) => {
      const arrow = input.port === outPort ? '-->' : `-->|${text(input.port)}|`;
      return `  n${number.get(input.node)} ${arrow} n${index}`;
    }),
  );
  return ['flowchart LR', ...lines, ...edges, ''].join('\n');
}

function dot(plan: Plan): string {
  const quote = (value: string): string =>
    `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  const lines = plan.nodes.map(
    (node) =>
      `  ${quote(node.id)} [label=${quote(`${node.id}\n${summaryOf(node)}`).replaceAll('\n', '\\n')}];`,
  );
  const edges = plan.nodes.flatMap((node) =>
    node.inputs.map((input) => {
      const label = input.port === outPort ? '' : ` [label=${quote(input.port)}]`;
      return `  ${quote(input.node)} -> ${quote(node.id)}${label};`;
    }),
  );
  return [`digraph ${quote(plan.name)} {`, '  rankdir=LR;', ...lines, ...edges, '}', ''].join('\n');
}

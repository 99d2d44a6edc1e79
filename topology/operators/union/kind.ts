/**
 * Several streams as one.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import type { NodeBase, PlanShape } from '../../nodes/node.ts';
import { outPort } from '../../nodes/node.ts';
import type { MergeSnapshot } from '../../time/merge.ts';
import { withInputs } from '../../time/merge.ts';
import type { Kind } from '../kind.ts';
import type { Made, StreamCall } from '../node-builder.ts';
import { UnionOperator } from './operator.ts';

export interface UnionNode extends NodeBase {
  readonly kind: 'union';
}

export const unionKind: Kind<UnionNode> = {
  name: 'union',
  docs: {
    call: 'union(id, other, ...)',
    sql: [['`UNION ALL`', '`union(id, other, ...)`']],
    summary:
      'This stream and others of its type as one. Either all of them have event time, or none.',
    outputs: 'One stream of the same elements. Its watermark is the lowest one of its inputs.',
    state: 'How far the watermark of each input is; no elements.',
    example: `
export const all = clicks.union('all', views);
`,
  },
  build: buildUnion,
  problems: (node, plan) =>
    new Set(node.inputs.map((_, input) => plan.isInputTimed(node, input))).size > 1
      ? [
          {
            message:
              'some of its inputs have event time and others not: put eventTime() before each, or none',
            fix: 'put eventTime() before each input, or before none',
          },
        ]
      : [],
  passesElements: true,
  passesPanes: true,
  multiplies: 'ways',
  state: {
    // It holds no elements, only how far its inputs are.
    takesOtherElements: true,
    adapt: (state, { anchorsBefore, anchors }) =>
      withInputs(state as MergeSnapshot, anchorsBefore, anchors),
  },
  operator: (node, { plan, counts, isBeforeTime, wayLevel }) =>
    new UnionOperator(sourcesOfInputs(node, plan), counts, !isBeforeTime(), wayLevel),
};

function buildUnion({ builder, from, given }: StreamCall): Made {
  const [id, ...others] = given as readonly [string, ...object[]];
  const inputs = [from, ...others.map((other) => builder.inputOf(other, id))];
  builder.add({ id, kind: 'union', inputs, outputs: [outPort] } satisfies UnionNode);
  return { id };
}

/** The sources upstream of each input. */
function sourcesOfInputs({ inputs }: UnionNode, { nodes }: PlanShape): ReadonlySet<string>[] {
  const sources = new Map<string, ReadonlySet<string>>();
  // Inputs name earlier nodes; what has none is a source.
  for (const node of nodes) {
    const before = node.inputs.flatMap((input) => [...(sources.get(input.node) ?? [])]);
    sources.set(node.id, new Set(node.inputs.length === 0 ? [node.id] : before));
  }
  return inputs.map((input) => present(sources.get(input.node), 'an earlier node'));
}

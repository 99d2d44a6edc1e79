/**
 * A sink: a table, a property graph, the rejected table, or the test driver.
 */
import type { GraphModel } from '../../graph/graph-model.ts';
import { modelClashes, modelProblems } from '../../graph/graph-model.ts';
import type { PlanProblem } from '../../graph/node.ts';
import type { Kind } from '../kind.ts';
import type { StreamCall } from '../node-builder.ts';
import type { SinkDefinitionData, SinkNode } from './node.ts';
import { tableProblems } from './table-problems.ts';

export const sinkKind: Kind<SinkNode> = {
  name: 'sink',
  methods: ['sinkTo'],
  build: buildSink,
  summary: ({ sink }) => sinkText(sink),
  outline: ['[(', ')]'],
  slots: ({ sink }) => (sink.kind === 'graph' ? ['writes'] : []),
  schemas: ({ sink }) => (sink.kind === 'table' ? [sink.schema] : []),
  together: (sinks) => [...allModelProblems(sinks), ...tableProblems(sinks)],
  state: {},
};

function buildSink({ builder, from, given }: StreamCall): undefined {
  const [id, sink] = given as readonly [string, GivenSink];
  const example = 'table(...), graph(...) or rejected()';
  const { definition, functions } = builder.given(id, 'sink', sink, example);
  const isSink = typeof definition === 'object';
  if (!isSink && typeof sink === 'object')
    builder.problems.push({ node: id, message: 'its sink is none', fix: `write ${example}` });
  const node: SinkNode = {
    id,
    kind: 'sink',
    inputs: [from],
    outputs: [],
    sink: isSink ? definition : { kind: 'collect' },
  };
  builder.add(node, functions);
}

/** What an author gives `sinkTo`. */
interface GivenSink {
  readonly definition: SinkDefinitionData;
  readonly functions?: Readonly<Record<string, unknown>>;
}

function sinkText(sink: SinkDefinitionData): string {
  switch (sink.kind) {
    case 'table':
      return `table ${sink.table}${sink.upsert === undefined ? '' : `, latest by ${sink.upsert.join(', ')}`}`;
    case 'graph': {
      const { nodes, edges } = sink.model;
      return `graph: ${[...Object.keys(nodes), ...Object.entries(edges).map(([type, { from, to }]) => `${from}-${type}-${to}`)].join(', ')}`;
    }
    case 'rejected':
    case 'collect':
      return sink.kind;
  }
}

/** Several sinks may write into one graph, as long as they mean the same by a name. */
function allModelProblems(sinks: readonly SinkNode[]): readonly PlanProblem[] {
  const problems: PlanProblem[] = [];
  const checked: (readonly [node: string, model: GraphModel])[] = [];
  for (const { id: node, sink } of sinks) {
    if (sink.kind !== 'graph') continue;
    const { model } = sink;
    for (const message of modelProblems(model))
      problems.push({ node, message, fix: 'correct the model that graph() is given' });
    for (const [other, known] of checked) {
      for (const name of modelClashes(model, known)) {
        const message = `its graph model defines '${name}' otherwise than the sink '${other}'`;
        const fix = 'define it once and use it in both models, or rename it';
        problems.push({ node, message, fix });
      }
    }
    checked.push([node, model]);
  }
  return problems;
}

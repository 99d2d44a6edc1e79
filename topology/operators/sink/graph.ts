/**
 * A property graph: a function makes writes of an element.
 */
import type { Check } from '../../../schemas/shape.ts';
import { listOf, mapOf, objectOf, text } from '../../../schemas/shape.ts';
import { fitWrites } from '../../graph/fit-write.ts';
import type { GraphModel, PropertyTypes } from '../../graph/graph-model.ts';
import { modelClashes, modelProblems } from '../../graph/graph-model.ts';
import type { PlanProblem } from '../../nodes/node.ts';
import type { SinkChange, SinkKind, SinkOf } from './sink-kind.ts';

export interface GraphDefinition {
  readonly kind: 'graph';
  readonly model: GraphModel;
}

const props = mapOf(text);
const modelShape = objectOf({
  nodes: mapOf(objectOf({ key: text, props })),
  edges: mapOf(objectOf({ from: text, to: text, key: listOf(text), props })),
});

/** Labels, types and properties become words of statements. */
const shape: Check = (value, at) =>
  objectOf({ model: modelShape })(value, at) ??
  modelProblems((value as GraphDefinition).model)
    .map((problem) => `at '${at}/model': ${problem}`)
    .at(0);

export const graphKind: SinkKind<GraphDefinition> = {
  kind: 'graph',
  docs: {
    call: 'graph(model, (value) => [write, ...])',
    summary:
      'A property graph: the function says which nodes and edges of the model an element gives values to. They are written in the order of the elements; the last value of a property wins. Of two sinks that write the same property no order is promised.',
    example: `
import { graph, graphModel } from 'sluice';

const shop = graphModel({
  nodes: {
    User: { key: 'id', props: { id: 'string' } },
    Page: { key: 'path', props: { path: 'string' } },
  },
  edges: { SAW: { from: 'User', to: 'Page', key: ['at'], props: { at: 'string' } } },
});
clicks.sinkTo(
  'seen',
  graph(shop, ({ user, page, at }) => [
    shop.User({ id: user }),
    shop.Page({ path: page }),
    shop.SAW({ from: user, to: page, at }),
  ]),
);
`,
  },
  summary: ({ model: { nodes, edges } }) => {
    const types = Object.entries(edges).map(([type, { from, to }]) => `${from}-${type}-${to}`);
    return `graph: ${[...Object.keys(nodes), ...types].join(', ')}`;
  },
  slots: ['writes'],
  shape,
  problems: allModelProblems,
  target: (_definition, id) => `graph ${id}`,
  opensInOrder: true,
  changes: (was, is) => modelChanges(was.model, is.model),
  check:
    ({ model }) =>
    (writes) => {
      const fit = fitWrites(model, writes);
      return 'message' in fit ? fit : undefined;
    },
};

/** Several sinks may write into one graph, as long as they mean the same by a name. */
function allModelProblems(sinks: readonly SinkOf<GraphDefinition>[]): readonly PlanProblem[] {
  const problems: PlanProblem[] = [];
  const checked: (readonly [node: string, model: GraphModel])[] = [];
  for (const { id: node, sink } of sinks) {
    const { model } = sink;
    for (const message of modelProblems(model))
      problems.push({ node, message, fix: 'correct the model that is passed to graph()' });
    for (const [other, known] of checked) {
      for (const name of modelClashes(model, known)) {
        const message = `its graph model defines '${name}' differently from the sink '${other}'`;
        const fix = 'define it once and use it in both models, or rename it';
        problems.push({ node, message, fix });
      }
    }
    checked.push([node, model]);
  }
  return problems;
}

function modelChanges(was: GraphModel, is: GraphModel): readonly SinkChange[] {
  const [before, now] = [modelMeanings(was), modelMeanings(is)];
  const why = 'the graph has it in its old form: use another name';
  return [...before].flatMap(([name, meaning]): readonly SinkChange[] => {
    const other = now.get(name) ?? meaning;
    return other === meaning ? [] : [{ option: `model.${name}`, was: meaning, is: other, why }];
  });
}

/** What may not change of a model, by name. Names may come and go. */
function modelMeanings({ nodes, edges }: GraphModel): ReadonlyMap<string, string> {
  const propsOf = (of: string, props: PropertyTypes): readonly (readonly [string, string])[] =>
    Object.entries(props).map(([name, type]) => [`${of}.${name}`, type]);
  return new Map([
    ...Object.entries(nodes).flatMap(([label, { key, props }]) => [
      [label, `keyed by ${key}`] as const,
      ...propsOf(label, props),
    ]),
    ...Object.entries(edges).flatMap(([type, { from, to, key, props }]) => {
      const keyed = key.length === 0 ? 'its ends' : [...key].sort().join(', ');
      return [[type, `${from} to ${to} keyed by ${keyed}`] as const, ...propsOf(type, props)];
    }),
  ]);
}

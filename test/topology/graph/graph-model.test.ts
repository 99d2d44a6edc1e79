/**
 * Graph models as data: the values that writes are, what is wrong with a definition, what a
 * checkpoint says of it.
 */
import { describe, expect, it } from 'vitest';
import type { Definition } from '../../../topology/checkpoint/definition.ts';
import { definitionsOf } from '../../../topology/checkpoint/definition.ts';
import { misfitsOf } from '../../../topology/checkpoint/restore-rules.ts';
import type { GraphModel, Topology } from '../../../topology/index.ts';
import {
  describePlan,
  graph,
  graphModel,
  modelProblems,
  stream,
  topology,
  validateTopology,
} from '../../../topology/index.ts';
import { saying } from '../../said.ts';

const routes = graphModel({
  nodes: { Airport: { key: 'code', props: { code: 'string', name: 'string' } } },
  edges: {
    ROUTE: {
      from: 'Airport',
      to: 'Airport',
      key: ['carrier'],
      props: { carrier: 'string', flights: 'integer' },
    },
  },
});

const sinks = (...models: readonly { readonly definition: GraphModel }[]): Topology =>
  topology('t', { version: 1, owner: 'a/b' }, (t) => {
    const source = t.source('in', stream('a/b'));
    for (const [n, model] of models.entries())
      source.sinkTo(
        `graph-${n}`,
        graph(model, () => []),
      );
  });

/** What of a checkpoint under the model `was` would not fit the model `is`, by option. */
function misfits(
  was: { readonly definition: GraphModel },
  is: { readonly definition: GraphModel },
): readonly (string | undefined)[] {
  const definitionOf = (model: { readonly definition: GraphModel }): Definition =>
    definitionsOf(sinks(model).plan).get('graph-0') as Definition;
  return misfitsOf('graph-0', 'sink', definitionOf(was), definitionOf(is), new Set(), false).map(
    ({ option }) => option,
  );
}

describe('a write', () => {
  it('is plain data, with what is null and without what is undefined', () => {
    expect(routes.Airport({ code: 'JFK', name: undefined })).toEqual({
      kind: 'node',
      label: 'Airport',
      props: { code: 'JFK' },
    });
    expect(
      JSON.parse(
        JSON.stringify(routes.ROUTE({ from: 'JFK', to: 'LAX', carrier: 'UA', flights: null })),
      ),
    ).toEqual({
      kind: 'edge',
      type: 'ROUTE',
      from: 'JFK',
      to: 'LAX',
      props: { carrier: 'UA', flights: null },
    });
  });

  it('comes from a model whose definition is frozen', () => {
    const { definition } = routes;
    const parts = [
      definition,
      definition.nodes,
      definition.edges,
      definition.nodes['Airport'],
      definition.edges['ROUTE']?.key,
    ];
    expect(parts.every((part) => Object.isFrozen(part))).toBe(true);
    expect(Object.isFrozen(definition.nodes['Airport']?.props)).toBe(true);
  });
});

describe('a graph sink in a topology', () => {
  it('is data with one slot, and is described by its labels and edges', () => {
    const made = sinks(routes);
    expect(validateTopology(made)).toEqual([]);
    expect(made.plan.nodes[1]).toMatchObject({
      kind: 'sink',
      sink: { kind: 'graph', model: routes.definition },
    });
    expect(made.resolve('graph-0', 'writes')).toBeTypeOf('function');
    expect(describePlan(made.plan, 'mermaid')).toContain('graph: Airport, Airport-ROUTE-Airport');
    expect(JSON.parse(describePlan(made.plan))).toEqual(made.plan);
  });

  it('without its function is a problem', () => {
    const made = topology('t', { version: 1, owner: 'a/b' }, (t) =>
      t.source('in', stream('a/b')).sinkTo('g', graph(routes, undefined as never)),
    );
    expect(validateTopology(made)).toMatchObject([
      { node: 'g', message: expect.stringContaining('writes') as string },
    ]);
  });

  it('keeps its state when properties come, go or change places, and not when an identity changes', () => {
    const more = graphModel({
      nodes: { Airport: { key: 'code', props: { city: 'string', code: 'string' } } },
      edges: {
        ROUTE: {
          from: 'Airport',
          to: 'Airport',
          key: ['carrier'],
          props: { seats: 'integer', carrier: 'string' },
        },
      },
    });
    expect(misfits(routes, more)).toEqual([]);
    const { nodes } = routes.definition;
    const others: readonly (readonly [GraphModel, readonly string[]])[] = [
      [
        {
          nodes: { Airport: { key: 'name', props: { name: 'string' } } },
          edges: routes.definition.edges,
        },
        ['model.Airport'],
      ],
      [
        {
          nodes: { Airport: { key: 'code', props: { code: 'integer' } } },
          edges: routes.definition.edges,
        },
        ['model.Airport.code'],
      ],
      [
        { nodes, edges: { ROUTE: { from: 'Airport', to: 'Airport', key: [], props: {} } } },
        ['model.ROUTE'],
      ],
      // What is left out of the model stays in the graph.
      [{ nodes, edges: {} }, []],
    ];
    for (const [definition, options] of others)
      expect(misfits(routes, { definition })).toEqual(options);
  });

  it('may share a label with another sink that defines it equally, and with no other', () => {
    const renamed = graphModel({
      nodes: { Airport: { key: 'code', props: { name: 'string', code: 'string' } } },
    });
    expect(validateTopology(sinks(routes, renamed))).toEqual([]);
    const other = graphModel({
      nodes: {
        Airport: { key: 'code', props: { code: 'string' } },
        ROUTE: { key: 'id', props: { id: 'string' } },
      },
    });
    expect(validateTopology(sinks(routes, other))).toMatchObject([
      {
        node: 'graph-1',
        message: saying({ names: ['Airport', 'graph-0'] }),
      },
      {
        node: 'graph-1',
        message: saying({ names: ['ROUTE', 'graph-0'] }),
      },
    ]);
  });
});

describe('modelProblems', () => {
  const node = (key: string, props: Readonly<Record<string, string>>): unknown => ({ key, props });
  const problems = (
    nodes: Readonly<Record<string, unknown>>,
    edges: Readonly<Record<string, unknown>> = {},
  ): readonly string[] => modelProblems({ nodes, edges } as unknown as GraphModel);
  const a = node('id', { id: 'string' });

  it.each([
    ['no node', {}, {}, /has no node/],
    ['a label that is no identifier', { 'A B': a }, {}, /the label 'A B' is 1 to 63 of/],
    [
      'a property that is no identifier',
      { A: node('id', { id: 'string', 'x`y': 'string' }) },
      {},
      /the property 'x`y' is 1 to 63 of/,
    ],
    ['a name of Sluice itself', { sluiceThing: a }, {}, /begins with Sluice/],
    ['the name of the data', { definition: a }, {}, /is reserved: a model keeps/],
    [
      'labels that differ in case only',
      { A: a, a },
      {},
      /the label 'a' clashes with the label 'A'/,
    ],
    [
      'an edge type that is a label',
      { A: a },
      { A: { from: 'A', to: 'A', key: [], props: {} } },
      /the edge type 'A' clashes with the label 'A'/,
    ],
    [
      'a key that is not there',
      { A: node('nope', { id: 'string' }) },
      {},
      /its key 'nope' is not one of its properties/,
    ],
    [
      'a key of an inexact type',
      { A: node('id', { id: 'number' }) },
      {},
      /its key 'id' must be a string or an integer, not a number/,
    ],
    [
      'an unknown type',
      { A: node('id', { id: 'string', at: 'date' }) },
      {},
      /'at' must be one of string, integer, number, boolean, not 'date'/,
    ],
    [
      'properties that differ in case only',
      { A: node('id', { id: 'string', ID: 'string' }) },
      {},
      /'ID' appears twice/,
    ],
    [
      'an end that is no label',
      { A: a },
      { E: { from: 'A', to: 'B', key: [], props: {} } },
      /joins 'B', which is not a label/,
    ],
    [
      'an end that only an object has',
      { A: a },
      { E: { from: 'A', to: 'constructor', key: [], props: {} } },
      /joins 'constructor'/,
    ],
    [
      'a property that is an end',
      { A: a },
      { E: { from: 'A', to: 'A', key: [], props: { from: 'string' } } },
      /that is an end of the edge/,
    ],
    [
      'an edge key named twice',
      { A: a },
      { E: { from: 'A', to: 'A', key: ['x', 'x'], props: { x: 'string' } } },
      /lists a key twice/,
    ],
  ])('tells of %s', (_, nodes, edges, message) => {
    const found = problems(nodes, edges);
    expect(found).toEqual([expect.stringMatching(message)]);
  });
});

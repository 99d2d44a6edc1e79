/**
 * Graph models and their writes: what must not compile does not. The compiler is the test: an
 * expected error that is missing fails the build.
 */
import { expect, expectTypeOf, it } from 'vitest';
import type { EdgeWrite, NodeWrite } from '../../topology/index.ts';
import {
  graph,
  graphModel,
  schemaOf,
  stream,
  topology,
  validateTopology,
} from '../../topology/index.ts';

const routes = graphModel({
  nodes: {
    Airport: {
      key: 'code',
      props: {
        code: 'string',
        name: 'string',
        gates: 'integer',
        open: 'boolean',
        height: 'number',
      },
    },
    Plane: { key: 'id', props: { id: 'integer' } },
  },
  edges: {
    ROUTE: {
      from: 'Airport',
      to: 'Airport',
      key: ['carrier'],
      props: { carrier: 'string', flights: 'integer' },
    },
    SEEN: { from: 'Plane', to: 'Airport' },
  },
});

const flight = schemaOf<{
  readonly from: string;
  readonly to: string;
  readonly carrier: string;
  readonly count: number;
  readonly plane: number;
}>({
  $id: 'flight',
  type: 'object',
  properties: {},
});

it('types of writes follow from the model, and wrong values, names and ends do not compile', () => {
  expectTypeOf(routes.Airport({ code: 'JFK' })).toExtend<NodeWrite>();
  expectTypeOf(routes.ROUTE({ from: 'JFK', to: 'LAX', carrier: 'UA' })).toExtend<EdgeWrite>();
  expectTypeOf(routes.Airport({ code: 'JFK' }).label).toEqualTypeOf<'Airport'>();
  routes.Airport({ code: 'JFK', name: null, gates: undefined, open: true, height: 1.5 });
  routes.SEEN({ from: 1, to: 'JFK' });
  // @ts-expect-error: a node has a key
  routes.Airport({ name: 'Kennedy' });
  // @ts-expect-error: a key is never null
  routes.Airport({ code: null });
  // @ts-expect-error: a key has its property's type
  routes.Plane({ id: 'N1' });
  // @ts-expect-error: an integer is a number
  routes.Airport({ code: 'JFK', gates: '12' });
  // @ts-expect-error: a boolean is no text
  routes.Airport({ code: 'JFK', open: 'yes' });
  // @ts-expect-error: there is no such property
  routes.Airport({ code: 'JFK', runway: 4 });
  // @ts-expect-error: there is no such label
  void routes.Airprot;
  // @ts-expect-error: an edge has both ends
  routes.ROUTE({ from: 'JFK', carrier: 'UA' });
  // @ts-expect-error: an edge has its key properties
  routes.ROUTE({ from: 'JFK', to: 'LAX' });
  // @ts-expect-error: an end has the type of its node's key
  routes.SEEN({ from: 'N1', to: 'JFK' });
  expect(() => {
    // @ts-expect-error: the data is frozen
    routes.definition.nodes['Airport'] = { key: 'x', props: {} };
  }).toThrow(TypeError);
});

it('a definition whose key or end is not there does not compile, and is a problem all the same', () => {
  // @ts-expect-error: the key is none of the properties
  const key = graphModel({ nodes: { A: { key: 'nope', props: { id: 'string' } } } });
  // @ts-expect-error: a boolean identifies nothing
  const type = graphModel({ nodes: { A: { key: 'on', props: { on: 'boolean' } } } });
  // @ts-expect-error: there is no such type of property
  const prop = graphModel({ nodes: { A: { key: 'id', props: { id: 'string', at: 'date' } } } });
  const end = graphModel({
    nodes: { A: { key: 'id', props: { id: 'string' } } },
    // @ts-expect-error: the end is no label
    edges: { E: { from: 'A', to: 'B' } },
  });
  const edge = graphModel({
    nodes: { A: { key: 'id', props: { id: 'string' } } },
    // @ts-expect-error: the edge's key is none of its properties
    edges: { E: { from: 'A', to: 'A', key: ['x'] } },
  });
  for (const model of [key, type, prop, end, edge]) {
    const made = topology('x', { version: 1, owner: 'a/b' }, (t) =>
      t.source('s', stream('a/b')).sinkTo(
        'g',
        graph(model, () => []),
      ),
    );
    expect(validateTopology(made)).toHaveLength(1);
  }
});

it('the function of a graph sink knows its element, and makes writes of that model only', () => {
  const other = graphModel({ nodes: { Person: { key: 'name', props: { name: 'string' } } } });
  const made = topology('types', { version: 1, owner: 'a/b' }, (t) => {
    const flights = t.source('in', stream('a/b')).validate('valid', flight);
    flights.sinkTo(
      'graph',
      graph(routes, (e) => [
        routes.Airport({ code: e.data.from }),
        routes.ROUTE({
          from: e.data.from,
          to: e.data.to,
          carrier: e.data.carrier,
          flights: e.data.count,
        }),
        ...(e.data.plane > 0 ? [routes.SEEN({ from: e.data.plane, to: e.data.to })] : []),
      ]),
    );
    flights.sinkTo(
      'nope',
      // @ts-expect-error: the element has no such member
      graph(routes, (e) => [routes.Airport({ code: e.data.nope })]),
    );
    flights.sinkTo(
      'other',
      // @ts-expect-error: a write of another model
      graph(routes, () => [other.Person({ name: 'Ada' })]),
    );
    flights.sinkTo(
      'one',
      // @ts-expect-error: an array, also for one write
      graph(routes, (e) => routes.Airport({ code: e.data.from })),
    );
  });
  expect(validateTopology(made)).toEqual([]);
});

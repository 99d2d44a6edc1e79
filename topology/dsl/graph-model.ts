/**
 * Graph models as authors write them: types follow from the definition, so that a write of a wrong
 * property, type or end does not compile. Nothing is checked here; `validatePlan` reports problems
 * of a definition, and the sink rejects values that do not fit it.
 */
import type {
  EdgeModel,
  EdgeWrite,
  GraphModel,
  NodeModel,
  NodeWrite,
  PropertyType,
  PropertyTypes,
  PropertyValues,
} from '../graph/graph-model.ts';

interface NodeShape {
  readonly key: string;
  readonly props: PropertyTypes;
}

interface EdgeShape {
  readonly from: string;
  readonly to: string;
  readonly key?: readonly string[];
  readonly props?: PropertyTypes;
}

type ValueOf<P extends PropertyType> = P extends 'string'
  ? string
  : P extends 'boolean'
    ? boolean
    : number;

type KeyNames<P extends PropertyTypes> = {
  [K in keyof P]: P[K] extends 'string' | 'integer' ? K : never;
}[keyof P] &
  string;

type CheckedNodes<N extends Readonly<Record<string, NodeShape>>> = {
  readonly [L in keyof N]: { readonly key: KeyNames<N[L]['props']> };
};

type CheckedEdges<E extends Readonly<Record<string, EdgeShape>>, N> = {
  readonly [T in keyof E]: {
    readonly from: keyof N & string;
    readonly to: keyof N & string;
    readonly key?: readonly KeyNames<PropsOf<E[T]>>[];
  };
};

type PropsOf<S extends { readonly props?: PropertyTypes }> = S['props'] extends PropertyTypes
  ? S['props']
  : Readonly<Record<never, never>>;

/**
 * Keys are required; another property may be left out (it stays as it is) or be null (it is
 * cleared).
 */
type Values<P extends PropertyTypes, Key> = { readonly [K in keyof P & Key]: ValueOf<P[K]> } & {
  readonly [K in Exclude<keyof P, Key>]?: ValueOf<P[K]> | null | undefined;
};

type KeyNamesOf<S extends EdgeShape> = S['key'] extends readonly string[]
  ? S['key'][number]
  : never;

type KeyOf<S> = S extends NodeShape ? ValueOf<S['props'][S['key']] & PropertyType> : never;

type NodeValues<S extends NodeShape> = Values<S['props'], S['key']>;

type EdgeValues<S extends EdgeShape, N> = {
  readonly from: KeyOf<N[S['from'] & keyof N]>;
  readonly to: KeyOf<N[S['to'] & keyof N]>;
} & Values<PropsOf<S>, KeyNamesOf<S>>;

/** A model with a function for each label and edge type that creates a write of it. */
export type Model<
  N extends Readonly<Record<string, NodeShape>>,
  E extends Readonly<Record<string, EdgeShape>>,
> = {
  readonly [L in keyof N & string]: (values: NodeValues<N[L]>) => NodeWrite & { readonly label: L };
} & {
  readonly [T in keyof E & string]: (
    values: EdgeValues<E[T], N>,
  ) => EdgeWrite & { readonly type: T };
} & { readonly definition: GraphModel };

/** Any model's data, and the writes that its functions make. */
export interface AnyModel {
  readonly definition: GraphModel;
}

/** The writes that a model's functions make. */
export type WriteOf<M> = {
  [K in keyof M]: M[K] extends (values: never) => infer W ? W : never;
}[keyof M];

/**
 * Declares a graph.
 *
 * @example
 * const routes = graphModel({
 *   nodes: { Airport: { key: 'code', props: { code: 'string', name: 'string' } } },
 *   edges: {
 *     ROUTE: {
 *       from: 'Airport',
 *       to: 'Airport',
 *       key: ['carrier'],
 *       props: { carrier: 'string', flights: 'integer' },
 *     },
 *   },
 * });
 * routes.Airport({ code: 'JFK', name: 'John F. Kennedy' });
 * routes.ROUTE({ from: 'JFK', to: 'LAX', carrier: 'UA', flights: 12 });
 */
export function graphModel<
  const N extends Readonly<Record<string, NodeShape>>,
  const E extends Readonly<Record<string, EdgeShape>> = Readonly<Record<never, never>>,
>(definition: {
  readonly nodes: N & CheckedNodes<N>;
  readonly edges?: E & CheckedEdges<E, N>;
}): Model<N, E> {
  const nodes: Readonly<Record<string, NodeShape>> = definition.nodes;
  const edges: Readonly<Record<string, EdgeShape>> = definition.edges ?? {};
  const data: GraphModel = Object.freeze({
    nodes: byName(nodes, frozenNode),
    edges: byName(edges, frozenEdge),
  });
  const writers: Record<string, unknown> = {
    ...byName(
      nodes,
      (_, label) =>
        (values: Readonly<Record<string, unknown>>): NodeWrite => ({
          kind: 'node',
          label,
          props: present(values),
        }),
    ),
    ...byName(
      edges,
      (_, type) =>
        ({ from, to, ...values }: Readonly<Record<string, unknown>>): EdgeWrite => {
          return {
            kind: 'edge',
            type,
            from: from as string,
            to: to as string,
            props: present(values),
          };
        },
    ),
    definition: data,
  };
  return Object.freeze(writers) as Model<N, E>;
}

const frozenNode = ({ key, props }: NodeShape): NodeModel =>
  Object.freeze({ key, props: Object.freeze({ ...props }) });

const frozenEdge = ({ from, to, key = [], props = {} }: EdgeShape): EdgeModel =>
  Object.freeze({ from, to, key: Object.freeze([...key]), props: Object.freeze({ ...props }) });

function byName<S, R>(
  shapes: Readonly<Record<string, S>>,
  make: (shape: S, name: string) => R,
): Readonly<Record<string, R>> {
  return Object.freeze(
    Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, make(shape, name)])),
  );
}

/** The values without those that are undefined: JSON has none. */
function present(values: Readonly<Record<string, unknown>>): PropertyValues {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as PropertyValues;
}

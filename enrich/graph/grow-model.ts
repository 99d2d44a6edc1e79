/**
 * How an existing graph grows by the model of a sink: labels, edge types and properties are added,
 * and none changes. Pure.
 */
import type { GraphModel, PropertyTypes } from '../../topology/index.ts';
import { modelProblems } from '../../topology/index.ts';

export const emptyModel: GraphModel = { nodes: {}, edges: {} };

export type Growth =
  /** `added` has what is new only; of a label or type that was there, its new properties. */
  | { readonly kind: 'grown'; readonly model: GraphModel; readonly added: GraphModel }
  | { readonly kind: 'mismatch'; readonly problems: readonly string[] };

export function growModel(known: GraphModel, wanted: GraphModel): Growth {
  const problems: string[] = [];
  const grow = <S extends { readonly props: PropertyTypes }>(
    what: string,
    had: Readonly<Record<string, S>>,
    wants: Readonly<Record<string, S>>,
    meaningOf: (shape: S) => string,
  ): { readonly all: Record<string, S>; readonly added: Record<string, S> } => {
    const all = { ...had };
    const added: Record<string, S> = {};
    for (const [name, shape] of Object.entries(wants)) {
      const before = Object.hasOwn(had, name) ? had[name] : undefined;
      if (before === undefined) {
        all[name] = shape;
        added[name] = shape;
        continue;
      }
      if (meaningOf(before) !== meaningOf(shape))
        problems.push(
          `${what} '${name}' is ${meaningOf(before)} in the graph, ${meaningOf(shape)} here`,
        );
      const fresh: Record<string, PropertyTypes[string]> = {};
      for (const [prop, type] of Object.entries(shape.props)) {
        const had = Object.hasOwn(before.props, prop) ? before.props[prop] : undefined;
        if (had === undefined) fresh[prop] = type;
        else if (had !== type)
          problems.push(
            `the property '${prop}' of ${what} '${name}' is a ${had} in the graph, a ${type} here`,
          );
      }
      if (Object.keys(fresh).length === 0) continue;
      all[name] = { ...before, props: { ...before.props, ...fresh } };
      added[name] = { ...shape, props: fresh };
    }
    return { all, added };
  };
  const nodes = grow('label', known.nodes, wanted.nodes, ({ key }) => `keyed by '${key}'`);
  const edges = grow('edge type', known.edges, wanted.edges, ({ from, to, key }) => {
    return `${from} to ${to} keyed by ${key.length === 0 ? 'its ends' : [...key].sort().join(', ')}`;
  });
  const model = { nodes: nodes.all, edges: edges.all };
  problems.push(...modelProblems(model));
  return problems.length > 0
    ? { kind: 'mismatch', problems }
    : { kind: 'grown', model, added: { nodes: nodes.added, edges: edges.added } };
}

/**
 * Cypher for writes, in the dialect of a database. Pure: from data to statements, each of which
 * takes its rows as the parameter `$rows`.
 *
 * Invariants:
 * 1. Values are absolute and set one by one, only those that the write names; end nodes come before
 *    their edges.
 * 2. Names come from a valid model and stand in backticks; values are parameters.
 */
import type {
  EdgeModel,
  EdgeWrite,
  GraphModel,
  GraphWrite,
  NodeModel,
  NodeWrite,
  PropertyType,
  PropertyTypes,
} from '../../topology/index.ts';

export type Cell = string | number | boolean | null;

export type Row = Readonly<Record<string, Cell>>;

export type WriteStep =
  | { readonly kind: 'run'; readonly text: string; readonly rows: readonly Row[] }
  /**
   * `update` returns as `found` the keys that are there; `create` then takes the rows of the
   * others.
   */
  | {
      readonly kind: 'upsert';
      readonly update: string;
      readonly create: string;
      readonly rows: readonly Row[];
      readonly key: string;
    };

/** A node's key and its properties, each as an expression of its type. */
export interface NodeStatement {
  readonly label: string;
  readonly key: string;
  readonly value: string;
  /** The properties that the writes name, but for the key. */
  readonly values: readonly (readonly [name: string, value: string])[];
  readonly rows: readonly Row[];
}

/** What differs from one database's Cypher to the other's. */
export interface Dialect {
  /**
   * What the writes of `added` need; running it again changes nothing. `added` names what is new,
   * `model` all of it.
   */
  schema(model: GraphModel, added: GraphModel): readonly string[];
  /** Whether statements are sent without waiting for answers: they are answered in order. */
  readonly sendsAhead: boolean;
  /** Whether edges make their end nodes themselves. */
  readonly edgesMakeEnds: boolean;
  /** The expression that makes `row.name` a value of its type. */
  cast(name: string, type: PropertyType): string;
  /** The expression that a node's key is compared with. */
  castKey(name: string, type: PropertyType): string;
  /** A property's value as a parameter. */
  cell(value: Cell): Cell;
  /** Sets the values of nodes, and makes those that are not there. */
  nodeStep(node: NodeStatement): WriteStep;
  /** Finds one end of an edge. */
  end(variable: string, label: string, key: string, value: string): string;
  /**
   * Finds a node `n` by its key; what was read, or that nothing was, stays true until the
   * transaction ends.
   */
  find(label: string, key: string): string;
}

export const quoted = (name: string): string => `\`${name}\``;

/** A node's key, never null; of all rows of one type. */
const keyCell = (value: Cell | undefined): Cell =>
  typeof value === 'number' ? value + 0 : (value as string);

export const typeOf = (props: PropertyTypes, name: string): PropertyType =>
  props[name] as PropertyType;

/**
 * The statements that apply one chunk: writes in their order of keys, at most one for each node and
 * edge. Every write fits `model`.
 */
export function writeSteps(
  dialect: Dialect,
  model: GraphModel,
  writes: readonly GraphWrite[],
): readonly WriteStep[] {
  const nodes = writes.filter((write) => write.kind === 'node');
  const edges = writes.filter((write) => write.kind === 'edge');
  const ends = dialect.edgesMakeEnds ? [] : endNodes(model, nodes, edges);
  return [...nodeSteps(dialect, model, [...nodes, ...ends]), ...edgeSteps(dialect, model, edges)];
}

/** The nodes that edges end at and that the chunk does not write itself. */
function endNodes(
  model: GraphModel,
  nodes: readonly NodeWrite[],
  edges: readonly EdgeWrite[],
): readonly NodeWrite[] {
  const seen = new Set(
    nodes.map(({ label, props }) => JSON.stringify([label, props[keyOf(model, label)]])),
  );
  const ends: NodeWrite[] = [];
  for (const { type, from, to } of edges) {
    const { from: fromLabel, to: toLabel } = model.edges[type] as EdgeModel;
    for (const [label, value] of [
      [fromLabel, from],
      [toLabel, to],
    ] as const) {
      const id = JSON.stringify([label, value]);
      if (seen.has(id)) continue;
      seen.add(id);
      ends.push({ kind: 'node', label, props: { [keyOf(model, label)]: value } });
    }
  }
  return ends;
}

const keyOf = (model: GraphModel, label: string): string => (model.nodes[label] as NodeModel).key;

interface Group<W> {
  readonly name: string;
  /** The properties that its writes name, but for keys. */
  readonly names: readonly string[];
  readonly writes: W[];
}

/** Writes of one label or type that name the same properties share a statement. */
function grouped<W extends GraphWrite>(
  writes: readonly W[],
  nameOf: (write: W) => string,
  keysOf: (name: string) => readonly string[],
): readonly Group<W>[] {
  const groups = new Map<string, Group<W>>();
  for (const write of writes) {
    const name = nameOf(write);
    const keys = keysOf(name);
    const names = Object.keys(write.props)
      .filter((prop) => !keys.includes(prop))
      .sort();
    const id = [name, ...names].join(' ');
    const group = groups.get(id);
    if (group === undefined) groups.set(id, { name, names, writes: [write] });
    else group.writes.push(write);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

/** Each property with the expression of its value. */
const castAll = (
  dialect: Dialect,
  props: PropertyTypes,
  names: readonly string[],
): readonly (readonly [name: string, value: string])[] =>
  names.map((name) => [name, dialect.cast(name, typeOf(props, name))]);

/** ` SET n.a = ..., n.b = ...`, or nothing. */
export const setOf = (
  variable: string,
  values: readonly (readonly [name: string, value: string])[],
): string =>
  values.length === 0
    ? ''
    : ` SET ${values.map(([name, value]) => `${variable}.${quoted(name)} = ${value}`).join(', ')}`;

const mapOf = (values: readonly (readonly [name: string, value: string])[]): string =>
  values.length === 0
    ? ''
    : ` {${values.map(([name, value]) => `${quoted(name)}: ${value}`).join(', ')}}`;

const cellOf = (dialect: Dialect, value: Cell | undefined): Cell =>
  value === undefined || value === null ? null : dialect.cell(value);

function nodeSteps(
  dialect: Dialect,
  model: GraphModel,
  writes: readonly NodeWrite[],
): readonly WriteStep[] {
  const groups = grouped(
    writes,
    ({ label }) => label,
    (label) => [keyOf(model, label)],
  );
  return groups.map(({ name: label, names, writes: own }): WriteStep => {
    const { key, props } = model.nodes[label] as NodeModel;
    const rows = own.map(({ props: values }): Row => {
      return {
        [key]: keyCell(values[key]),
        ...Object.fromEntries(names.map((name) => [name, cellOf(dialect, values[name])])),
      };
    });
    return dialect.nodeStep({
      label,
      key,
      value: dialect.castKey(key, typeOf(props, key)),
      values: castAll(dialect, props, names),
      rows,
    });
  });
}

function edgeSteps(
  dialect: Dialect,
  model: GraphModel,
  writes: readonly EdgeWrite[],
): readonly WriteStep[] {
  const groups = grouped(
    writes,
    ({ type }) => type,
    (type) => (model.edges[type] as EdgeModel).key,
  );
  return groups.map(({ name: type, names, writes: own }): WriteStep => {
    const { from, to, key, props } = model.edges[type] as EdgeModel;
    const end = (variable: string, label: string, column: string): string => {
      const node = model.nodes[label] as NodeModel;
      const value = dialect.castKey(column, typeOf(node.props, node.key));
      return dialect.end(variable, label, node.key, value);
    };
    const merge = `MERGE (a)-[e:${quoted(type)}${mapOf(castAll(dialect, props, key))}]->(b)${setOf('e', castAll(dialect, props, names))}`;
    return {
      kind: 'run',
      text: `UNWIND $rows AS row ${end('a', from, 'from')} ${end('b', to, 'to')} ${merge}`,
      rows: own.map((write) => ({
        from: keyCell(write.from),
        to: keyCell(write.to),
        ...Object.fromEntries(
          [...key, ...names].map((name) => [name, cellOf(dialect, write.props[name])]),
        ),
      })),
    };
  });
}

/** Reads one node by its key, all properties by name (`Dialect.find`). */
export function readStep(
  dialect: Dialect,
  label: string,
  { key, props }: NodeModel,
  value: string,
): Extract<WriteStep, { kind: 'run' }> {
  const columns = Object.keys(props).map((name) => `n.${quoted(name)} AS ${quoted(name)}`);
  return {
    kind: 'run',
    text: `UNWIND $rows AS row ${dialect.find(label, key)} RETURN ${columns.join(', ')}`,
    rows: [{ [key]: value }],
  };
}

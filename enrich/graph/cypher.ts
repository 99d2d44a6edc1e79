/**
 * Cypher for writes and schemas, in two dialects. Pure: from data to statements, each of which
 * takes its rows as the parameter `$rows`.
 *
 * Ladybug looks a key up in a `MATCH ... WHERE` and scans the table in a `MERGE` of nodes, so nodes
 * are matched there and the missing ones created, which is the same inside one transaction of the
 * only writer. Its parameters are rows of one type: values travel as text, cast in the statement.
 * But a key that a node is looked up by is never cast: Ladybug 0.19 then pairs the nodes with
 * values of another row (https://github.com/LadybugDB/ladybug/issues/822). Neo4j's driver sends
 * every number as a float: integers are made such in the statement.
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

export type Dialect = 'ladybug' | 'neo4j';

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

const ladybugTypes: Readonly<Record<PropertyType, string>> = {
  string: 'STRING',
  integer: 'INT64',
  number: 'DOUBLE',
  boolean: 'BOOLEAN',
};

const quoted = (name: string): string => `\`${name}\``;

/** The expression that makes `row.name` a value of its type. */
function cast(dialect: Dialect, name: string, type: PropertyType): string {
  const cell = `row.${quoted(name)}`;
  if (dialect === 'neo4j') return type === 'integer' ? `toInteger(${cell})` : cell;
  return type === 'string' ? cell : `CAST(${cell} AS ${ladybugTypes[type]})`;
}

/** The expression that a node's key is compared with. */
const castKey = (dialect: Dialect, name: string, type: PropertyType): string =>
  dialect === 'ladybug' ? `row.${quoted(name)}` : cast(dialect, name, type);

function cellOf(dialect: Dialect, value: Cell | undefined): Cell {
  if (value === undefined || value === null) return null;
  return dialect === 'neo4j' ? value : String(value);
}

/** A node's key, never null; of all rows of one type. */
const keyCell = (value: Cell | undefined): Cell =>
  typeof value === 'number' ? value + 0 : (value as string);

const typeOf = (props: PropertyTypes, name: string): PropertyType => props[name] as PropertyType;

/** One name for each label and key: only a label without `_` is followed by one. */
export const constraintName = (label: string, key: string): string =>
  `sluice_${label}${label.includes('_') ? '.' : '_'}${key}`;

export const constraintStatement = (label: string, key: string): string =>
  `CREATE CONSTRAINT ${quoted(constraintName(label, key))} IF NOT EXISTS FOR (n:${quoted(label)}) REQUIRE n.${quoted(key)} IS UNIQUE`;

/**
 * What a database needs before the writes of `added` come; running them again changes nothing.
 * `added` names what is new, `model` all of it.
 */
export function schemaStatements(
  dialect: Dialect,
  model: GraphModel,
  added: GraphModel,
): readonly string[] {
  const nodes = Object.entries(added.nodes);
  if (dialect === 'neo4j') {
    return nodes.map(([label, { key }]) => constraintStatement(label, key));
  }
  const columns = (props: PropertyTypes, names = Object.keys(props)): string =>
    names.map((name) => `, ${quoted(name)} ${ladybugTypes[typeOf(props, name)]}`).join('');
  const alter = (table: string, props: PropertyTypes, key: readonly string[]): readonly string[] =>
    Object.keys(props)
      .filter((name) => !key.includes(name))
      .map(
        (name) =>
          `ALTER TABLE ${quoted(table)} ADD IF NOT EXISTS ${quoted(name)} ${ladybugTypes[typeOf(props, name)]}`,
      );
  return [
    ...nodes.flatMap(([label, { key, props }]) => {
      const type = ladybugTypes[typeOf((model.nodes[label] as NodeModel).props, key)];
      const create = `CREATE NODE TABLE IF NOT EXISTS ${quoted(label)}(${quoted(key)} ${type}, PRIMARY KEY(${quoted(key)}))`;
      return [create, ...alter(label, props, [key])];
    }),
    ...Object.entries(added.edges).flatMap(([type, { from, to, key, props }]) => {
      const keys = columns((model.edges[type] as EdgeModel).props, [...key]);
      const create = `CREATE REL TABLE IF NOT EXISTS ${quoted(type)}(FROM ${quoted(from)} TO ${quoted(to)}${keys})`;
      return [create, ...alter(type, props, key)];
    }),
  ];
}

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
  // Neo4j's edges make their end nodes themselves.
  const ends = dialect === 'neo4j' ? [] : endNodes(model, nodes, edges);
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

const setOf = (
  dialect: Dialect,
  variable: string,
  props: PropertyTypes,
  names: readonly string[],
): string =>
  names.length === 0
    ? ''
    : ` SET ${names.map((name) => `${variable}.${quoted(name)} = ${cast(dialect, name, typeOf(props, name))}`).join(', ')}`;

const mapOf = (dialect: Dialect, props: PropertyTypes, names: readonly string[]): string =>
  names.length === 0
    ? ''
    : ` {${names.map((name) => `${quoted(name)}: ${cast(dialect, name, typeOf(props, name))}`).join(', ')}}`;

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
    const set = setOf(dialect, 'n', props, names);
    if (dialect === 'neo4j') {
      return {
        kind: 'run',
        text: `UNWIND $rows AS row MERGE (n:${quoted(label)} {${quoted(key)}: ${castKey(dialect, key, typeOf(props, key))}})${set}`,
        rows,
      };
    }
    const value = castKey(dialect, key, typeOf(props, key));
    const others = names
      .map((name) => `, ${quoted(name)}: ${cast(dialect, name, typeOf(props, name))}`)
      .join('');
    return {
      kind: 'upsert',
      update: `UNWIND $rows AS row MATCH (n:${quoted(label)}) WHERE n.${quoted(key)} = ${value}${set} RETURN n.${quoted(key)} AS found`,
      create: `UNWIND $rows AS row CREATE (:${quoted(label)} {${quoted(key)}: ${value}${others}})`,
      rows,
      key,
    };
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
      const value = castKey(dialect, column, typeOf(node.props, node.key));
      return dialect === 'neo4j'
        ? `MERGE (${variable}:${quoted(label)} {${quoted(node.key)}: ${value}})`
        : `MATCH (${variable}:${quoted(label)}) WHERE ${variable}.${quoted(node.key)} = ${value}`;
    };
    const merge = `MERGE (a)-[e:${quoted(type)}${mapOf(dialect, props, key)}]->(b)${setOf(dialect, 'e', props, names)}`;
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

/**
 * Reads one node by its key, all properties by name. In Neo4j it makes the node when there is none,
 * with nothing but its key, and takes its write lock, so that what was read, or that nothing was,
 * stays true until the transaction ends; Ladybug has one writer.
 */
export function readStep(
  dialect: Dialect,
  label: string,
  { key, props }: NodeModel,
  value: string,
): Extract<WriteStep, { kind: 'run' }> {
  const columns = Object.keys(props).map((name) => `n.${quoted(name)} AS ${quoted(name)}`);
  const [at, of] = [`n:${quoted(label)}`, quoted(key)];
  const find =
    dialect === 'neo4j'
      ? `MERGE (${at} {${of}: row.${of}}) SET n.${of} = row.${of}`
      : `MATCH (${at}) WHERE n.${of} = row.${of}`;
  return {
    kind: 'run',
    text: `UNWIND $rows AS row ${find} RETURN ${columns.join(', ')}`,
    rows: [{ [key]: value }],
  };
}

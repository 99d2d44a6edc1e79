/**
 * Cypher as Ladybug has it. Pure.
 *
 * It looks a key up in a `MATCH ... WHERE` and scans the table in a `MERGE` of nodes, so nodes are
 * matched and the missing ones created, which is the same inside one transaction of the only
 * writer. Its parameters are rows of one type: values travel as text, cast in the statement. But a
 * key that a node is looked up by is never cast: Ladybug 0.19 then pairs the nodes with values of
 * another row (https://github.com/LadybugDB/ladybug/issues/822).
 */
import type { EdgeModel, GraphModel, NodeModel, PropertyTypes } from '../../../topology/index.ts';
import type { Dialect } from '../cypher.ts';
import { quoted, setOf, typeOf } from '../cypher.ts';

const types = { string: 'STRING', integer: 'INT64', number: 'DOUBLE', boolean: 'BOOLEAN' } as const;

export const ladybugDialect: Dialect = {
  schema: tables,
  sendsAhead: false,
  edgesMakeEnds: false,
  cast: (name, type) =>
    type === 'string' ? `row.${quoted(name)}` : `CAST(row.${quoted(name)} AS ${types[type]})`,
  castKey: (name) => `row.${quoted(name)}`,
  cell: (value) => String(value),
  nodeStep: ({ label, key, value, values, rows }) => {
    const others = values.map(([name, other]) => `, ${quoted(name)}: ${other}`).join('');
    return {
      kind: 'upsert',
      update: `UNWIND $rows AS row MATCH (n:${quoted(label)}) WHERE n.${quoted(key)} = ${value}${setOf('n', values)} RETURN n.${quoted(key)} AS found`,
      create: `UNWIND $rows AS row CREATE (:${quoted(label)} {${quoted(key)}: ${value}${others}})`,
      rows,
      key,
    };
  },
  end: (variable, label, key, value) =>
    `MATCH (${variable}:${quoted(label)}) WHERE ${variable}.${quoted(key)} = ${value}`,
  find: (label, key) => `MATCH (n:${quoted(label)}) WHERE n.${quoted(key)} = row.${quoted(key)}`,
};

function tables(model: GraphModel, added: GraphModel): readonly string[] {
  return [
    ...Object.entries(added.nodes).flatMap(([label, { key, props }]) => {
      const type = types[typeOf((model.nodes[label] as NodeModel).props, key)];
      const create = `CREATE NODE TABLE IF NOT EXISTS ${quoted(label)}(${quoted(key)} ${type}, PRIMARY KEY(${quoted(key)}))`;
      return [create, ...columns(label, props, [key])];
    }),
    ...Object.entries(added.edges).flatMap(([type, { from, to, key, props }]) => {
      const all = (model.edges[type] as EdgeModel).props;
      const keys = key.map((name) => `, ${quoted(name)} ${types[typeOf(all, name)]}`).join('');
      const create = `CREATE REL TABLE IF NOT EXISTS ${quoted(type)}(FROM ${quoted(from)} TO ${quoted(to)}${keys})`;
      return [create, ...columns(type, props, key)];
    }),
  ];
}

function columns(table: string, props: PropertyTypes, key: readonly string[]): readonly string[] {
  return Object.keys(props)
    .filter((name) => !key.includes(name))
    .map(
      (name) =>
        `ALTER TABLE ${quoted(table)} ADD IF NOT EXISTS ${quoted(name)} ${types[typeOf(props, name)]}`,
    );
}

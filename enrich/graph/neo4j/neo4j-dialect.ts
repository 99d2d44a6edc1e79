/**
 * Cypher as Neo4j has it. Its driver sends every number as a float: integers are made such in the
 * statement. Pure.
 */
import type { Dialect } from '../cypher.ts';
import { quoted, setOf } from '../cypher.ts';

/** One name for each label and key: only a label without `_` is followed by one. */
export const constraintName = (label: string, key: string): string =>
  `sluice_${label}${label.includes('_') ? '.' : '_'}${key}`;

export const constraintStatement = (label: string, key: string): string =>
  `CREATE CONSTRAINT ${quoted(constraintName(label, key))} IF NOT EXISTS FOR (n:${quoted(label)}) REQUIRE n.${quoted(key)} IS UNIQUE`;

const cast: Dialect['cast'] = (name, type) =>
  type === 'integer' ? `toInteger(row.${quoted(name)})` : `row.${quoted(name)}`;

export const neo4jDialect: Dialect = {
  schema: (_model, added) =>
    Object.entries(added.nodes).map(([label, { key }]) => constraintStatement(label, key)),
  sendsAhead: true,
  edgesMakeEnds: true,
  cast,
  castKey: cast,
  cell: (value) => value,
  nodeStep: ({ label, key, value, values, rows }) => ({
    kind: 'run',
    text: `UNWIND $rows AS row MERGE (n:${quoted(label)} {${quoted(key)}: ${value}})${setOf('n', values)}`,
    rows,
  }),
  end: (variable, label, key, value) =>
    `MERGE (${variable}:${quoted(label)} {${quoted(key)}: ${value}})`,
  // It makes the node when there is none, with nothing but its key, and takes its write lock.
  find: (label, key) =>
    `MERGE (n:${quoted(label)} {${quoted(key)}: row.${quoted(key)}}) SET n.${quoted(key)} = row.${quoted(key)}`,
};

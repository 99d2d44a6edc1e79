/**
 * The unique constraints that a model's labels need in Neo4j: which are there, which can be made,
 * and what stands in the way. Pure.
 *
 * `CREATE CONSTRAINT ... IF NOT EXISTS` alone does not do. It fails where a plain index has the
 * place, and it makes nothing, silently, where any constraint has the name (Neo4j 5.26).
 * Without its constraint a MERGE scans the label, and two of them at once make two nodes.
 *
 * Invariants:
 * 1. A constraint counts by what it says, never by its name: anybody may have made it.
 * 2. Everything that is in the way is reported at once, each with the statements that fix it.
 */
import type { GraphModel } from '../../../topology/index.ts';
import { constraintName, constraintStatement } from './neo4j-dialect.ts';

/** An index or a constraint, as `SHOW INDEXES` and `SHOW CONSTRAINTS` have it. */
export interface SchemaRule {
  readonly kind: 'index' | 'constraint';
  readonly name: string;
  readonly type: string;
  readonly entity: string;
  readonly labels: readonly string[];
  readonly properties: readonly string[];
  /** Of an index: the constraint that it is a part of. */
  readonly owner: string | null;
}

export interface UniqueKey {
  readonly label: string;
  readonly key: string;
}

/** A key whose constraint cannot be made, and what stands in its way. */
export interface BlockedKey extends UniqueKey {
  readonly rule: SchemaRule;
}

export type ConstraintDecision =
  | { readonly kind: 'create'; readonly missing: readonly UniqueKey[] }
  | {
      readonly kind: 'blocked';
      readonly problems: readonly string[];
      readonly blocked: readonly BlockedKey[];
      readonly statements: readonly string[];
    };

export const showIndexes =
  "SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties, owningConstraint RETURN 'index' AS kind, name, type, entityType AS entity, " +
  'coalesce(labelsOrTypes, []) AS labels, coalesce(properties, []) AS properties, owningConstraint AS owner';
export const showConstraints =
  "SHOW CONSTRAINTS YIELD name, type, entityType, labelsOrTypes, properties RETURN 'constraint' AS kind, name, type, entityType AS entity, " +
  'labelsOrTypes AS labels, properties, null AS owner';

/** `NODE_PROPERTY_UNIQUENESS` is what Neo4j 2025 calls it; a node key is unique, too. */
const uniqueTypes: ReadonlySet<string> = new Set([
  'UNIQUENESS',
  'NODE_PROPERTY_UNIQUENESS',
  'NODE_KEY',
]);
/** Others, such as TEXT, can stand beside a constraint. */
const blockingTypes: ReadonlySet<string> = new Set(['RANGE', 'BTREE']);

export function decideConstraints(
  { nodes }: GraphModel,
  rules: readonly SchemaRule[],
): ConstraintDecision {
  const wanted = Object.entries(nodes).map(([label, { key }]): UniqueKey => ({ label, key }));
  const missing = wanted.filter(
    ({ label, key }) => !rules.some((rule) => isUnique(rule) && isOf(rule, label, key)),
  );
  const blocked = missing.flatMap(({ label, key }) => {
    const inTheWay =
      rules.find((rule) => isPlainIndex(rule) && isOf(rule, label, key)) ??
      holderOf(constraintName(label, key), rules);
    return inTheWay === undefined ? [] : [{ label, key, rule: inTheWay }];
  });
  if (blocked.length === 0) return { kind: 'create', missing };
  return {
    kind: 'blocked',
    blocked,
    problems: blocked.map(({ label, key, rule }) => problemOf(label, key, rule)),
    statements: blocked.flatMap(({ label, key, rule }) => [
      dropStatement(rule),
      constraintStatement(label, key),
    ]),
  };
}

const isUnique = ({ kind, type, entity }: SchemaRule): boolean =>
  kind === 'constraint' && entity === 'NODE' && uniqueTypes.has(type);

const isPlainIndex = ({ kind, type, entity, owner }: SchemaRule): boolean =>
  kind === 'index' && entity === 'NODE' && owner === null && blockingTypes.has(type);

const isOf = ({ labels, properties }: SchemaRule, label: string, key: string): boolean =>
  labels.length === 1 && labels[0] === label && properties.length === 1 && properties[0] === key;

/** The constraint goes before its index, which has its name. */
function holderOf(name: string, rules: readonly SchemaRule[]): SchemaRule | undefined {
  const named = rules.filter((rule) => rule.name === name);
  return named.find(({ kind }) => kind === 'constraint') ?? named[0];
}

function problemOf(label: string, key: string, rule: SchemaRule): string {
  const of = `(:${rule.labels.join('|')} {${rule.properties.join(', ')}})`;
  const needs = `'${label}' needs a unique constraint on '${key}'`;
  if (isOf(rule, label, key))
    return `${needs}, and the plain index '${rule.name}' on ${of} has its place`;
  return `${needs}, and its name '${rule.name}' is taken by ${rule.kind === 'index' ? 'an index' : 'a constraint'} on ${of}`;
}

const dropStatement = ({ kind, name }: SchemaRule): string =>
  `DROP ${kind === 'index' ? 'INDEX' : 'CONSTRAINT'} \`${name.replaceAll('`', '``')}\``;

/** Finds the nodes for which a constraint cannot be made. */
export function repeatsStatement({ label, key }: UniqueKey): string {
  return `MATCH (n:\`${label}\`) WITH n.\`${key}\` AS \`${key}\`, count(*) AS nodes WHERE nodes > 1 RETURN \`${key}\`, nodes`;
}

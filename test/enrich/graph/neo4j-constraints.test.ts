/**
 * What a unique constraint of Neo4j needs, by the rules that the server has; on a server:
 * neo4j-constraints.ts.
 */
import { describe, expect, it } from 'vitest';
import type { SchemaRule } from '../../../enrich/graph/neo4j/neo4j-constraints.ts';
import { decideConstraints } from '../../../enrich/graph/neo4j/neo4j-constraints.ts';
import { labels } from './support.ts';

const rule = (of: Partial<SchemaRule>): SchemaRule => ({
  ...{
    kind: 'index',
    name: 'x',
    type: 'RANGE',
    entity: 'NODE',
    labels: ['Person'],
    properties: ['id'],
    owner: null,
  },
  ...of,
});

describe('what a unique constraint needs', () => {
  const person = labels(['Person', 'id']);
  const missing = { kind: 'create', missing: [{ label: 'Person', key: 'id' }] };

  it('is there under any name and of any type that is unique', () => {
    for (const type of ['UNIQUENESS', 'NODE_PROPERTY_UNIQUENESS', 'NODE_KEY'])
      expect(decideConstraints(person, [rule({ kind: 'constraint', type })])).toEqual({
        kind: 'create',
        missing: [],
      });
  });

  it('is not what says something else: of two properties, of an edge, of existence', () => {
    const others: readonly Partial<SchemaRule>[] = [
      { kind: 'constraint', type: 'UNIQUENESS', properties: ['id', 'name'] },
      { kind: 'constraint', type: 'RELATIONSHIP_UNIQUENESS', entity: 'RELATIONSHIP' },
      { kind: 'constraint', type: 'NODE_PROPERTY_EXISTENCE' },
      { type: 'TEXT' },
      { type: 'POINT' },
      { type: 'FULLTEXT', labels: ['Person', 'Town'] },
      { type: 'LOOKUP', labels: [], properties: [] },
      { properties: ['id', 'name'] },
      { entity: 'RELATIONSHIP' },
    ];
    for (const other of others) expect(decideConstraints(person, [rule(other)])).toEqual(missing);
  });

  it.each(['RANGE', 'BTREE'])('is blocked by a plain index of the type %s', (type) => {
    const index = rule({ type });
    expect(decideConstraints(person, [index])).toMatchObject({
      kind: 'blocked',
      blocked: [{ label: 'Person', key: 'id', rule: index }],
    });
  });
});

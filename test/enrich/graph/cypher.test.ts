/**
 * Statements word for word, in both dialects.
 */
import { describe, expect, it } from 'vitest';
import { readStep, writeSteps } from '../../../enrich/graph/cypher.ts';
import { ladybugDialect } from '../../../enrich/graph/ladybug/ladybug-dialect.ts';
import { neo4jDialect } from '../../../enrich/graph/neo4j/neo4j-dialect.ts';
import { graphModel } from '../../../topology/index.ts';

const routes = graphModel({
  nodes: {
    Airport: {
      key: 'code',
      props: {
        code: 'string',
        gates: 'integer',
        height: 'number',
        open: 'boolean',
        name: 'string',
      },
    },
    Plane: { key: 'id', props: { id: 'integer' } },
  },
  edges: {
    ROUTE: {
      from: 'Airport',
      to: 'Airport',
      key: ['carrier', 'year'],
      props: { carrier: 'string', year: 'integer', flights: 'integer' },
    },
    SEEN: { from: 'Plane', to: 'Airport' },
  },
});
const { definition: model } = routes;

const writes = [
  routes.Airport({ code: 'JFK', name: null, gates: 128 }),
  routes.Airport({ code: 'LAX', gates: 0.5 + 131.5, name: 'Los Angeles' }),
  routes.Airport({ code: 'SFO', open: true, height: 4.5 }),
  routes.ROUTE({ from: 'JFK', to: 'BOS', carrier: 'UA', year: 2013, flights: 7 }),
  routes.SEEN({ from: 7, to: 'JFK' }),
];

describe('schema statements', () => {
  it('are tables with their keys, then columns, for Ladybug', () => {
    expect(ladybugDialect.schema(model, model)).toEqual([
      'CREATE NODE TABLE IF NOT EXISTS `Airport`(`code` STRING, PRIMARY KEY(`code`))',
      'ALTER TABLE `Airport` ADD IF NOT EXISTS `gates` INT64',
      'ALTER TABLE `Airport` ADD IF NOT EXISTS `height` DOUBLE',
      'ALTER TABLE `Airport` ADD IF NOT EXISTS `open` BOOLEAN',
      'ALTER TABLE `Airport` ADD IF NOT EXISTS `name` STRING',
      'CREATE NODE TABLE IF NOT EXISTS `Plane`(`id` INT64, PRIMARY KEY(`id`))',
      'CREATE REL TABLE IF NOT EXISTS `ROUTE`(FROM `Airport` TO `Airport`, `carrier` STRING, `year` INT64)',
      'ALTER TABLE `ROUTE` ADD IF NOT EXISTS `flights` INT64',
      'CREATE REL TABLE IF NOT EXISTS `SEEN`(FROM `Plane` TO `Airport`)',
    ]);
  });

  it('are unique constraints for Neo4j', () => {
    expect(neo4jDialect.schema(model, model)).toEqual([
      'CREATE CONSTRAINT `sluice_Airport_code` IF NOT EXISTS FOR (n:`Airport`) REQUIRE n.`code` IS UNIQUE',
      'CREATE CONSTRAINT `sluice_Plane_id` IF NOT EXISTS FOR (n:`Plane`) REQUIRE n.`id` IS UNIQUE',
    ]);
  });

  it('name what is added and leave the rest alone', () => {
    const added = {
      nodes: { Airport: { key: 'code', props: { city: 'string' as const } } },
      edges: {},
    };
    const grown = {
      ...model,
      nodes: {
        ...model.nodes,
        Airport: { key: 'code', props: { code: 'string' as const, city: 'string' as const } },
      },
    };
    expect(ladybugDialect.schema(grown, added)).toEqual([
      'CREATE NODE TABLE IF NOT EXISTS `Airport`(`code` STRING, PRIMARY KEY(`code`))',
      'ALTER TABLE `Airport` ADD IF NOT EXISTS `city` STRING',
    ]);
  });
});

describe('write steps', () => {
  it('match nodes and create those that are missing, then merge edges, for Ladybug', () => {
    expect(writeSteps(ladybugDialect, model, writes)).toEqual([
      {
        kind: 'upsert',
        update:
          'UNWIND $rows AS row MATCH (n:`Airport`) WHERE n.`code` = row.`code` RETURN n.`code` AS found',
        create: 'UNWIND $rows AS row CREATE (:`Airport` {`code`: row.`code`})',
        rows: [{ code: 'BOS' }],
        key: 'code',
      },
      {
        kind: 'upsert',
        update:
          'UNWIND $rows AS row MATCH (n:`Airport`) WHERE n.`code` = row.`code` SET n.`gates` = CAST(row.`gates` AS INT64), n.`name` = row.`name` RETURN n.`code` AS found',
        create:
          'UNWIND $rows AS row CREATE (:`Airport` {`code`: row.`code`, `gates`: CAST(row.`gates` AS INT64), `name`: row.`name`})',
        rows: [
          { code: 'JFK', gates: '128', name: null },
          { code: 'LAX', gates: '132', name: 'Los Angeles' },
        ],
        key: 'code',
      },
      {
        kind: 'upsert',
        update:
          'UNWIND $rows AS row MATCH (n:`Airport`) WHERE n.`code` = row.`code` SET n.`height` = CAST(row.`height` AS DOUBLE), n.`open` = CAST(row.`open` AS BOOLEAN) RETURN n.`code` AS found',
        create:
          'UNWIND $rows AS row CREATE (:`Airport` {`code`: row.`code`, `height`: CAST(row.`height` AS DOUBLE), `open`: CAST(row.`open` AS BOOLEAN)})',
        rows: [{ code: 'SFO', height: '4.5', open: 'true' }],
        key: 'code',
      },
      {
        kind: 'upsert',
        update:
          'UNWIND $rows AS row MATCH (n:`Plane`) WHERE n.`id` = row.`id` RETURN n.`id` AS found',
        create: 'UNWIND $rows AS row CREATE (:`Plane` {`id`: row.`id`})',
        rows: [{ id: 7 }],
        key: 'id',
      },
      {
        kind: 'run',
        text: 'UNWIND $rows AS row MATCH (a:`Airport`) WHERE a.`code` = row.`from` MATCH (b:`Airport`) WHERE b.`code` = row.`to` MERGE (a)-[e:`ROUTE` {`carrier`: row.`carrier`, `year`: CAST(row.`year` AS INT64)}]->(b) SET e.`flights` = CAST(row.`flights` AS INT64)',
        rows: [{ from: 'JFK', to: 'BOS', carrier: 'UA', year: '2013', flights: '7' }],
      },
      {
        kind: 'run',
        text: 'UNWIND $rows AS row MATCH (a:`Plane`) WHERE a.`id` = row.`from` MATCH (b:`Airport`) WHERE b.`code` = row.`to` MERGE (a)-[e:`SEEN`]->(b)',
        rows: [{ from: 7, to: 'JFK' }],
      },
    ]);
  });

  it('merge nodes on their keys, then edges with their ends, for Neo4j', () => {
    expect(writeSteps(neo4jDialect, model, writes)).toEqual([
      {
        kind: 'run',
        text: 'UNWIND $rows AS row MERGE (n:`Airport` {`code`: row.`code`}) SET n.`gates` = toInteger(row.`gates`), n.`name` = row.`name`',
        rows: [
          { code: 'JFK', gates: 128, name: null },
          { code: 'LAX', gates: 132, name: 'Los Angeles' },
        ],
      },
      {
        kind: 'run',
        text: 'UNWIND $rows AS row MERGE (n:`Airport` {`code`: row.`code`}) SET n.`height` = row.`height`, n.`open` = row.`open`',
        rows: [{ code: 'SFO', height: 4.5, open: true }],
      },
      {
        kind: 'run',
        text: 'UNWIND $rows AS row MERGE (a:`Airport` {`code`: row.`from`}) MERGE (b:`Airport` {`code`: row.`to`}) MERGE (a)-[e:`ROUTE` {`carrier`: row.`carrier`, `year`: toInteger(row.`year`)}]->(b) SET e.`flights` = toInteger(row.`flights`)',
        rows: [{ from: 'JFK', to: 'BOS', carrier: 'UA', year: 2013, flights: 7 }],
      },
      {
        kind: 'run',
        text: 'UNWIND $rows AS row MERGE (a:`Plane` {`id`: toInteger(row.`from`)}) MERGE (b:`Airport` {`code`: row.`to`}) MERGE (a)-[e:`SEEN`]->(b)',
        rows: [{ from: 7, to: 'JFK' }],
      },
    ]);
  });

  it('make each end node once, and none that the chunk writes itself', () => {
    const steps = writeSteps(ladybugDialect, model, [
      routes.Airport({ code: 'JFK', name: 'Kennedy' }),
      routes.SEEN({ from: 7, to: 'JFK' }),
      routes.SEEN({ from: 7, to: 'LAX' }),
      routes.SEEN({ from: 8, to: 'LAX' }),
    ]);
    expect(steps.map(({ rows }) => rows)).toEqual([
      [{ code: 'LAX' }],
      [{ code: 'JFK', name: 'Kennedy' }],
      [{ id: 7 }, { id: 8 }],
      [
        { from: 7, to: 'JFK' },
        { from: 7, to: 'LAX' },
        { from: 8, to: 'LAX' },
      ],
    ]);
  });

  it('are none for no writes', () => {
    expect(writeSteps(ladybugDialect, model, [])).toEqual([]);
  });
});

it('a node is read by its key, and locked where others write as well', () => {
  const node = { key: 'id', props: { id: 'string', n: 'integer' } } as const;
  expect(readStep(ladybugDialect, 'X', node, 'a')).toEqual({
    kind: 'run',
    text: 'UNWIND $rows AS row MATCH (n:`X`) WHERE n.`id` = row.`id` RETURN n.`id` AS `id`, n.`n` AS `n`',
    rows: [{ id: 'a' }],
  });
  expect(readStep(neo4jDialect, 'X', node, 'a').text).toBe(
    'UNWIND $rows AS row MERGE (n:`X` {`id`: row.`id`}) SET n.`id` = row.`id` RETURN n.`id` AS `id`, n.`n` AS `n`',
  );
});

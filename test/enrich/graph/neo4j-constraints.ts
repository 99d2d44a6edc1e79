/**
 * What stands in the way of a unique constraint in Neo4j itself, and that the statements which the
 * error gives mend it. As shipped before, a plain index was "graph-write-failed", again and again,
 * and a constraint's name that was taken made none, in silence: every MERGE then scanned its label.
 *
 * Part of neo4j.test.ts, which has a server.
 */
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { cypherDatabase } from '../../../enrich/graph/graph-database.ts';
import type { BlockedKey } from '../../../enrich/graph/neo4j/neo4j-constraints.ts';
import { createNeo4jSession } from '../../../enrich/graph/neo4j/neo4j-session.ts';
import type { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { GraphModel } from '../../../topology/index.ts';
import { allCounts, runOf } from '../../runs.ts';
import { namesIn } from '../../said.ts';
import type { Neo4jServer } from '../../servers/neo4j.ts';
import { labels } from './support.ts';

/** On the server that the test has started by then. */
export function constraintTests(started: () => Neo4jServer): void {
  describe('constraints', () => {
    let server: Neo4jServer;
    beforeAll(() => {
      server = started();
    });

    const open = async (model: GraphModel): Promise<void> => {
      const { url, user, password } = server;
      const session = createNeo4jSession({ url, user, password });
      onTestFinished(() => session.close());
      await cypherDatabase(session).openSink({
        sink: 't/graph',
        run: runOf(1),
        model,
        restored: allCounts,
      });
    };
    const refusal = async (model: GraphModel): Promise<SluiceError> =>
      open(model).then(
        () => expect.fail('it was opened'),
        (thrown: unknown) => thrown as SluiceError,
      );
    const mend = async ({ fix, details }: SluiceError): Promise<void> => {
      const statements = details['statements'] as readonly string[];
      expect(fix?.endsWith(statements.join('; '))).toBe(true);
      for (const statement of statements) await server.ask(statement);
    };
    const inTheWay = ({ details }: SluiceError): readonly string[] =>
      (details['blocked'] as readonly BlockedKey[]).map(
        ({ label, key, rule }) =>
          `${label}.${key}: ${rule.kind} ${rule.name} ${rule.labels.join()}.${rule.properties.join()}`,
      );
    const unique = async (): Promise<readonly unknown[]> =>
      (
        await server.ask(
          'SHOW CONSTRAINTS YIELD labelsOrTypes AS l, properties AS p RETURN l[0] AS label, p[0] ORDER BY label',
        )
      ).filter(([label]) => !String(label).startsWith('Sluice'));

    it('plain indexes in their place are one error, with the statements that mend them all', async () => {
      await server.empty();
      await server.ask('CREATE INDEX person_id FOR (n:Person) ON (n.id)');
      await server.ask('CREATE INDEX `odd ``name` FOR (n:Town) ON (n.name)');
      await server.ask('CREATE TEXT INDEX street_text FOR (n:Street) ON (n.name)');
      const model = labels(['Person', 'id'], ['Town', 'name'], ['Street', 'name']);
      const refused = await refusal(model);
      expect(refused).toMatchObject({
        code: 'graph-constraint-blocked',
        retryable: false,
      });
      expect(refused.details['statements']).toEqual([
        'DROP INDEX `person_id`',
        'CREATE CONSTRAINT `sluice_Person_id` IF NOT EXISTS FOR (n:`Person`) REQUIRE n.`id` IS UNIQUE',
        'DROP INDEX `odd ``name`',
        'CREATE CONSTRAINT `sluice_Town_name` IF NOT EXISTS FOR (n:`Town`) REQUIRE n.`name` IS UNIQUE',
      ]);
      expect(inTheWay(refused)).toEqual([
        'Person.id: index person_id Person.id',
        'Town.name: index odd `name Town.name',
      ]);
      expect(namesIn(refused.message)).toEqual([
        'Person',
        'id',
        'person_id',
        'Town',
        'name',
        'odd `name',
      ]);
      await mend(refused);
      await open(model);
      expect(await unique()).toEqual([
        ['Person', 'id'],
        ['Street', 'name'],
        ['Town', 'name'],
      ]);
    }, 120_000);

    it('names that something else has are one error, not no constraint', async () => {
      await server.empty();
      await server.ask('CREATE CONSTRAINT sluice_Person_id FOR (n:Other) REQUIRE n.id IS UNIQUE');
      await server.ask('CREATE INDEX sluice_Town_name FOR (n:Other) ON (n.name)');
      const model = labels(['Person', 'id'], ['Town', 'name']);
      const refused = await refusal(model);
      expect(inTheWay(refused)).toEqual([
        'Person.id: constraint sluice_Person_id Other.id',
        'Town.name: index sluice_Town_name Other.name',
      ]);
      await mend(refused);
      await open(model);
      expect(await unique()).toEqual([
        ['Person', 'id'],
        ['Town', 'name'],
      ]);
    }, 120_000);

    it('are made for labels and keys that read alike, and for what somebody dropped, and not where somebody made them', async () => {
      await server.empty();
      await server.ask('CREATE CONSTRAINT theirs FOR (n:Theirs) REQUIRE n.id IS UNIQUE');
      const model = labels(['A_b', 'c'], ['A', 'b_c'], ['Theirs', 'id']);
      const all = [
        ['A', 'b_c'],
        ['A_b', 'c'],
        ['Theirs', 'id'],
      ];
      await open(model);
      expect(await unique()).toEqual(all);
      await server.ask('DROP CONSTRAINT theirs');
      await open(model);
      expect(await unique()).toEqual(all);
    }, 120_000);

    it('that nodes do not fit are one error that says how to find them', async () => {
      await server.empty();
      await server.ask("CREATE (:Person {id: 'a'}), (:Person {id: 'a'}), (:Person {id: 'b'})");
      const model = labels(['Person', 'id']);
      const refused = await refusal(model);
      expect(refused).toMatchObject({ code: 'graph-constraint-blocked', retryable: false });
      expect(refused.details).toMatchObject({ label: 'Person', key: 'id' });
      const question = String(refused.details['question']);
      expect(refused.fix).toContain(question);
      expect(await server.ask(question)).toEqual([['a', 2]]);
      await server.ask("MATCH (n:Person {id: 'a'}) WITH n LIMIT 1 DELETE n");
      await open(model);
      expect(await unique()).toEqual([['Person', 'id']]);
    }, 120_000);
  });
}

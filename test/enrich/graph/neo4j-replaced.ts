/**
 * Neo4j becomes another database between two commits of a sink: an empty one, or an older copy. The
 * bookmark of the last commit is of a database that is gone; a sink that kept it would never get a
 * transaction again, and never find out that the graph is behind its checkpoints.
 *
 * Part of neo4j-late.test.ts, which has a server.
 */
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { AppliedWrites } from '../../../enrich/graph/applied-writes.ts';
import type { ChunkId, GraphDatabase } from '../../../enrich/graph/graph-database.ts';
import { cypherDatabase } from '../../../enrich/graph/graph-database.ts';
import { createNeo4jSession } from '../../../enrich/graph/neo4j/neo4j-session.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { graphModel } from '../../../topology/index.ts';
import { allCounts, runOf } from '../../runs.ts';
import type { Neo4jServer } from '../../servers/neo4j.ts';

const steps = graphModel({ nodes: { Step: { key: 'n', props: { n: 'integer' } } } });
const of = { sink: 't/graph', run: runOf(1) };
const triesMax = 5;
let server: Neo4jServer;

const open = (database: GraphDatabase): Promise<unknown> =>
  database.openSink({ ...of, model: steps.definition, restored: allCounts });
const apply = (database: GraphDatabase, at: Pick<ChunkId, 'checkpoint' | 'chunk'>) =>
  database.applyChunk({ ...of, ...at }, [steps.Step({ n: at.checkpoint })]);

/** As a sink's commit that is tried again while its fault may pass: what that comes to. */
async function outcomeOf(work: () => Promise<unknown>): Promise<unknown> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (thrown) {
      if (!(thrown instanceof SluiceError) || !thrown.retryable) return thrown;
      if (tries === triesMax) throw thrown;
    }
  }
}

/** On the server that the test has started by then. */
export function replacedTests(started: () => Neo4jServer): void {
  describe('that becomes another database', () => {
    beforeAll(() => {
      server = started();
    });

    /** A sink that has committed checkpoint 1. */
    async function begun(): Promise<GraphDatabase> {
      await server.empty();
      // More than a try waits for the bookmark of a database that is gone.
      const session = createNeo4jSession({ ...server, retryMaxMs: 5_000 });
      onTestFinished(() => session.close());
      const database = cypherDatabase(session);
      await open(database);
      expect(await apply(database, { checkpoint: 1, chunk: 1 })).toBe('applied');
      return database;
    }

    it('that was emptied is behind', async () => {
      const database = await begun();
      await server.empty();
      await expect(apply(database, { checkpoint: 2, chunk: 1 })).rejects.toMatchObject({
        code: 'graph-behind',
        retryable: false,
      });
    }, 60_000);

    it('that is a new one is behind, and takes the same session from its beginning on', async () => {
      const database = await begun();
      await server.renew();
      const outcome = await outcomeOf(() => apply(database, { checkpoint: 1, chunk: 2 }));
      expect(outcome).toMatchObject({ code: 'graph-behind', retryable: false });
      expect(await server.ask('MATCH (n) RETURN count(*)')).toEqual([[0]]);
      await open(database);
      expect(await apply(database, { checkpoint: 1, chunk: 1 })).toBe('applied');
      expect(await server.ask('MATCH (s:Step) RETURN s.n')).toEqual([[1]]);
    }, 240_000);

    it('that is an older copy is behind, and goes on from where the copy is', async () => {
      const database = await begun();
      const putBack = server.copy();
      for (const checkpoint of [2, 3])
        expect(await outcomeOf(() => apply(database, { checkpoint, chunk: 1 }))).toBe('applied');
      await putBack();
      const outcome = await outcomeOf(() => apply(database, { checkpoint: 3, chunk: 2 }));
      expect(outcome).toMatchObject({ code: 'graph-behind', retryable: false });
      expect(await apply(database, { checkpoint: 2, chunk: 1 })).toBe('applied');
      expect(await server.ask('MATCH (s:Step) RETURN s.n ORDER BY s.n')).toEqual([[1], [2]]);
    }, 300_000);

    it('that was copied after a savepoint goes on with it, and is behind one that was taken later', async () => {
      const database = await begun();
      expect(await apply(database, { checkpoint: 2, chunk: 1 })).toBe('applied');
      const goBack = (attempt: number, checkpoint: number): Promise<void> =>
        new AppliedWrites({
          ...{ database, sink: of.sink, run: runOf(attempt), model: steps.definition },
          read: () => Promise.resolve([]),
        }).claim({ applied: checkpoint, files: [] });
      await expect(goBack(2, 3)).rejects.toMatchObject({ code: 'graph-behind', retryable: false });
      await goBack(3, 1);
      const again = { sink: of.sink, run: runOf(3), checkpoint: 2, chunk: 1 };
      expect(await database.applyChunk(again, [steps.Step({ n: 2 }), steps.Step({ n: 3 })])).toBe(
        'applied',
      );
      expect(await server.ask('MATCH (s:Step) RETURN s.n ORDER BY s.n')).toEqual([[1], [2], [3]]);
    }, 60_000);
  });
}

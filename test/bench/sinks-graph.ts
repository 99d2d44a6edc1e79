/**
 * Edges with their end nodes into Neo4j: by the graph sink (merged, staged on disk, applied in
 * chunks with its books), and by a loop over the driver with the statement that one would write by
 * hand.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auth, driver as createDriver } from 'neo4j-driver';
import { localBlobStore } from '../../deploy/stores/local/local-blob-store.ts';
import { cypherDatabase } from '../../enrich/graph/graph-database.ts';
import { graphSink } from '../../enrich/graph/graph-sink.ts';
import { createNeo4jSession } from '../../enrich/graph/neo4j/neo4j-session.ts';
import { graphChunkMaxWrites } from '../../enrich/graph/pending-writes.ts';
import { graphModel } from '../../topology/index.ts';
import { runOf } from '../runs.ts';
import { startNeo4j } from '../servers/neo4j.ts';
import type { Race } from './sinks.ts';

const model = graphModel({
  nodes: {
    User: { key: 'id', props: { id: 'string' } },
    Promo: { key: 'id', props: { id: 'string' } },
  },
  edges: {
    CLICKED: {
      from: 'User',
      to: 'Promo',
      key: ['event'],
      props: { event: 'string', price: 'number' },
    },
  },
});
const chunkRows = graphChunkMaxWrites;
const turnRows = 1_024;

export async function graphRace(scale: number): Promise<Race> {
  const server = await startNeo4j({ isMeasured: true });
  const { url, user, password } = server;
  const driver = createDriver(url, auth.basic(user, password));
  const session = createNeo4jSession({ url, user, password });
  const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-graph-'));
  const count = Math.round(60_000 * scale);
  let rounds = 0;
  const rows = Array.from({ length: count }, (_, n) => ({
    from: `user-${(n * 7_919) % 5_000}`,
    to: `promo-${(n * 104_729) % 300}`,
    event: `event-${n}`,
    price: n / 7,
  }));
  const emptied = async (): Promise<void> => {
    await server.empty();
    for (const label of ['User', 'Promo']) {
      await server.ask(
        `CREATE CONSTRAINT sluice_${label}_id IF NOT EXISTS FOR (n:${label}) REQUIRE n.id IS UNIQUE`,
      );
    }
  };
  const counted = async (rate: number): Promise<number> => {
    const [[found] = []] = await server.ask('MATCH (:User)-[e:CLICKED]->(:Promo) RETURN count(e)');
    if (found !== count) throw new Error(`${String(found)} edges are there, not ${count}`);
    return rate;
  };
  /** Constraints are there before the clock starts. */
  const measured = async (
    work: () => Promise<void>,
    before: () => Promise<void> = emptied,
  ): Promise<number> => {
    await before();
    const startedMs = performance.now();
    await work();
    return counted((count * 1_000) / (performance.now() - startedMs));
  };
  return {
    what: 'Neo4j, edges with their nodes',
    unit: 'rows/s',
    bare: () =>
      measured(async () => {
        const own = driver.session();
        const text =
          'UNWIND $rows AS row MERGE (a:User {id: row.from}) MERGE (b:Promo {id: row.to}) MERGE (a)-[e:CLICKED {event: row.event}]->(b) SET e.price = row.price';
        for (let begin = 0; begin < rows.length; begin += chunkRows) {
          await own.executeWrite((transaction) =>
            transaction.run(text, { rows: rows.slice(begin, begin + chunkRows) }),
          );
        }
        await own.close();
      }),
    sluice: async () => {
      const sink = graphSink({
        database: cypherDatabase(session),
        model: model.definition,
        staging: localBlobStore(dir),
        folder: `round-${rounds++}`,
        sink: 'bench/graph',
        run: runOf(1),
      });
      const opened = async (): Promise<void> => {
        await server.empty();
        await sink.open(undefined);
      };
      return measured(async () => {
        for (let begin = 0; begin < rows.length; begin += turnRows) {
          const values = rows.slice(begin, begin + turnRows).map((row) => [model.CLICKED(row)]);
          const none = values.map(() => 0);
          await sink.write({
            length: values.length,
            values,
            timestamps: none,
            origins: values.map(() => undefined),
          });
        }
        await sink.prepare(1, true);
        await sink.commit(1);
        await sink.close();
      }, opened);
    },
    async stop() {
      await session.close();
      await driver.close();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

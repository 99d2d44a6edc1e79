/**
 * Neo4j itself: the contract of graph databases, staged writes by the sink, and what servers do:
 * deadlocks, a kill, a wrong password.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { localBlobStore } from '../../../deploy/stores/local/local-blob-store.ts';
import { cypherDatabase } from '../../../enrich/graph/graph-database.ts';
import { graphSink } from '../../../enrich/graph/graph-sink.ts';
import type { Neo4jOptions, Neo4jSession } from '../../../enrich/graph/neo4j/neo4j-session.ts';
import { createNeo4jSession } from '../../../enrich/graph/neo4j/neo4j-session.ts';
import type { Sink, SinkState } from '../../../topology/index.ts';
import { graphModel } from '../../../topology/index.ts';
import type { GraphDatabaseRig } from '../../contract/graph-database.ts';
import { graphDatabaseContract } from '../../contract/graph-database.ts';
import { graphMappingsContract } from '../../contract/graph-mappings.ts';
import { allCounts, runOf } from '../../runs.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { Neo4jServer } from '../../servers/neo4j.ts';
import { startNeo4j } from '../../servers/neo4j.ts';
import { constraintTests } from './neo4j-constraints.ts';
import { writesBatch } from './support.ts';

const steps = graphModel({
  nodes: { Step: { key: 'n', props: { n: 'integer', times: 'integer' } } },
  edges: { NEXT: { from: 'Step', to: 'Step' } },
});
const { definition: model } = steps;
let server: Neo4jServer;

function session(options: Partial<Neo4jOptions> = {}): Neo4jSession {
  const { url, user, password } = server;
  const made = createNeo4jSession({ url, user, password, ...options });
  onTestFinished(() => made.close());
  return made;
}

describe.skipIf(javaMissing() !== undefined)('on Neo4j', () => {
  beforeAll(async () => {
    server = await startNeo4j();
  }, 240_000);
  afterAll(() => server.stop());

  const open = async (): Promise<GraphDatabaseRig> => {
    await server.empty();
    const made = session();
    return {
      database: cypherDatabase(made),
      ask: (statement) => server.ask(statement),
      close: () => made.close(),
    };
  };
  graphDatabaseContract('Neo4j', { open, runs: 10 });
  graphMappingsContract('Neo4j', { open, runs: 8 });
  constraintTests(() => server);

  function sinkOf(attempt: number, folder: string, own = session()): Sink {
    const database = cypherDatabase(own);
    return graphSink({
      database,
      model,
      staging: localBlobStore(folder),
      folder: 'staged',
      sink: 't/graph',
      run: runOf(attempt),
    });
  }

  function folder(): string {
    const made = mkdtempSync(join(tmpdir(), 'sluice-neo4j-sink-'));
    onTestFinished(() => rmSync(made, { recursive: true, force: true }));
    return made;
  }

  it('makes constraints, once, and says which server answers', async () => {
    await server.empty();
    await Promise.all(
      [1, 2].map((n) =>
        cypherDatabase(session()).openSink({
          sink: `t/${n}`,
          run: runOf(1),
          model,
          restored: allCounts,
        }),
      ),
    );
    expect(
      await server.ask(
        "SHOW CONSTRAINTS YIELD name, type WHERE name STARTS WITH 'sluice_Step' RETURN name, type",
      ),
    ).toEqual([['sluice_Step_n', 'UNIQUENESS']]);
    expect(await session().check()).toMatch(/^Neo4j\/5\.26/);
  });

  it('keeps the models of sinks that open an empty graph together', async () => {
    await server.empty();
    const models = Array.from({ length: 6 }, (_, n) =>
      graphModel({ nodes: { [`L${n}`]: { key: 'id', props: { id: 'string' } } } }),
    );
    await Promise.all(
      models.map(({ definition }, n) =>
        cypherDatabase(session()).openSink({
          sink: `t/${n}`,
          run: runOf(1),
          model: definition,
          restored: allCounts,
        }),
      ),
    );
    const [[text] = []] = await server.ask('MATCH (m:SluiceModel) RETURN m.sluiceDefinition');
    expect(Object.keys((JSON.parse(String(text)) as typeof model).nodes).sort()).toEqual([
      'L0',
      'L1',
      'L2',
      'L3',
      'L4',
      'L5',
    ]);
  });

  it('writers that lock the same nodes in turns all get through', async () => {
    await server.empty();
    const writers = Array.from({ length: 4 }, (_, n) => ({
      sink: `t/${n}`,
      database: cypherDatabase(session()),
    }));
    for (const { sink, database } of writers)
      await database.openSink({ sink, run: runOf(1), model, restored: allCounts });
    const rounds = 8;
    await Promise.all(
      writers.map(async ({ sink, database }, n) => {
        for (let round = 1; round <= rounds; round++) {
          const order = Array.from({ length: 200 }, (_, i) => (n % 2 === 0 ? i : 199 - i));
          const writes = order.map((i) => steps.Step({ n: i, times: round }));
          expect(
            await database.applyChunk({ sink, run: runOf(1), checkpoint: round, chunk: 1 }, writes),
          ).toBe('applied');
        }
      }),
    );
    expect(await server.ask('MATCH (s:Step) RETURN count(*), sum(s.times)')).toEqual([
      [200, 200 * rounds],
    ]);
  }, 120_000);

  it('killed in the middle of a commit: what was staged is applied once it is back, once', async () => {
    await server.empty();
    const place = folder();
    const sink = sinkOf(1, place);
    await sink.open(undefined);
    const count = 12_000;
    await sink.write(
      writesBatch(...Array.from({ length: count }, (_, n) => [steps.NEXT({ from: n, to: n + 1 })])),
    );
    const state = JSON.parse(JSON.stringify(await sink.prepare(1, false))) as SinkState;
    const committing = sink.commit(1).then(
      () => 'done',
      (thrown: unknown) => thrown,
    );
    for (let found = 0; found === 0; )
      [[found] = [0]] = (await server.ask('MATCH ()-[e:NEXT]->() RETURN count(e)')) as [[number]];
    await server.kill();
    await server.restart();
    // Either the driver got through within its time, or it is a fault that may pass; then the next
    // run goes on.
    const outcome = await committing;
    if (outcome !== 'done') expect(outcome).toMatchObject({ retryable: true });
    const next = sinkOf(2, place);
    await next.open(state);
    expect(await server.ask('MATCH (s:Step) RETURN count(*)')).toEqual([[count + 1]]);
    expect(await server.ask('MATCH ()-[e:NEXT]->() RETURN count(*)')).toEqual([[count]]);
    expect(
      await server.ask(
        "MATCH (s:SluiceSink {sluiceSink: 't/graph'}) RETURN s.sluiceAttempt, s.sluiceCheckpoint",
      ),
    ).toEqual([[2, 1]]);
  }, 180_000);

  it('refuses a late run, which another process took over from', async () => {
    await server.empty();
    const place = folder();
    const late = sinkOf(1, place);
    await late.open(undefined);
    await late.write(writesBatch([steps.Step({ n: 1 })]));
    await late.prepare(1, false);
    await sinkOf(2, place).open(undefined);
    await expect(late.commit(1)).rejects.toMatchObject({
      code: expect.stringMatching(/^(fenced|staged-file-missing)$/) as string,
    });
    expect(await server.ask('MATCH (s:Step) RETURN count(*)')).toEqual([[0]]);
  });

  it('says what is wrong: a password, a database, an address; never the password', async () => {
    const failures = await Promise.all(
      [
        session({ password: 'a-wrong-one' }),
        session({ database: 'elsewhere' }),
        session({ url: 'bolt://127.0.0.1:1', retryMaxMs: 1_000 }),
      ].map((each) =>
        each.check().then(
          () => undefined,
          (thrown: unknown) => thrown as { readonly code: string; readonly message: string },
        ),
      ),
    );
    expect(failures.map((failure) => failure?.code)).toEqual([
      'graph-denied',
      'graph-missing',
      'graph-unreachable',
    ]);
    expect(JSON.stringify(failures.map((failure) => failure?.message))).not.toContain(
      'a-wrong-one',
    );
  }, 60_000);
});

/**
 * A graph that is locked, or away, and what else its topology does meanwhile, on Neo4j itself. As
 * shipped before, one node that somebody had locked for 45 s kept the tables of the same topology
 * from being published for as long: the next checkpoint waited for all commits of the one before.
 */
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { cypherDatabase } from '../../../enrich/graph/graph-database.ts';
import { graphSink } from '../../../enrich/graph/graph-sink.ts';
import type { Neo4jSession } from '../../../enrich/graph/neo4j/neo4j-session.ts';
import { createNeo4jSession } from '../../../enrich/graph/neo4j/neo4j-session.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Job, NodeStatus } from '../../../topology/index.ts';
import {
  createJob,
  graph,
  graphModel,
  schemaOf,
  stream,
  table,
  topology,
} from '../../../topology/index.ts';
import { allCounts, runOf } from '../../runs.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { Neo4jServer } from '../../servers/neo4j.ts';
import { startNeo4j } from '../../servers/neo4j.ts';
import type { World } from '../../topology/support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../../topology/support.ts';
import { replacedTests } from './neo4j-replaced.ts';

const steps = graphModel({
  nodes: { Step: { key: 'n', props: { n: 'integer', event: 'string' } } },
});
const anyData = schemaOf<{ readonly n: number }>({
  $id: 'https://sluice.example/test/step',
  type: 'object',
  properties: { n: { type: 'integer' } },
});
const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/step-row',
  type: 'object',
  properties: { id: { type: 'string' } },
});
const both = topology('both', { version: 1, owner: 'a/b' }, (t) => {
  const events = t.source('events', stream('a/b')).validate('valid', anyData);
  events.map((e) => ({ id: e.id })).sinkTo('rows', table('rows', anyRow));
  events.sinkTo(
    'graph',
    graph(steps, (e) => [steps.Step({ n: e.data.n, event: e.id })]),
  );
});

let server: Neo4jServer;

function session(url = server.url): Neo4jSession {
  const made = createNeo4jSession({ url, user: server.user, password: server.password });
  onTestFinished(() => made.close());
  return made;
}

/** Polls until it says yes. */
async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  maxMs = 60_000,
): Promise<void> {
  for (const deadline = performance.now() + maxMs; !(await isSo()); await wait(50)) {
    if (performance.now() > deadline) expect.fail(`not within ${maxMs} ms: ${what}`);
  }
}

interface Running {
  readonly job: Job;
  readonly running: Promise<void>;
}

/** One world, run after run. */
class Rig {
  readonly made: World = world({ 'a/b': memoryStream(['kinesis', '0']) });
  readonly #blobs = memoryBlobs();
  #sent = 0;

  async start(own = session()): Promise<Running> {
    const { connectors } = this.made;
    const job = createJob({
      topology: both,
      blobs: this.#blobs,
      connectors: {
        ...connectors,
        sink: (node, of, run) => {
          if (node.sink.kind !== 'graph') return connectors.sink(node, of, run);
          const at = {
            staging: this.#blobs,
            folder: 'staged',
            sink: 'both/graph',
            run,
            clock: systemClock,
          };
          return graphSink({ database: cypherDatabase(own), model: node.sink.model, ...at });
        },
      },
      clock: systemClock,
      random: seededRandom(1),
      checkpointIntervalMs: 200,
    });
    await job.open();
    const running = job.run();
    running.catch(() => undefined);
    return { job, running };
  }

  /** An event of the step `n`; its id. */
  send(n: number): string {
    const id = `e${this.#sent++}`;
    const [to] = Object.values(this.made.streams);
    if (to !== undefined) put(to, 0, event(id, { n }));
    return id;
  }

  get rows(): readonly string[] {
    return (this.made.tables['rows']?.visible ?? []).map(
      (row) => (row as { readonly id: string }).id,
    );
  }
}

const inGraph = async (): Promise<readonly unknown[]> =>
  server.ask('MATCH (s:Step) RETURN s.n, s.event ORDER BY s.n');
const graphNode = async (job: Job): Promise<NodeStatus | undefined> =>
  (await job.status()).nodes.find(({ id }) => id === 'graph');
const lockFirst = (): Promise<() => Promise<void>> =>
  server.lock('MATCH (s:Step {n: 0}) SET s.event = "theirs"');

async function stopped({ job, running }: Running): Promise<void> {
  job.stop();
  await running;
  await job.close();
}

describe.skipIf(javaMissing() !== undefined)('a graph in Neo4j', () => {
  beforeAll(async () => {
    server = await startNeo4j();
  }, 240_000);
  afterAll(() => server.stop());

  /** A rig whose first step is in the graph. */
  async function begun(): Promise<Rig & { run: Running }> {
    await server.empty();
    const rig = new Rig();
    const run = await rig.start();
    rig.send(0);
    await until('the first step', async () => (await inGraph()).length === 1);
    return Object.assign(rig, { run });
  }

  it('that is locked keeps no table back, is named in the status, and has all of it in order once it is free', async () => {
    const rig = await begun();
    const free = await lockFirst();
    const ids = [rig.send(0), rig.send(1)];
    for (const n of [0, 2, 3]) {
      ids.push(rig.send(n));
      await until(`${ids.length} rows while the node is locked`, () =>
        ids.every((id) => rig.rows.includes(id)),
      );
    }
    await until(
      'the lateness',
      async () => (await graphNode(rig.run.job))?.lateSince !== undefined,
    );
    expect((await rig.run.job.status()).uncommittedRows).toBeGreaterThan(0);
    expect(await server.ask('MATCH (s:Step) RETURN count(*)')).toEqual([[1]]);
    await free();
    await until('the graph', async () => (await inGraph()).length === 4);
    expect(await inGraph()).toEqual([
      [0, ids[2]],
      [1, ids[1]],
      [2, ids[3]],
      [3, ids[4]],
    ]);
    await until(
      'that it is on time',
      async () => (await graphNode(rig.run.job))?.lateSince === undefined,
    );
    await stopped(rig.run);
    expect([...rig.rows].sort()).toEqual(['e0', ...ids].sort());
  }, 180_000);

  it('that is locked keeps no restart back, and nothing is published twice or lost by it', async () => {
    const rig = await begun();
    const free = await lockFirst();
    const ids = [rig.send(0), rig.send(1)];
    await until('rows of the first run', () => ids.every((id) => rig.rows.includes(id)));
    // The run before is left as it is, as a process that was killed; then one more is started
    // beside it.
    for (let run = 2; run <= 3; run++) {
      const next = await rig.start();
      ids.push(rig.send(run));
      await until(`rows of run ${run}`, () => ids.every((id) => rig.rows.includes(id)));
      rig.run = next;
    }
    await free();
    await until('the graph', async () => (await inGraph()).length === 4);
    expect(await inGraph()).toEqual([
      [0, ids[0]],
      [1, ids[1]],
      [2, ids[2]],
      [3, ids[3]],
    ]);
    await stopped(rig.run);
    expect([...rig.rows].sort()).toEqual(['e0', ...ids].sort());
  }, 240_000);

  it('that is locked lets a stop end, and the next run applies what was staged; a drain waits for it', async () => {
    const rig = await begun();
    const free = await lockFirst();
    const ids = [rig.send(0), rig.send(1)];
    await until('rows', () => ids.every((id) => rig.rows.includes(id)));
    await stopped(rig.run);
    expect((await inGraph()).length).toBe(1);
    const next = await rig.start();
    await next.job.drain();
    let isDrained = false;
    const drained = next.running.then(() => {
      isDrained = true;
    });
    await until(
      'the lateness',
      async () =>
        (await graphNode(next.job))?.lateSince !== undefined || (await next.job.status()).drained,
    );
    expect(isDrained).toBe(false);
    await free();
    await drained;
    await next.job.close();
    expect(await inGraph()).toEqual([
      [0, ids[0]],
      [1, ids[1]],
    ]);
    expect([...rig.rows].sort()).toEqual(['e0', ...ids].sort());
  }, 180_000);

  it('that is away keeps no table back, also when the topology starts meanwhile, and has all of it once it is back', async () => {
    const rig = await begun();
    await server.kill();
    const ids = [rig.send(1)];
    await until('rows of the first run', () => ids.every((id) => rig.rows.includes(id)));
    await stopped(rig.run);
    const next = await rig.start();
    for (const n of [2, 3]) {
      ids.push(rig.send(n));
      await until('rows of the next run', () => ids.every((id) => rig.rows.includes(id)));
    }
    await until('the lateness', async () => (await graphNode(next.job))?.lateSince !== undefined);
    await server.restart();
    await until('the graph', async () => (await inGraph()).length === 4, 120_000);
    await stopped(next);
    expect([...rig.rows].sort()).toEqual(['e0', ...ids].sort());
  }, 400_000);

  it('ends a transaction that waits for a lock when its session is closed', async () => {
    await server.empty();
    await server.ask('CREATE (:Step {n: 0})');
    const free = await lockFirst();
    const own = session();
    const waiting = own
      .transaction((run) => run('MATCH (s:Step) SET s.event = "ours"', []))
      .catch((thrown: unknown) => thrown);
    await until(
      'a transaction',
      async () =>
        (
          await server.ask(
            'SHOW TRANSACTIONS YIELD currentQuery WHERE currentQuery CONTAINS "ours" AND NOT currentQuery CONTAINS "SHOW" RETURN 1',
          )
        ).length > 0,
    );
    await own.close();
    expect(await waiting).toMatchObject({ retryable: true });
    await expect(own.transaction(() => Promise.resolve())).rejects.toMatchObject({
      code: 'graph-closed',
    });
    await free();
    expect(await server.ask('MATCH (s:Step) RETURN s.event')).toEqual([[null]]);
  }, 60_000);

  it('is written by transactions that each begin where the one before them ended, by its bookmark', async () => {
    await server.empty();
    const recorder = await recordBookmarks(Number(new URL(server.url).port));
    const own = session(`bolt://127.0.0.1:${recorder.port}`);
    const database = cypherDatabase(own);
    await database.openSink({
      sink: 't/graph',
      run: runOf(1),
      model: steps.definition,
      restored: allCounts,
    });
    for (let chunk = 1; chunk <= 3; chunk++) {
      await database.applyChunk({ sink: 't/graph', run: runOf(1), checkpoint: 1, chunk }, [
        steps.Step({ n: chunk }),
      ]);
    }
    const begins = recorder.heard.flatMap(({ from, bookmark }, at) =>
      from === 'client' ? [[bookmark, recorder.heard[at - 1]?.bookmark]] : [],
    );
    expect(begins.length).toBeGreaterThanOrEqual(3);
    for (const [asked, committed] of begins) expect(asked).toBe(committed);
    expect(new Set(begins.map(([asked]) => asked)).size).toBeGreaterThanOrEqual(3);
  }, 60_000);

  replacedTests(() => server);
});

interface Heard {
  readonly from: 'client' | 'server';
  readonly bookmark: string;
}

/**
 * A proxy that notes the bookmarks which transactions begin with and which commits are answered
 * with (PackStream: a key, then a string of 8-bit length).
 */
async function recordBookmarks(
  port: number,
): Promise<{ readonly port: number; readonly heard: readonly Heard[] }> {
  const heard: Heard[] = [];
  const sockets: Socket[] = [];
  const note = (from: Heard['from'], pattern: RegExp) => (bytes: Buffer) => {
    const text = bytes.toString('latin1');
    for (const { index, 0: found } of text.matchAll(pattern)) {
      const at = index + found.length;
      heard.push({ from, bookmark: text.slice(at + 1, at + 1 + text.charCodeAt(at)) });
    }
  };
  const proxy = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    sockets.push(client, upstream);
    client.on('data', note('client', /\x89bookmarks\x91\xd0/g));
    upstream.on('data', note('server', /\x88bookmark\xd0/g));
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  return { port: (proxy.address() as AddressInfo).port, heard };
}

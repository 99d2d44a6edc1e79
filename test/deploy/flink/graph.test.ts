/**
 * A graph that a Flink job writes is the graph that the engine writes: by the same statements and
 * books, through a database that is killed, and from a savepoint.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Driver } from 'neo4j-driver';
import { auth, driver as createDriver } from 'neo4j-driver';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { builtJob } from '../../../deploy/flink/jar.ts';
import { flinkPlan } from '../../../deploy/flink/plan.ts';
import { settingsProblems } from '../../../deploy/flink/read-settings.ts';
import { GraphCommits, resumeOf } from '../../../deploy/flink/runtime/graph-commits.ts';
import { localBlobStore } from '../../../deploy/stores/local/local-blob-store.ts';
import { cypherDatabase } from '../../../enrich/graph/graph-database.ts';
import { graphSink } from '../../../enrich/graph/graph-sink.ts';
import { createNeo4jSession } from '../../../enrich/graph/neo4j/neo4j-session.ts';
import type { GraphModel, GraphWrite } from '../../../topology/index.ts';
import { graphModel } from '../../../topology/index.ts';
import type { GraphDefinition } from '../../../topology/operators/sink/graph.ts';
import type { Topology } from '../../../topology/plan/plan.ts';
import { createDriver as createTopologyDriver, event } from '../../../topology/testing.ts';
import { writesBatch } from '../../enrich/graph/support.ts';
import { root } from '../../repo/support.ts';
import { runOf } from '../../runs.ts';
import type { FlinkServer } from '../../servers/flink.ts';
import { startFlink } from '../../servers/flink.ts';
import { javaMissing } from '../../servers/jars.ts';
import type { Neo4jServer } from '../../servers/neo4j.ts';
import { startNeo4j } from '../../servers/neo4j.ts';
import { flinkCommand } from './flink-command.ts';
import { isFull } from './full.ts';
import topology from './graph-topology.ts';

const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const buildMaxMs = 600_000;
const runMaxMs = 480_000;

let neo4j: Neo4jServer;

describe.skipIf(javaMissing() !== undefined)('a graph of a Flink job', () => {
  beforeAll(async () => {
    [neo4j] = await Promise.all([startNeo4j(), builtJob({ harness: true })]);
  }, buildMaxMs);
  afterAll(() => neo4j?.stop());
  beforeEach(() => neo4j.empty());

  describe('by its commits', commitTests);
  describe('on a cluster', { timeout: runMaxMs }, clusterTests);
});

function boltDriver(): Driver {
  const { url, user, password } = neo4j;
  return createDriver(url, auth.basic(user, password), { disableLosslessIntegers: true });
}

function graphOf({ plan }: Topology): GraphDefinition {
  const node = plan.nodes.find(({ id }) => id === 'graph');
  if (node?.kind !== 'sink' || node.sink.kind !== 'graph') throw new Error('no graph');
  return node.sink;
}

it('is told what of its settings does not fit', () => {
  const plan = flinkPlan(topology);
  const problems = (graph: object): readonly string[] =>
    settingsProblems(
      {
        sources: { seen: { connector: 'lines', path: '/seen' } },
        sinks: { graph: { connector: 'neo4j', ...graph } },
        rejected: { connector: 'lines', path: '/rejected' },
      },
      plan,
    );
  const url = 'bolt://127.0.0.1';
  expect(problems({ url, passwordEnv: 'NEO4J_PASSWORD' })).toEqual([]);
  expect(problems({ url, password: 'secret', retryMaxMs: 0 })).toEqual([
    expect.stringMatching(/^sinks\.graph\.password: unknown; expected url, /),
    expect.stringMatching(/^sinks\.graph\.retryMaxMs: expected a whole number from 1 /),
    "sinks.graph: expected either passwordEnv, a variable's name, or passwordFile, a file's path",
  ]);
  expect(problems({ passwordEnv: 'A', passwordFile: '/b' })).toEqual([
    expect.stringMatching(/^sinks\.graph\.url: expected an address/),
    expect.stringMatching(/^sinks\.graph: expected either/),
  ]);
});

/** Plays the job's part of graph-commits.ts. */
class Job {
  readonly commits: GraphCommits;
  readonly #driver: Driver;
  /** Of the next transaction: whether its commit is answered by a lost connection. */
  losesAnswer = false;

  constructor(model: GraphModel, driver: Driver) {
    this.commits = new GraphCommits(model, 'pages/graph', neo4j.url);
    this.#driver = driver;
  }

  async open(lineage: string, number: number, chunks: number): Promise<void> {
    this.commits.open(JSON.stringify({ lineage, number, chunks }));
    await this.#carryOut();
  }

  async apply(number: number, chunk: number, writes: readonly GraphWrite[]): Promise<void> {
    this.commits.apply(number, chunk, JSON.stringify(writes));
    await this.#carryOut();
  }

  async #next(): Promise<Readonly<Record<string, string>>> {
    await settle();
    return JSON.parse(this.commits.next()) as Record<string, string>;
  }

  async #carryOut(): Promise<void> {
    for (;;) {
      const { want, code, message, text } = await this.#next();
      if (want === 'done') return;
      if (want === 'refused') throw new Error(`${code}: ${message}`);
      if (want === 'define') {
        await this.#driver.executeQuery(text ?? '');
        this.commits.answer('[]');
      } else await this.#transaction();
    }
  }

  async #transaction(): Promise<void> {
    const aborted = new Error('aborted');
    const session = this.#driver.session();
    const loses = this.losesAnswer;
    this.losesAnswer = false;
    const once = async (): Promise<void> => {
      const transaction = await session.beginTransaction();
      this.commits.attempt();
      for (;;) {
        const { want, text, rows } = await this.#next();
        if (want === 'end') return transaction.commit();
        if (want === 'abort') {
          await transaction.rollback();
          throw aborted;
        }
        const { records } = await transaction.run(text ?? '', { rows });
        this.commits.answer(JSON.stringify(records.map((record) => record.toObject())));
      }
    };
    try {
      await once();
      if (loses) await once();
      this.commits.committed();
    } catch (thrown) {
      if (thrown !== aborted) throw thrown;
      this.commits.aborted();
    } finally {
      await session.close();
    }
  }
}

const steps = graphModel({
  nodes: { Step: { key: 'n', props: { n: 'integer', times: 'integer' } } },
  edges: {},
});

function commitTests(): void {
  let driver: Driver;
  beforeAll(() => {
    driver = boltDriver();
  });
  afterAll(() => driver.close());

  const job = (): Job => new Job(steps.definition, driver);
  const step = (n: number, times: number): readonly GraphWrite[] => [steps.Step({ n, times })];
  const written = async (): Promise<unknown> =>
    (await neo4j.ask('MATCH (s:Step) RETURN s.n, s.times ORDER BY s.n')).map((row) => [...row]);
  const book = (): Promise<unknown> =>
    neo4j.ask(
      'MATCH (s:SluiceSink) RETURN s.sluiceSink, s.sluiceLineage, s.sluiceAttempt, s.sluiceCheckpoint, s.sluiceChunk',
    );

  it('are applied once, also when they are repeated or their answer is lost', async () => {
    const first = job();
    await first.open('a', 0, 0);
    first.losesAnswer = true;
    await first.apply(1, 1, step(1, 1));
    await first.apply(1, 2, step(2, 1));
    // It was told before: another value would show.
    await first.apply(1, 1, step(1, 7));
    expect(await written()).toEqual([
      [1, 1],
      [2, 1],
    ]);
    const restored = job();
    await restored.open('a', 1, 2);
    await restored.apply(1, 1, step(1, 7));
    await restored.apply(1, 2, step(2, 7));
    await restored.apply(2, 1, step(3, 1));
    expect(await written()).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
    expect(await book()).toEqual([['flink:pages/graph', 'a', 3, 2, 1]]);
  });

  it('of a run that another one has taken over from are refused', async () => {
    const [older, newer, other] = [job(), job(), job()];
    await older.open('a', 0, 0);
    await newer.open('a', 0, 0);
    await expect(older.apply(1, 1, step(1, 1))).rejects.toThrow(
      /^fenced: attempt 2 of .* by attempt 3/,
    );
    await newer.apply(1, 1, step(1, 2));
    await other.open('b', 0, 0);
    await expect(newer.apply(1, 2, step(1, 3))).rejects.toThrow(
      /^fenced: .* without these checkpoints/,
    );
    // It counts from its own begin.
    await other.apply(1, 1, step(1, 4));
    expect(await written()).toEqual([[1, 4]]);
  });

  it('go on behind an older savepoint, and behind what another lineage left', async () => {
    const first = job();
    await first.open('a', 0, 0);
    for (const number of [1, 2, 3]) await first.apply(number, 1, step(number, 1));
    const rewound = job();
    await rewound.open('a', 1, 1);
    await rewound.apply(1, 1, step(1, 9));
    await rewound.apply(2, 1, step(2, 2));
    const other = job();
    await other.open('b', 0, 0);
    await other.apply(1, 1, step(7, 1));
    const back = job();
    // The third was not applied by its lineage, whatever the other one says of its own third.
    for (const number of [2, 3]) await other.apply(number, 1, step(7, number));
    await back.open('a', 3, 1);
    await back.apply(3, 1, step(3, 3));
    expect(await written()).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [7, 3],
    ]);
  });

  it('are refused by a graph that lacks what was applied, and by one with a rule in the way', async () => {
    await expect(job().open('a', 4, 2)).rejects.toThrow(
      /^graph-behind: the graph has checkpoint 0/,
    );
    await expect(job().open('a', 4, 0)).rejects.toThrow(/^graph-behind/);
    await neo4j.empty();
    await neo4j.ask('CREATE INDEX mine FOR (s:Step) ON (s.n)');
    await expect(job().open('a', 0, 0)).rejects.toThrow(
      /^graph-constraint-blocked: .*'Step' needs a unique constraint on 'n'/,
    );
    await neo4j.ask('DROP INDEX mine');
  });

  it('of a savepoint are applied after a restart from before it, and those of an older task are not', async () => {
    const first = job();
    await first.open('a', 0, 0);
    await first.apply(1, 1, step(1, 1));
    // A savepoint has a second one, which never was committed. The restarted task numbers its own so.
    const restarted = job();
    await restarted.open('a', 1, 1);
    await restarted.open('b', 2, 1);
    await restarted.apply(2, 1, step(2, 1));
    await expect(first.apply(2, 1, step(1, 9))).rejects.toThrow(/^fenced/);
    await expect(first.open('z', 2, 1)).rejects.toThrow(/^fenced/);
    const saved = job();
    await saved.open('a', 2, 1);
    await saved.apply(2, 1, step(3, 1));
    await expect(restarted.open('y', 3, 1)).rejects.toThrow(/^fenced/);
    expect(await written()).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
  });

  it('count nothing of another lineage that is not known to be applied', () => {
    const staged = { lineage: 'a', number: 8, chunks: 3 };
    const at = (checkpoint: number, chunk: number) => ({ checkpoint, chunk });
    expect(resumeOf(staged, { lineage: 'a', attempt: 4 })).toEqual({
      run: { lineage: 'a', attempt: 5 },
      restored: { from: at(8, 0), to: at(8, 3) },
    });
    expect(resumeOf(staged, { lineage: 'b', attempt: 4 })).toEqual({
      run: { lineage: 'a', attempt: 2 },
      restored: { from: at(8, 0), to: at(7, 0) },
    });
    expect(resumeOf({ ...staged, chunks: 0 }, undefined)).toMatchObject({
      restored: { from: at(8, 0), to: at(8, 0) },
    });
  });

  it('go on in the lineage of their own writer unless another one has the sink', () => {
    const staged = { lineage: 'b', number: 8, chunks: 3 };
    const mine = { lineage: 'a', attempt: 5 };
    const run = { lineage: 'b', attempt: 1 };
    expect(resumeOf(staged, mine, mine)).toMatchObject({ run });
    // It was committed, and is tried again as nobody said so.
    expect(resumeOf(staged, run, mine)).toMatchObject({ run });
    for (const found of [
      { lineage: 'a', attempt: 6 },
      { lineage: 'b', attempt: 2 },
      { lineage: 'c', attempt: 1 },
    ])
      expect(resumeOf(staged, found, mine)).toBe('fenced');
  });
}

const seen = Array.from({ length: 200 }, (_, n) =>
  event(
    { user: `u${n % 17}`, page: (n * 5) % 14, at: 1_700_000_000_000 + n, price: n % 101 },
    { id: `e${n}` },
  ),
);

const sorted = (rows: readonly unknown[]): readonly string[] =>
  rows.map((row) => JSON.stringify(row)).sort();

/** All nodes and edges but those of the books, each value with its type. */
async function wholeGraph(): Promise<readonly string[]> {
  const of = (x: string): string => `[k IN keys(${x}) | [k, valueType(${x}[k]), ${x}[k]]]`;
  const isOurs = (x: string): string => `none(l IN labels(${x}) WHERE l STARTS WITH 'Sluice')`;
  const byName = (cells: unknown): unknown =>
    [...(cells as readonly [string, ...unknown[]][])].sort(([a], [b]) => (a < b ? -1 : 1));
  const nodes = await neo4j.ask(`MATCH (n) WHERE ${isOurs('n')} RETURN labels(n), ${of('n')}`);
  const edges = await neo4j.ask(
    `MATCH (a)-[e]->(b) RETURN type(e), coalesce(a.id, a.n), coalesce(b.id, b.n), ${of('e')}`,
  );
  return sorted([...nodes, ...edges].map((row) => [...row.slice(0, -1), byName(row.at(-1))]));
}

/** The graph that the engine's own sink makes of the same events, and the rejected of them. */
async function engineGraph(): Promise<{ graph: readonly string[]; rejected: number }> {
  const driver = await createTopologyDriver(topology);
  await driver.push('seen', seen);
  await driver.advanceWatermark('max');
  const { url, user, password } = neo4j;
  const session = createNeo4jSession({ url, user, password });
  const folder = mkdtempSync(join(tmpdir(), 'sluice-graph-'));
  const sink = graphSink({
    database: cypherDatabase(session),
    model: graphOf(topology).model,
    staging: localBlobStore(folder),
    folder: 'staged',
    sink: 'pages/graph',
    run: runOf(1),
  });
  await sink.open(undefined);
  const writes = driver.read('graph').map(({ value }) => value);
  await sink.write(writesBatch(...writes));
  await sink.prepare(1, true);
  await sink.commit(1);
  await sink.close();
  await session.close();
  rmSync(folder, { recursive: true });
  return { graph: await wholeGraph(), rejected: driver.rejected().length };
}

function clusterTests(): void {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-flink-graph-'));
  const path = (name: string): string => join(dir, name);
  let flink: FlinkServer;
  let jar: string;

  beforeAll(async () => {
    flink = await startFlink({
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': 1_000,
      'restart-strategy.fixed-delay.delay': '200 ms',
    });
    ({ jar } = await builtJob({ harness: true }));
    writeFileSync(path('seen.ndjson'), seen.map((one) => `${JSON.stringify(one)}\n`).join(''));
    writeFileSync(path('password'), `${neo4j.password}\n`);
    mkdirSync(path('rejected'));
  }, buildMaxMs);
  afterAll(async () => {
    await flink?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const command = async (...args: readonly string[]): Promise<string> => {
    const { code, out, err } = await flinkCommand([
      ...['flink', ...args, '--url', flink.url, '--wait', '120s'],
    ]);
    expect([code, err]).toEqual([0, expect.anything()]);
    return out;
  };
  const submit = async (...args: readonly string[]): Promise<string> => {
    const settings = {
      parallelism: 1,
      checkpointIntervalMs: 200,
      batchRows: 8,
      sources: { seen: { connector: 'lines', path: path('seen.ndjson') } },
      sinks: {
        graph: {
          connector: 'neo4j',
          url: neo4j.url,
          passwordFile: path('password'),
          retryMaxMs: 500,
        },
      },
      rejected: { connector: 'lines', path: path('rejected') },
    };
    writeFileSync(path('settings.json'), JSON.stringify(settings));
    const file = join(root, 'test/deploy/flink/graph-topology.ts');
    const given = ['submit', file, '--settings', path('settings.json'), '--jar', jar];
    const out = await command(...given, ...args);
    return /job ([0-9a-f]{32})/.exec(out)?.[1] ?? '';
  };
  const asked = async (at: string): Promise<Record<string, unknown>> =>
    (await (await fetch(`${flink.url}/jobs/${at}`)).json()) as Record<string, unknown>;
  const state = async (job: string): Promise<unknown> => (await asked(job))['state'];
  const failures = async (job: string): Promise<string> =>
    JSON.stringify((await asked(`${job}/exceptions?maxExceptions=100`))['exceptionHistory']);
  const until = async (isSo: () => Promise<boolean>): Promise<void> => {
    while (!(await isSo())) await sleep(50);
  };
  const committed = async (): Promise<number> =>
    Number((await neo4j.ask('MATCH (s:SluiceSink) RETURN s.sluiceCheckpoint'))[0]?.[0] ?? 0);

  it('is the one that the engine writes, after the database was killed and the job restarted', async () => {
    const job = await submit();
    await until(async () => (await committed()) >= 2);
    await neo4j.kill();
    await until(async () => (await failures(job)).includes('graph-unreachable'));
    await neo4j.restart();
    await until(async () => (await state(job)) === 'FINISHED');
    const there = await wholeGraph();
    expect(await committed()).toBeGreaterThan(2);
    await neo4j.empty();
    const { graph, rejected } = await engineGraph();
    expect(rejected).toBeGreaterThan(0);
    expect(graph.length).toBeGreaterThan(100);
    expect(there).toEqual(graph);
  });

  it.skipIf(!isFull)(
    'is the one that the engine writes, from a savepoint that an older job went on behind',
    async () => {
      const first = await submit();
      await until(async () => (await committed()) >= 1);
      const saved = await command('savepoint', 'pages');
      const [, savepoint = ''] = /(file:\S+)/.exec(saved) ?? [];
      const at = await committed();
      await until(async () => (await committed()) > at + 1);
      await command('cancel', 'pages', '--job', first);
      const second = await submit('--from', savepoint);
      await until(async () => (await state(second)) === 'FINISHED');
      const there = await wholeGraph();
      await neo4j.empty();
      expect(there).toEqual((await engineGraph()).graph);
    },
  );

  it.skipIf(!isFull)(
    'is left to the newer job, and the older one ends without another start',
    async () => {
      const older = await submit();
      await until(async () => (await committed()) >= 1);
      const driver = boltDriver();
      await new Job(graphOf(topology).model, driver).open('another', 0, 0);
      await driver.close();
      await until(async () => (await state(older)) === 'FAILED');
      expect(await failures(older)).toContain('fenced');
    },
  );
}

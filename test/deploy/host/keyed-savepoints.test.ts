/**
 * State of a topology with every keyed kind, through its real host, whose keyed nodes run in one
 * thread, in two and in three, one after the other: by savepoints, by the last checkpoint, with
 * state of a later version, with a part of it dropped, in memory and on disk. What comes out is what
 * one thread gives.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import type { TopologyHost, TopologyHostStatus } from '../../../deploy/host/hosted-topology.ts';
import { topologyHost } from '../../../deploy/host/topology-host.ts';
import { TopologyNames } from '../../../deploy/host/topology-names.ts';
import type { WorkerInput } from '../../../deploy/host/worker-protocol.ts';
import type { EmbeddedStreams } from '../../../deploy/streams/embedded/embedded-log.ts';
import { openEmbeddedStreams } from '../../../deploy/streams/embedded/embedded-log.ts';
import { queryLake } from '../../../enrich/lake/query.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import type { JobStatus } from '../../../topology/index.ts';
import { streamConfig } from '../../ingest/support.ts';
import { recordOf } from './played-topology.ts';

/** \`version\`: of the state 'n'. */
const flow = (version: number): string => `
import { aggregator, count, list, schemaOf, session, stream, sum, table, topology, tumbling, value } from 'sluice';

interface Row { readonly n: number; readonly at: number; readonly key: string }
const told = schemaOf<{ sink: string; text: string }>({ $id: 'told', type: 'object', required: ['sink', 'text'], properties: { sink: { type: 'string' }, text: { type: 'string' } } });
const say = (sink: string) => (made: unknown) => ({ sink, text: JSON.stringify(made) });
const of: object = ${version === 1 ? '{}' : `{ version: ${version}, migrate: (old: number, from: number) => old + 1_000 * from }`};

export default topology('kept', { version: 1, owner: 'a/b' }, (t) => {
  const rows = t.source('in', stream('a/b'))
    .map((e) => e.data as Row)
    .eventTime('time', ({ at }) => at, { outOfOrderness: 0, idleAfter: '100ms', future: { max: 0 } });
  const once = rows.deduplicate('once', { by: ({ n }) => n, within: '30s', late: 'side' });
  const byKey = rows.keyBy(({ key }) => key);
  const windows = byKey.window('windows', tumbling('20s'), { late: 'side' }).aggregate({
    n: count(),
    own: aggregator<Row, number[], number>({
      create: () => [],
      add: (all, { n }) => { if (n % 50 === 7) throw new Error('seven'); return [...all, n]; },
      merge: (a, b) => [...a, ...b],
      result: (all) => all.reduce((most, n) => Math.max(most, n), 0),
    }),
  });
  const sessions = byKey.window('sessions', session('9s')).aggregate({ total: sum(({ n }: Row) => n) });
  const pairs = rows.filter(({ n }) => n % 2 === 0).keyBy(({ key }) => key).intervalJoin(
    'pairs',
    rows.filter(({ n }) => n % 2 === 1).keyBy(({ key }) => key),
    { lower: '-30s', upper: '30s', join: 'left', late: 'side' },
    (l, r) => ({ l: l.n, r: r?.n ?? null }),
  );
  const timed = byKey.process('timed', {
    state: { n: value<number>(of), seen: list<number>() },
    onElement: ({ n, at }, { state, timers }): readonly object[] => {
      state.n.set((state.n.get() ?? 0) + 1);
      state.seen.add(n);
      timers.event(at + 45_000);
      return [{ n, nth: state.n.get() ?? 0, seen: state.seen.get() }];
    },
    // Of what came until then: others may be in its turn, or not.
    onTimer: ({ at }, { state, key }): readonly object[] => [
      { key, at, seen: state.seen.get().filter((n) => 100_000 + n * 700 <= at) },
    ],
  });
  rows.map(say('none')).filter(() => false)
    .union('told',
      once.out.map(say('once')), once.late.map(say('once late')),
      windows.out.map(say('windows')), windows.late.map(say('windows late')),
      sessions.out.map(say('sessions')),
      pairs.out.map(say('pairs')), pairs.lateLeft.map(say('late left')), pairs.lateRight.map(say('late right')),
      timed.map(say('timed')))
    .sinkTo('rows', table('told', told));
});
`;

/** A start: over how many threads its keys are, how it begins, and what is sent then. */
interface Phase {
  readonly phases: readonly number[];
  readonly parallelism: number;
  /** `savepoint`: of the phase before. */
  readonly from: 'savepoint' | 'checkpoint';
  readonly version: number;
  readonly drop?: readonly string[];
  readonly onDisk?: true;
}

const eventsOfPhase = 60;
const rowsOfAnswer = 500;

const timeOf = (n: number): number => 100_000 + n * 700;

/** Those of a phase come in order, but for the first, which are behind all windows of before. */
function recordsOf(phase: number): ReturnType<typeof recordOf>[] {
  return Array.from({ length: eventsOfPhase }, (_, i) => {
    const n = phase * eventsOfPhase + i;
    const isLate = phase > 0 && i < 4;
    // Some were there before, the first of them in the phase before.
    const nOf = n > 10 && i % 10 === 5 ? n - 10 : n;
    return recordOf(n, { n: nOf, at: isLate ? 1_000 : timeOf(n), key: `k${(n * 5) % 11}` });
  });
}

class World {
  readonly #dir = mkdtempSync(join(tmpdir(), 'sluice-keyed-savepoints-'));
  #streams: EmbeddedStreams | undefined;
  #sent = 0;
  readonly told: string[] = [];
  host: TopologyHost | undefined;

  constructor() {
    onTestFinished(async () => {
      await this.host?.stop();
      await this.#streams?.close();
      rmSync(this.#dir, { recursive: true, force: true });
    });
  }

  get stateFolder(): string {
    return join(this.#dir, 'state');
  }

  async send(phase: number): Promise<void> {
    this.#sent += eventsOfPhase;
    await (await this.#opened()).writer('kinesis').write('a/b', recordsOf(phase));
  }

  async #opened(): Promise<EmbeddedStreams> {
    this.#streams ??= await openEmbeddedStreams({
      root: join(this.#dir, 'log'),
      streams: [streamConfig('a', 'b')],
      local: { kinesisShards: 1, kafkaPartitions: 1, retentionMaxBytes: 1e9, retentionMaxMs: 1e9 },
      clock: systemClock,
    });
    return this.#streams;
  }

  async start(
    { parallelism, version, drop = [], onDisk }: Phase,
    savepoint: string | undefined,
  ): Promise<void> {
    const file = join(this.#dir, 'topology.ts');
    writeFileSync(file, flow(version));
    const streams = { 'a/b': (await this.#opened()).handles('a/b') };
    const input: Omit<WorkerInput, 'script' | 'file' | 'goBack' | 'failure'> = {
      place: { kind: 'local', dir: this.#dir, streams, lookups: {}, parquetFileMaxAgeMs: 0 },
      checkpointIntervalMs: 200,
      functionMaxMs: 10_000,
      parallelism,
      dropState: drop.length === 0 ? {} : { kept: drop },
      ...(savepoint === undefined ? {} : { savepoints: { kept: savepoint } }),
      ...(onDisk === true ? { stateFolder: this.stateFolder } : {}),
    };
    this.host = topologyHost({
      file,
      buildDir: join(this.#dir, 'build'),
      input,
      names: new TopologyNames(),
      clock: systemClock,
      random: systemRandom,
      tell: (line) => this.told.push(line),
    });
    await this.host.start();
  }

  async #until(what: string, is: (status: TopologyHostStatus) => boolean): Promise<void> {
    for (let tries = 0; tries < 600; tries++) {
      const status = await this.host?.status();
      if (status !== undefined && is(status)) return;
      await sleep(30);
    }
    throw new Error(`it is not ${what}: ${this.told.join('\n')}`);
  }

  /** Also that time is where the last event is: what comes next is late, or not, for certain. */
  #isRead({ nodes }: JobStatus): boolean {
    const of = (node: string): JobStatus['nodes'][number] | undefined =>
      nodes.find(({ id }) => id === node);
    const last = timeOf(this.#sent - 1);
    return of('once')?.in === this.#sent && Number(of('windows')?.time?.watermark) >= last - 1;
  }

  /** Waits until everything that was sent is in its tables. */
  async settled(): Promise<TopologyHostStatus> {
    await this.#until(
      'settled',
      ({ state, job }) =>
        state === 'running' && job !== null && job.uncommittedRows === 0 && this.#isRead(job),
    );
    return (await this.host?.status()) as TopologyHostStatus;
  }

  async drain(): Promise<void> {
    await this.host?.drain();
    await this.#until('drained', ({ state }) => state === 'drained');
  }

  /** What an answer may have is far less than what there is. */
  async rows(sql: string): Promise<readonly unknown[]> {
    const all: unknown[] = [];
    for (let more = rowsOfAnswer; more === rowsOfAnswer; ) {
      const part = `${sql} LIMIT ${rowsOfAnswer} OFFSET ${all.length}`;
      const { rows } = await queryLake(join(this.#dir, 'lake'), part);
      all.push(...rows);
      more = rows.length;
    }
    return all;
  }
}

async function played(phases: readonly Phase[]): Promise<{
  readonly rows: readonly unknown[];
  readonly rejected: readonly unknown[];
  readonly parallelisms: readonly unknown[];
}> {
  const world = new World();
  const parallelisms: unknown[] = [];
  let savepoint: string | undefined;
  for (const [number, phase] of phases.entries()) {
    await world.start(phase, savepoint);
    for (const sent of phase.phases) {
      await world.send(sent);
      parallelisms.push((await world.settled()).job?.parallelism);
    }
    if (phase.onDisk === true)
      // The topology's own, and one of each thread for its keys.
      expect(readdirSync(world.stateFolder)).toHaveLength(1 + phase.parallelism);
    savepoint = phases[number + 1]?.from === 'savepoint' ? `after-${number}` : undefined;
    if (savepoint !== undefined) await world.host?.savepoint({ name: savepoint, again: false });
    if (number === phases.length - 1) await world.drain();
    await world.host?.stop();
  }
  return {
    rows: await world.rows('SELECT sink, text, count(*) FROM told GROUP BY ALL ORDER BY ALL'),
    rejected: await world.rows(
      'SELECT id, operator, code, data, count(*) FROM rejected GROUP BY ALL ORDER BY ALL',
    ),
    parallelisms,
  };
}

const one = { parallelism: 1, version: 1 } as const;

it('is restored by any number of threads, to the rows and rejections of one', {
  timeout: 240_000,
}, async () => {
  const dropped = ['timed#seen', 'sessions'];
  const phases: readonly Phase[] = [
    { ...one, from: 'checkpoint', phases: [0] },
    { ...one, from: 'savepoint', parallelism: 2, onDisk: true, phases: [1] },
    { ...one, from: 'savepoint', parallelism: 3, version: 2, phases: [2] },
    { ...one, from: 'checkpoint', parallelism: 2, version: 2, drop: dropped, phases: [3] },
    { ...one, from: 'savepoint', version: 2, phases: [4] },
  ];
  const several = await played(phases);
  // One thread starts again only where another topology, or less of its state, is to run.
  const alone = await played([
    { ...one, from: 'checkpoint', phases: [0, 1] },
    { ...one, from: 'checkpoint', version: 2, phases: [2] },
    { ...one, from: 'checkpoint', version: 2, drop: dropped, phases: [3, 4] },
  ]);
  expect(several.parallelisms).toEqual([1, 2, 3, 2, 1]);
  expect(several.rows).toEqual(alone.rows);
  expect(several.rejected).toEqual(alone.rejected);
  const bySink = new Map<unknown, number>();
  for (const row of alone.rows as readonly (readonly unknown[])[])
    bySink.set(row[0], (bySink.get(row[0]) ?? 0) + 1);
  for (const sink of [
    'once',
    'once late',
    'windows',
    'windows late',
    'sessions',
    'pairs',
    'late left',
    'timed',
  ])
    expect([sink, (bySink.get(sink) ?? 0) > 2]).toEqual([sink, true]);
  expect(alone.rejected.length).toBeGreaterThan(2);
  // What was migrated counts on: version 1 kept a count, version 2 a thousand more.
  expect(JSON.stringify(alone.rows)).toContain('\\"nth\\":10');
});

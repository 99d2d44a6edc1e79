/**
 * A job with windows, a join, a process and a union: through a crash at every step, and drained at
 * its end, it gives what a calm run gives.
 */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Job, Topology } from '../../../topology/index.ts';
import {
  count,
  createJob,
  list,
  rejected,
  schemaOf,
  session,
  stream,
  sum,
  table,
  topology,
  tumbling,
  value,
} from '../../../topology/index.ts';
import type { World } from '../support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

interface Click {
  readonly user: string;
  readonly price: number;
  readonly at: number;
}

const click = schemaOf<Click>({
  $id: 'https://sluice.example/test/click',
  type: 'object',
  properties: { user: { type: 'string' } },
});
const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/any',
  type: 'object',
  properties: { user: { type: 'string' } },
});

function shop(): Topology {
  return topology('shop', { version: 1, owner: 'a/b' }, (t) => {
    const source = (id: string, name: string) =>
      t
        .source(id, stream(name))
        .validate(`${id}-valid`, click)
        .eventTime(`${id}-time`, (e) => e.data.at, {
          outOfOrderness: '1s',
          idleAfter: 0,
          future: { max: 0 },
        })
        .deduplicate(`${id}-once`, { by: (e) => e.id, within: '1h' })
        .map((e) => e.data);
    const clicks = source('clicks', 'a/b');
    const views = source('views', 'a/c');
    const windows = clicks
      .keyBy((c) => c.user)
      .window('windows', tumbling('10s'), { late: 'side' })
      .aggregate({ n: count(), total: sum((c) => c.price) });
    windows.out.sinkTo('windows-table', table('windows', anyRow));
    windows.late.sinkTo('late', rejected());
    clicks
      .keyBy((c) => c.user)
      .window('sessions', session('3s'))
      .aggregate({ n: count() })
      .out.sinkTo('sessions-table', table('sessions', anyRow));
    clicks
      .keyBy((c) => c.user)
      .intervalJoin(
        'joined',
        views.keyBy((v) => v.user),
        { lower: '-2s', upper: '2s', join: 'left' },
        (c, v) => ({
          user: c.user,
          clicked: c.at,
          viewed: v?.at ?? null,
        }),
      )
      .out.sinkTo('joined-table', table('joined', anyRow));
    clicks
      .union('all', views)
      .keyBy((c) => c.user)
      .process('runs', {
        state: { seen: value<number>(), times: list<number>() },
        onElement: (c, ctx) => {
          ctx.state.seen.set((ctx.state.seen.get() ?? 0) + 1);
          ctx.state.times.add(c.at);
          ctx.timers.event(Math.floor(c.at / 5_000) * 5_000 + 5_000);
          return [];
        },
        onTimer: (timer, ctx) => [
          {
            user: ctx.key,
            at: timer.at,
            seen: ctx.state.seen.get() ?? 0,
            times: [...ctx.state.times.get()].sort((a, b) => a - b).join(' '),
          },
        ],
      })
      // Elements of two streams come in any order; what holds in each is the number of those before
      // the timer.
      .map((r) => ({
        user: r.user,
        at: r.at,
        before: r.times.split(' ').filter((at) => Number(at) < r.at).length,
      }))
      .sinkTo('runs-table', table('runs', anyRow));
  });
}

const tables = ['windows', 'sessions', 'joined', 'runs'] as const;

function fill(made: World, from: number, to: number): void {
  const [clicks, views] = [made.streams['a/b'], made.streams['a/c']];
  if (clicks === undefined || views === undefined) throw new Error('no stream');
  for (let n = from; n < to; n++) {
    const user = `u${n % 3}`;
    put(
      clicks,
      n % 2,
      event(`c${n}`, { user, price: n / 10, at: n * 700 - (n % 4) * 300 + 5_000 }),
    );
    if (n % 2 === 0) {
      put(
        views,
        0,
        event(`v${n}`, { user, price: 0, at: n * 650 + 4_000 }, { app: 'c', source: '/a/c' }),
      );
    }
  }
}

interface Rig {
  readonly made: World;
  readonly clock: ReturnType<typeof manualClock>;
  start(): Job;
}

function rig(maxRecords = 7, topologyOf: () => Topology = shop): Rig {
  const made = world({
    'a/b': memoryStream(['kinesis', 'shard-0'], ['kinesis', 'shard-1']),
    'a/c': memoryStream(['kinesis', 'shard-0']),
  });
  const blobs = memoryBlobs();
  const clock = manualClock(5_000_000);
  return {
    made,
    clock,
    start: () =>
      createJob({
        topology: topologyOf(),
        blobs,
        connectors: made.connectors,
        clock,
        random: seededRandom(1),
        checkpointIntervalMs: 0,
        turnBounds: { maxRecords, maxBytes: 1e6 },
      }),
  };
}

/** Runs a job until it is drained. */
async function runDrained(job: Job, { clock }: Rig): Promise<void> {
  await job.open();
  let ended = false;
  const running = job.run().finally(() => {
    ended = true;
  });
  running.catch(() => undefined);
  await job.drain();
  while (!ended) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(50);
  }
  try {
    await running;
  } finally {
    await job.close();
  }
}

function landed({ made }: Rig): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    tables.map((name) => [
      name,
      (made.tables[name]?.visible ?? []).map((row) => JSON.stringify(row)).sort(),
    ]),
  );
}

describe('a job with keyed state', () => {
  it('gives the same windows, pairs and timers through a crash at every step and with any batches', async () => {
    const calm = rig();
    fill(calm.made, 0, 40);
    await runDrained(calm.start(), calm);
    const expected = landed(calm);
    expect(expected['windows']?.length).toBeGreaterThan(6);
    expect(expected['joined']?.length).toBeGreaterThan(40);
    expect(expected['runs']?.length).toBeGreaterThan(6);
    expect(calm.made.tables['rejected']?.visible).toEqual([]);

    for (const maxRecords of [1, 3, 100]) {
      const other = rig(maxRecords);
      fill(other.made, 0, 40);
      await runDrained(other.start(), other);
      expect(landed(other), `turns of ${maxRecords}`).toEqual(expected);
    }
    const steps = calm.made.actions.length;
    for (let at = 1; at < steps; at++) {
      const rigged = rig();
      fill(rigged.made, 0, 40);
      let taken = 0;
      rigged.made.crash = () => {
        if (++taken === at) throw new SluiceError('worker-ended', `killed at step ${at}`);
      };
      await runDrained(rigged.start(), rigged).catch((thrown: unknown) =>
        expect((thrown as SluiceError).code).toBe('worker-ended'),
      );
      await runDrained(rigged.start(), rigged);
      expect(landed(rigged), `killed at step ${at}`).toEqual(expected);
    }
  }, 60_000);

  it('drained, reads to where the streams ended at the call, and the next run begins with empty state after it', async () => {
    const rigged = rig();
    fill(rigged.made, 0, 20);
    const job = rigged.start();
    await job.open();
    const running = job.run();
    await job.drain();
    fill(rigged.made, 20, 40);
    for (let i = 0; i < 500; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      rigged.clock.advance(50);
    }
    await running;
    const status = await job.status();
    expect(status.drained).toBe(true);
    expect(status.splits.map((split) => split.lag)).toEqual([10, 10, 10]);
    expect(status.uncommittedRows).toBe(0);
    await job.close();
    const first = landed(rigged)['windows'] ?? [];
    expect(first.reduce((sum, row) => sum + (JSON.parse(row) as { n: number }).n, 0)).toBe(20);

    await runDrained(rigged.start(), rigged);
    const all = landed(rigged)['windows'] ?? [];
    expect(all.reduce((sum, row) => sum + (JSON.parse(row) as { n: number }).n, 0)).toBe(40);
    expect(rigged.made.tables['rejected']?.visible).toEqual([]);
  });

  it('a split that was idle and got records while nothing ran is not overtaken by the others', async () => {
    const topologyOf = (): Topology =>
      topology('idle', { version: 1, owner: 'a/b' }, (t) => {
        const windows = t
          .source('clicks', stream('a/b'))
          .validate('valid', click)
          .eventTime('time', (e) => e.data.at, {
            outOfOrderness: '1s',
            idleAfter: '1s',
            future: { max: 0 },
          })
          .keyBy((e) => e.data.user)
          .window('windows', tumbling('10s'), { late: 'side' })
          .aggregate({ n: count() });
        windows.out.sinkTo('table', table('idle_windows', anyRow));
        windows.late.sinkTo('late', rejected());
      });
    const rigged = rig(50, topologyOf);
    const clicks = rigged.made.streams['a/b'];
    if (clicks === undefined) throw new Error('no stream');
    const at = (ms: number): Click => ({ user: 'u', price: 1, at: ms });
    put(clicks, 1, event('first', at(0)));
    for (let n = 0; n < 100; n++) put(clicks, 0, event(`a${n}`, at(n * 1_000)));
    const job = rigged.start();
    await job.open();
    const running = job.run();
    const idle = async (): Promise<boolean> => (await job.status()).splits[1]?.idle === true;
    for (let i = 0; i < 2_000 && !(await idle()); i++) {
      await new Promise((resolve) => setImmediate(resolve));
      rigged.clock.advance(50);
    }
    expect(await idle()).toBe(true);
    job.stop();
    await running;
    await job.close();

    for (let n = 100; n < 200; n++) put(clicks, 0, event(`a${n}`, at(n * 1_000)));
    for (let n = 100; n < 110; n++) put(clicks, 1, event(`b${n}`, at(n * 1_000)));
    await runDrained(rigged.start(), rigged);
    expect(rigged.made.tables['rejected']?.visible).toEqual([]);
    const rows = (rigged.made.tables['idle_windows']?.visible ?? []) as { readonly n: number }[];
    expect(rows.reduce((sum, row) => sum + row.n, 0)).toBe(211);
  });

  it('stopped without a drain gives out nothing that still waits, and goes on later', async () => {
    const rigged = rig();
    fill(rigged.made, 0, 40);
    const job = rigged.start();
    await job.open();
    const running = job.run();
    for (let i = 0; i < 200; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      rigged.clock.advance(50);
    }
    const held = (await job.status()).nodes.find(({ id }) => id === 'windows');
    job.stop();
    await running;
    await job.close();
    const before = (landed(rigged)['windows'] ?? []).length;
    expect(before).toBeGreaterThan(0);
    expect(held?.time).toMatchObject({ open: 3 });
    expect(held?.time?.heldBy).toMatchObject({ eventTime: 'clicks-time', outOfOrdernessMs: 1_000 });

    const calm = rig();
    fill(calm.made, 0, 40);
    await runDrained(calm.start(), calm);
    await runDrained(rigged.start(), rigged);
    expect(landed(rigged)).toEqual(landed(calm));
  });
});

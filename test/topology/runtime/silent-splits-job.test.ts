/**
 * Splits that say nothing, and why: only one that was read to its end is silent. As shipped before,
 * a burst after a quiet time lost half of its events, as the split that was read first carried time
 * past what waited in the others; a restart after a quiet hour lost as much.
 */
import { describe, expect, it } from 'vitest';
import { manualClock, sleep } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Job, Topology } from '../../../topology/index.ts';
import {
  asyncLookup,
  count,
  createJob,
  rejected,
  schemaOf,
  stream,
  table,
  topology,
  tumbling,
} from '../../../topology/index.ts';
import type { MemoryStream, World } from '../support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

interface Data {
  readonly at: number;
}

const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/any-row',
  type: 'object',
  properties: { id: { type: 'string' } },
});
const data = schemaOf<Data>({
  $id: 'https://sluice.example/test/at',
  type: 'object',
  properties: { at: { type: 'integer' } },
});
const time = { outOfOrderness: '10s', idleAfter: '30s', future: { max: 0 } } as const;

/** Minutes of one stream. */
const minutes = topology('minutes', { version: 1, owner: 'a/b' }, (t) => {
  const windows = t
    .source('events', stream('a/b'))
    .validate('valid', data)
    .eventTime('time', (e) => e.data.at, time)
    .keyBy(() => 'all')
    .window('windows', tumbling('1m'), { late: 'side' })
    .aggregate({ n: count() });
  windows.out.map(({ n }) => ({ n })).sinkTo('counts', table('counts', anyRow));
  windows.late.sinkTo('late', rejected());
});

/** Minutes of two streams as one. */
const united = topology('united', { version: 1, owner: 'a/b' }, (t) => {
  const timed = (id: string, name: string) =>
    t
      .source(id, stream(name))
      .validate(`${id}-valid`, data)
      .eventTime(`${id}-time`, (e) => e.data.at, time);
  const windows = timed('left', 'a/b')
    .union('both', timed('right', 'a/c'))
    .keyBy(() => 'all')
    .window('windows', tumbling('1m'), { late: 'side' })
    .aggregate({ n: count() });
  windows.out.map(({ n }) => ({ n })).sinkTo('counts', table('counts', anyRow));
  windows.late.sinkTo('late', rejected());
});

/** Every left event meets the right one of its time. */
const joined = topology('joined', { version: 1, owner: 'a/b' }, (t) => {
  const keyed = (id: string, name: string) =>
    t
      .source(id, stream(name))
      .validate(`${id}-valid`, data)
      .eventTime(`${id}-time`, (e) => e.data.at, time)
      .keyBy((e) => e.data.at);
  const pairs = keyed('left', 'a/b').intervalJoin(
    'join',
    keyed('right', 'a/c'),
    { lower: 0, upper: 0, late: 'side' },
    () => ({ n: 1 }),
  );
  pairs.out.sinkTo('counts', table('counts', anyRow));
  pairs.lateLeft.sinkTo('late-left', rejected());
  pairs.lateRight.sinkTo('late-right', rejected());
});

interface Rig {
  readonly made: World;
  readonly clock: ReturnType<typeof manualClock>;
  start(): Job;
}

function rigOf(of: Topology, splits: number): Rig {
  const names = Array.from({ length: splits }, (_, n) => ['kinesis', `${n}`] as const);
  const made = world({ 'a/b': memoryStream(...names), 'a/c': memoryStream(...names) });
  const clock = manualClock(5_000_000);
  const blobs = memoryBlobs();
  const start = (): Job =>
    createJob({
      topology: of,
      blobs,
      connectors: made.connectors,
      clock,
      random: seededRandom(1),
      checkpointIntervalMs: 500,
    });
  return { made, clock, start };
}

function streamOf({ made }: Rig, name: string): MemoryStream {
  const found = made.streams[name];
  if (found === undefined) throw new Error('no stream');
  return found;
}

/** Events with times in the order of `times`, dealt out to the splits: as one sender sends them. */
function send(rig: Rig, name: string, splits: readonly number[], times: readonly number[]): void {
  const [, app = ''] = name.split('/');
  for (const [n, at] of times.entries()) {
    put(
      streamOf(rig, name),
      splits[n % splits.length] ?? 0,
      event(`${name}@${at}`, { at }, { app, source: `/${name}` }),
    );
  }
}

async function pass({ clock }: Rig, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(50);
  }
}

const rowsOf = ({ made }: Rig): number =>
  (made.tables['counts']?.visible ?? []).reduce(
    (sum: number, row) => sum + (row as { readonly n: number }).n,
    0,
  );
const lateOf = ({ made }: Rig): number => made.tables['rejected']?.visible.length ?? 0;
const seconds = (from: number, n: number): readonly number[] =>
  Array.from({ length: n }, (_, i) => (from + i) * 1_000);

async function opened(rig: Rig): Promise<{ readonly job: Job; readonly running: Promise<void> }> {
  const job = rig.start();
  await job.open();
  return { job, running: job.run() };
}

async function drained(
  rig: Rig,
  { job, running }: { readonly job: Job; readonly running: Promise<void> },
): Promise<void> {
  await job.drain();
  await pass(rig, 5_000);
  await running;
  await job.close();
}

async function stopped(
  rig: Rig,
  { job, running }: { readonly job: Job; readonly running: Promise<void> },
): Promise<void> {
  job.stop();
  await pass(rig, 500);
  await running;
  await job.close();
}

const idleOf = async (job: Job): Promise<readonly boolean[]> =>
  (await job.status()).splits.map(({ idle }) => idle);

describe('a burst after a quiet time', () => {
  it('over the splits of a stream is counted whole, whichever split is read first', async () => {
    for (const first of [0, 1, 2]) {
      const rig = rigOf(minutes, 4);
      const order = [0, 1, 2].map((n) => (first + n) % 3);
      const run = await opened(rig);
      send(rig, 'a/b', order, seconds(0, 30));
      await pass(rig, 35_000);
      expect(await idleOf(run.job)).toEqual([true, true, true, true]);
      send(rig, 'a/b', order, seconds(60, 480));
      await pass(rig, 60_000);
      send(rig, 'a/b', order, seconds(600, 480));
      await pass(rig, 5_000);
      await drained(rig, run);
      expect(lateOf(rig)).toBe(0);
      expect(rowsOf(rig)).toBe(990);
    }
  });

  it('does not stop time: what is silent is asked again, and time goes on', async () => {
    const rig = rigOf(minutes, 4);
    const run = await opened(rig);
    send(rig, 'a/b', [0], seconds(0, 30));
    await pass(rig, 35_000);
    send(rig, 'a/b', [0], seconds(60, 480));
    await pass(rig, 3_000);
    expect(rowsOf(rig)).toBe(30 + 420);
    await drained(rig, run);
    expect(rowsOf(rig)).toBe(510);
  });

  it.each([
    ['a union', united, 1_080],
    ['a join', joined, 540],
  ] as const)('into both inputs of %s is whole', async (_name, of, rows) => {
    const rig = rigOf(of, 2);
    const run = await opened(rig);
    for (const [from, n] of [
      [0, 60],
      [60, 480],
    ] as const) {
      for (const name of ['a/b', 'a/c']) send(rig, name, [0, 1], seconds(from, n));
      await pass(rig, 35_000);
    }
    await drained(rig, run);
    expect(lateOf(rig)).toBe(0);
    expect(rowsOf(rig)).toBe(rows);
  });
});

describe('a look-up before event time', () => {
  it('is not silence: what waits in it is not overtaken by the other side of a join', async () => {
    let clock: Rig['clock'] | undefined;
    const slow = topology('slow', { version: 1, owner: 'a/b' }, (t) => {
      const opened = (id: string, name: string) =>
        t.source(id, stream(name)).validate(`${id}-valid`, data);
      const left = opened('left', 'a/b')
        .eventTime('left-time', (e) => e.data.at, time)
        .keyBy((e) => e.data.at);
      const right = opened('right', 'a/c')
        .lookup(
          'slow',
          asyncLookup(() => sleep(clock ?? manualClock(0), 4_000)),
          { by: (e) => e.id, capacity: 1_000, timeout: '1m' },
          (e) => e,
        )
        .eventTime('right-time', (e) => e.data.at, time)
        .keyBy((e) => e.data.at);
      const pairs = left.intervalJoin('join', right, { lower: 0, upper: 0, late: 'side' }, () => ({
        n: 1,
      }));
      pairs.out.sinkTo('counts', table('counts', anyRow));
      pairs.lateLeft.sinkTo('late-left', rejected());
      pairs.lateRight.sinkTo('late-right', rejected());
    });
    const rig = rigOf(slow, 2);
    clock = rig.clock;
    const run = await opened(rig);
    for (const name of ['a/b', 'a/c']) send(rig, name, [0, 1], seconds(0, 60));
    await pass(rig, 60_000);
    expect(await idleOf(run.job)).toEqual([true, true, true, true]);
    for (const name of ['a/b', 'a/c']) send(rig, name, [0, 1], seconds(60, 480));
    await pass(rig, 20_000);
    await drained(rig, run);
    expect(lateOf(rig)).toBe(0);
    expect(rowsOf(rig)).toBe(540);
  });
});

describe('a restart after a quiet time', () => {
  it.each([
    ['a stream of two splits', minutes, ['a/b'], 2_060],
    ['a union', united, ['a/b', 'a/c'], 4_120],
    ['a join', joined, ['a/b', 'a/c'], 2_060],
  ] as const)('overtakes nothing that came meanwhile (%s)', async (_name, of, names, rows) => {
    const rig = rigOf(of, 2);
    let run = await opened(rig);
    for (const name of names) send(rig, name, [0, 1], seconds(0, 60));
    await pass(rig, 40_000);
    expect((await idleOf(run.job)).every((idle) => idle)).toBe(true);
    await stopped(rig, run);
    rig.clock.advance(3_600_000);
    for (const name of names) send(rig, name, [0, 1], seconds(100, 2_000));
    run = await opened(rig);
    await pass(rig, 5_000);
    await drained(rig, run);
    expect(lateOf(rig)).toBe(0);
    expect(rowsOf(rig)).toBe(rows);
  });

  it('overtakes no input of a union that was awake and had not caught up', async () => {
    const rig = rigOf(united, 1);
    let run = await opened(rig);
    send(rig, 'a/b', [0], seconds(80, 21));
    send(rig, 'a/c', [0], seconds(80, 1));
    await pass(rig, 40_000);
    expect(await idleOf(run.job)).toEqual([true, true]);
    // Both awake, the second at 85 s: behind the 90 s that were given out when both were idle.
    send(rig, 'a/b', [0], seconds(101, 1));
    send(rig, 'a/c', [0], seconds(95, 1));
    await pass(rig, 3_000);
    await stopped(rig, run);
    send(rig, 'a/b', [0], seconds(200, 1_000));
    send(rig, 'a/c', [0], seconds(110, 1_000));
    run = await opened(rig);
    await pass(rig, 5_000);
    await drained(rig, run);
    expect(lateOf(rig)).toBe(0);
    expect(rowsOf(rig)).toBe(2_024);
  });

  it('counts no time in which it did not run as quiet', async () => {
    const rig = rigOf(minutes, 2);
    let run = await opened(rig);
    send(rig, 'a/b', [0, 1], seconds(0, 2));
    await pass(rig, 20_000);
    await stopped(rig, run);
    rig.clock.advance(3_600_000);
    run = await opened(rig);
    await pass(rig, 5_000);
    expect(await idleOf(run.job)).toEqual([false, false]);
    await pass(rig, 26_000);
    expect(await idleOf(run.job)).toEqual([true, true]);
    await drained(rig, run);
  });
});

describe('a split', () => {
  const faults = [
    ['unreachable', 'unreadable'],
    ['silent', 'slow'],
    ['throttled', 'slow'],
  ] as const;

  it.each(faults)(
    'that is %s does not fall idle, holds time, and is named',
    async (fault, hearing) => {
      const rig = rigOf(minutes, 2);
      const run = await opened(rig);
      send(rig, 'a/b', [0, 1], seconds(0, 2));
      await pass(rig, 1_000);
      const split = streamOf(rig, 'a/b').splits[1];
      if (split === undefined) throw new Error('no split');
      split.fault = fault;
      send(rig, 'a/b', [1], seconds(61, 1));
      send(rig, 'a/b', [0], seconds(60, 120));
      await pass(rig, 60_000);
      const { splits, nodes } = await run.job.status();
      expect(splits.map((each) => [each.idle, each.hearing])).toEqual([
        [true, 'caught-up'],
        [false, hearing],
      ]);
      expect(nodes.find(({ id }) => id === 'windows')?.time?.heldBy).toMatchObject({
        split: 'events kinesis 1',
      });
      expect(rowsOf(rig)).toBe(0);
      await stopped(rig, run);
    },
  );

  it.each(faults)(
    'that is idle and then %s holds time until it is read',
    async (fault, hearing) => {
      const rig = rigOf(minutes, 2);
      const run = await opened(rig);
      send(rig, 'a/b', [0, 1], seconds(0, 2));
      await pass(rig, 35_000);
      const split = streamOf(rig, 'a/b').splits[1];
      if (split === undefined) throw new Error('no split');
      split.fault = fault;
      await pass(rig, 5_000);
      send(rig, 'a/b', [0, 1], seconds(60, 240));
      await pass(rig, 60_000);
      const { splits, nodes } = await run.job.status();
      expect(splits[1]).toMatchObject({ hearing });
      expect(nodes.find(({ id }) => id === 'windows')?.time?.heldBy).toMatchObject({
        split: 'events kinesis 1',
        unheard: true,
      });
      expect(rowsOf(rig)).toBe(0);
      if (fault === 'silent') return stopped(rig, run);
      delete split.fault;
      await pass(rig, 10_000);
      await drained(rig, run);
      expect(lateOf(rig)).toBe(0);
      expect(rowsOf(rig)).toBe(242);
    },
  );

  it('that is not listed any more has ended, and holds nothing back', async () => {
    const rig = rigOf(
      topology('unlisted', { version: 1, owner: 'a/b' }, (t) => {
        const windows = t
          .source('events', stream('a/b'))
          .validate('valid', data)
          .eventTime('time', (e) => e.data.at, { ...time, idleAfter: 0 })
          .keyBy(() => 'all')
          .window('windows', tumbling('1m'))
          .aggregate({ n: count() });
        windows.out.map(({ n }) => ({ n })).sinkTo('counts', table('counts', anyRow));
      }),
      2,
    );
    const run = await opened(rig);
    send(rig, 'a/b', [0, 1], seconds(0, 20));
    await pass(rig, 1_000);
    send(rig, 'a/b', [0], seconds(60, 60));
    streamOf(rig, 'a/b').splits.pop();
    await pass(rig, 35_000);
    expect(rowsOf(rig)).toBe(20);
    expect((await run.job.status()).splits.map(({ split }) => split)).toEqual(['0']);
    await stopped(rig, run);
  });
});

describe('one stream as two sources', () => {
  it('is two places in it: what one has read far ahead makes nothing late that the other has not read', async () => {
    const rig = rigOf(
      topology('twice', { version: 1, owner: 'a/b' }, (t) => {
        const low = t.source('low', stream('a/b')).validate('low-valid', data);
        const high = t.source('high', stream('a/b')).validate('high-valid', data);
        const windows = low
          .union('all', high)
          .eventTime('time', (e) => e.data.at, time)
          .keyBy(() => 'all')
          .window('windows', tumbling('1m'), { late: 'side' })
          .aggregate({ n: count() });
        windows.out.map(({ n }) => ({ n })).sinkTo('counts', table('counts', anyRow));
        windows.late.sinkTo('late', rejected());
      }),
      2,
    );
    send(rig, 'a/b', [0, 1], seconds(0, 3_000));
    const run = await opened(rig);
    await pass(rig, 5_000);
    expect((await run.job.status()).splits).toHaveLength(4);
    await drained(rig, run);
    expect(lateOf(rig)).toBe(0);
    expect(rowsOf(rig)).toBe(6_000);
  });
});

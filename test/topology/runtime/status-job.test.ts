/**
 * What a job says of itself: bounded, whatever it reads, and never a harm to it, whatever its
 * streams answer.
 */
import { expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { RecordReader } from '../../../schemas/ports/record-reader.ts';
import type { Job, JobNews } from '../../../topology/index.ts';
import {
  count,
  createJob,
  schemaOf,
  stream,
  table,
  topology,
  tumbling,
} from '../../../topology/index.ts';
import { lagCallsMax } from '../../../topology/runtime/lags.ts';
import { splitAlarmMs } from '../../../topology/runtime/split-watch.ts';
import type { World } from '../support.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/any-row',
  type: 'object',
  properties: { id: { type: 'string' } },
});
const data = schemaOf<{ at: number }>({
  $id: 'https://sluice.example/test/at',
  type: 'object',
  properties: { at: { type: 'integer' } },
});

const minutes = topology('minutes', { version: 1, owner: 'a/b' }, (t) => {
  const windows = t
    .source('events', stream('a/b'))
    .validate('valid', data)
    .eventTime('time', (e) => e.data.at, { outOfOrderness: 0, future: { max: 0 } })
    .keyBy(() => 'all')
    .window('windows', tumbling('1m'))
    .aggregate({ n: count() });
  windows.out.map(({ n }) => ({ n })).sinkTo('counts', table('counts', anyRow));
});

interface Rig {
  readonly made: World;
  readonly clock: ReturnType<typeof manualClock>;
  readonly news: JobNews[];
  readonly job: Job;
}

function rigOf(
  splits: number,
  change: (reader: RecordReader) => RecordReader = (reader) => reader,
): Rig {
  const made = world({
    'a/b': memoryStream(...Array.from({ length: splits }, (_, n) => ['kinesis', `s${n}`] as const)),
  });
  const clock = manualClock(5_000_000);
  const news: JobNews[] = [];
  const { connectors } = made;
  const job = createJob({
    topology: minutes,
    blobs: memoryBlobs(),
    connectors: {
      ...connectors,
      readers: async (...given) => (await connectors.readers(...given)).map(change),
    },
    clock,
    random: seededRandom(1),
    checkpointIntervalMs: 500,
    tell: (told) => news.push(told),
  });
  return { made, clock, news, job };
}

async function pass({ clock }: Rig, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(50);
  }
  await new Promise((resolve) => setImmediate(resolve));
}

/** Waits as long as it takes, on the clock of the job. */
async function answered<T>(rig: Rig, asked: Promise<T>): Promise<T> {
  let answer: { readonly value: T } | undefined;
  void asked.then((value) => {
    answer = { value };
  });
  for (let tries = 0; tries < 200 && answer === undefined; tries++) await pass(rig, 50);
  if (answer === undefined) throw new Error('no answer');
  return answer.value;
}

it('is asked before it opens, while it opens and a thousand times at once, and goes on', async () => {
  const rig = rigOf(3);
  expect(await rig.job.status()).toMatchObject({
    splits: [],
    totals: { splits: 0, lag: null },
    checkpoint: null,
  });
  const opening = rig.job.open();
  const during = rig.job.status();
  await opening;
  await during;
  const running = rig.job.run();
  const to = rig.made.streams['a/b'];
  if (to === undefined) throw new Error('no stream');
  for (let n = 0; n < 30; n++) put(to, n % 3, event(`e${n}`, { at: n }));
  const asked = Array.from({ length: 1_000 }, () => rig.job.status());
  await pass(rig, 3_000);
  expect((await Promise.all(asked)).every(({ name }) => name === 'minutes')).toBe(true);
  expect(await answered(rig, rig.job.status())).toMatchObject({
    totals: { splits: 3, lag: 0, unheard: 0 },
  });
  rig.job.stop();
  await pass(rig, 500);
  await running;
  await rig.job.close();
});

it('does not end of a stream that answers a question about it in any other way than it should', async () => {
  const faults: readonly (() => Promise<number | undefined>)[] = [
    () => Promise.reject(new TypeError('a defect of the reader')),
    () => {
      throw new Error('thrown at once');
    },
    () => new Promise(() => undefined),
  ];
  for (const lag of faults) {
    const rig = rigOf(2, (reader) => ({ ...reader, lag }));
    await rig.job.open();
    let ended = false;
    const running = rig.job.run().finally(() => {
      ended = true;
    });
    const status = await answered(rig, rig.job.status());
    expect(status.totals).toMatchObject({ splits: 2, lag: null });
    await pass(rig, 1_000);
    expect(ended).toBe(false);
    rig.job.stop();
    await pass(rig, 500);
    await running;
    await rig.job.close();
  }
});

it('asks few splits at once how far they are, and tells of very many in bounds, those first that hold time', async () => {
  let asking = 0;
  let most = 0;
  const rig = rigOf(limits.statusSplitsMax + 100, (reader) => ({
    ...reader,
    lag: async (split, after) => {
      most = Math.max(most, ++asking);
      await Promise.resolve();
      asking--;
      return reader.lag(split, after);
    },
  }));
  const last = rig.made.streams['a/b']?.splits.at(-1);
  if (last === undefined) throw new Error('no split');
  last.fault = 'unreachable';
  await rig.job.open();
  const running = rig.job.run();
  await pass(rig, 1_500);
  const { splits, totals } = await answered(rig, rig.job.status());
  expect(most).toBeLessThanOrEqual(lagCallsMax);
  expect(splits).toHaveLength(limits.statusSplitsMax);
  expect(splits[0]).toMatchObject({ split: last.split, hearing: 'unreadable' });
  expect(totals).toMatchObject({ splits: limits.statusSplitsMax + 100, unheard: 1 });
  rig.job.stop();
  await pass(rig, 500);
  await running;
  await rig.job.close();
});

it('tells once of splits that cannot be read for long, with the reason, and once when they are read again; short ones are told to nobody', async () => {
  const rig = rigOf(3);
  const splits = rig.made.streams['a/b']?.splits ?? [];
  const set = (fault: 'unreachable' | undefined): void => {
    for (const split of splits.slice(0, 2)) {
      if (fault === undefined) delete split.fault;
      else split.fault = fault;
    }
  };
  await rig.job.open();
  const running = rig.job.run();
  await pass(rig, 1_000);
  set('unreachable');
  await pass(rig, splitAlarmMs / 2);
  set(undefined);
  await pass(rig, 5_000);
  const ofSplits = (): readonly JobNews[] =>
    rig.news.filter(({ kind }) => kind.startsWith('splits'));
  expect(ofSplits()).toEqual([]);
  set('unreachable');
  await pass(rig, 60_000);
  expect(ofSplits()).toEqual([
    expect.objectContaining({
      kind: 'splits-unheard',
      stream: 'a/b',
      splits: ['s0', 's1'],
      count: 2,
      hearing: 'unreadable',
      why: 'nobody answers',
    }),
  ]);
  expect((await rig.job.status()).splits[0]?.unheardSinceMs).toBeGreaterThan(5_000_000);
  set(undefined);
  await pass(rig, 5_000);
  expect(ofSplits()).toHaveLength(2);
  expect(ofSplits()[1]).toMatchObject({ kind: 'splits-heard', count: 2 });
  expect((await rig.job.status()).splits.map(({ unheardSinceMs }) => unheardSinceMs)).toEqual([
    null,
    null,
    null,
  ]);
  rig.job.stop();
  await pass(rig, 500);
  await running;
  await rig.job.close();
});

it('names the sink that a turn waits for, tells of it once it lasts, and of its end', async () => {
  const rig = rigOf(1);
  const to = rig.made.streams['a/b'];
  if (to === undefined) throw new Error('no stream');
  const { connectors } = rig.made;
  let release = (): void => undefined;
  const slow = createJob({
    topology: topology('slow', { version: 1, owner: 'a/b' }, (t) => {
      t.source('events', stream('a/b'))
        .map(() => ({}))
        .sinkTo('narrow', table('counts', anyRow));
    }),
    blobs: memoryBlobs(),
    connectors: {
      ...connectors,
      sink: (...given) => ({
        ...connectors.sink(...given),
        write: () => new Promise((resolve) => (release = () => resolve([]))),
      }),
    },
    clock: rig.clock,
    random: seededRandom(1),
    checkpointIntervalMs: 500,
    tell: (told) => rig.news.push(told),
  });
  await slow.open();
  const running = slow.run();
  put(to, 0, event('e1', { at: 1 }));
  await pass(rig, splitAlarmMs + 5_000);
  expect(await answered(rig, slow.status())).toMatchObject({
    pausedBy: ['narrow'],
    splits: [{ hearing: 'paused' }],
  });
  expect(rig.news).toEqual([expect.objectContaining({ kind: 'reading-paused', by: ['narrow'] })]);
  release();
  await pass(rig, 3_000);
  expect(await answered(rig, slow.status())).toMatchObject({ pausedBy: [] });
  expect(rig.news).toContainEqual(
    expect.objectContaining({ kind: 'reading-resumed', by: ['narrow'] }),
  );
  slow.stop();
  await pass(rig, 500);
  await running;
  await slow.close();
});

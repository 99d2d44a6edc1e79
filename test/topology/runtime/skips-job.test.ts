/**
 * Going past what cannot be read, by command: only that, in the checkpoint, and in the rejected
 * table.
 */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { RecordReader } from '../../../schemas/ports/record-reader.ts';
import type { Job } from '../../../topology/index.ts';
import {
  count,
  createJob,
  schemaOf,
  stream,
  table,
  topology,
  tumbling,
} from '../../../topology/index.ts';
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
  const timed = t
    .source('events', stream('a/b'))
    .validate('valid', data)
    .eventTime('time', (e) => e.data.at, {
      outOfOrderness: 0,
      idleAfter: '5s',
      future: { max: 0 },
    });
  timed.map((e) => ({ id: e.id })).sinkTo('rows', table('rows', anyRow));
  const windows = timed
    .keyBy(() => 'all')
    .window('windows', tumbling('1m'))
    .aggregate({ n: count() });
  windows.out.map(({ n }) => ({ n })).sinkTo('counts', table('counts', anyRow));
});

/** What becomes of reads of the split `0`, by the position that would come next. */
type Broken = 'damaged' | 'silent' | undefined;

interface Rig {
  readonly made: World;
  readonly clock: ReturnType<typeof manualClock>;
  broken: (next: number) => Broken;
  /** Lets what was silent be answered after all. */
  answer: () => void;
  start(): Job;
}

function rigOf(): Rig {
  const made = world({ 'a/b': memoryStream(['kinesis', '0'], ['kinesis', '1'], ['kafka', '0']) });
  const clock = manualClock(5_000_000);
  const blobs = memoryBlobs();
  const { connectors } = made;
  let waiting: (() => void)[] = [];
  const faulty = (reader: RecordReader): RecordReader => ({
    ...reader,
    read: async (split, after, bounds, known) => {
      const next = Number(after ?? 0) + 1;
      const how = reader.route === 'kinesis' && split === '0' ? rig.broken(next) : undefined;
      if (how === 'damaged') throw new SluiceError('stream-corrupt', `damaged at position ${next}`);
      if (how === 'silent') await new Promise<void>((resolve) => waiting.push(resolve));
      return reader.read(split, after, bounds, known);
    },
  });
  const rig: Rig = {
    made,
    clock,
    broken: () => undefined,
    answer: () => {
      for (const resolve of waiting) resolve();
      waiting = [];
    },
    start: () =>
      createJob({
        topology: minutes,
        blobs,
        connectors: {
          ...connectors,
          readers: async (...given) => (await connectors.readers(...given)).map(faulty),
        },
        clock,
        random: seededRandom(1),
        checkpointIntervalMs: 500,
        turnBounds: { maxRecords: 1, maxBytes: 1e6 },
      }),
  };
  return rig;
}

/**
 * `count` events of the split `index`, a second apart from `fromSecond` on; their ids are
 * `split/position`.
 */
function send({ made }: Rig, index: number, count: number, fromSecond = 0): void {
  const to = made.streams['a/b'];
  const split = to?.splits[index];
  if (to === undefined || split === undefined) throw new Error('no split');
  for (let n = 0; n < count; n++) {
    put(to, index, event(`${index}/${split.records.length + 1}`, { at: (fromSecond + n) * 1_000 }));
  }
}

async function pass({ clock }: Rig, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(100);
  }
  await new Promise((resolve) => setImmediate(resolve));
}

async function opened(rig: Rig): Promise<{ readonly job: Job; readonly running: Promise<void> }> {
  const job = rig.start();
  await job.open();
  return { job, running: job.run() };
}

async function stopped(
  rig: Rig,
  { job, running }: { readonly job: Job; readonly running: Promise<void> },
): Promise<void> {
  job.stop();
  await pass(rig, 1_000);
  await running;
  await job.close();
}

/** What it was answered, as the clock goes on. */
async function skipped(rig: Rig, job: Job, split: string, to: string): Promise<string> {
  const asked = job.skip({ split, to }).catch((thrown: unknown) => (thrown as SluiceError).code);
  await pass(rig, 1_000);
  return asked;
}

const idsOf = ({ made }: Rig): readonly string[] =>
  (made.tables['rows']?.visible ?? []).map((row) => (row as { id: string }).id).sort();
const refusedOf = ({ made }: Rig): readonly unknown[] => made.tables['rejected']?.visible ?? [];
const countedOf = ({ made }: Rig): number =>
  (made.tables['counts']?.visible ?? []).reduce(
    (sum: number, row) => sum + (row as { n: number }).n,
    0,
  );

describe('a range that cannot be read', () => {
  it('is skipped up to the position that is named; what comes behind is read, and a row of the rejected table says what is missing', async () => {
    const rig = rigOf();
    rig.broken = (next) => (next >= 3 && next <= 5 ? 'damaged' : undefined);
    const run = await opened(rig);
    send(rig, 0, 8);
    send(rig, 1, 2);
    await pass(rig, 10_000);
    expect(idsOf(rig)).toEqual(['0/1', '0/2', '1/1', '1/2']);
    expect(await skipped(rig, run.job, 'kinesis 0', '5')).toMatch(
      /kinesis 0: the records after 2 up to 5; .*damaged at position 3/,
    );
    await pass(rig, 2_000);
    const whole = ['0/1', '0/2', '0/6', '0/7', '0/8', '1/1', '1/2'];
    expect(idsOf(rig)).toEqual(whole);
    expect(refusedOf(rig)).toMatchObject([
      {
        code: 'skipped',
        operator: 'events',
        path: 'kinesis',
        split: '0',
        id: 'kinesis/0/skipped-after-2-to-5',
        position: 'skipped-after-2-to-5',
      },
    ]);
    expect((await run.job.status()).skipped).toMatchObject([
      { split: '0', after: '2', to: '5', kind: 'range' },
    ]);
    await stopped(rig, run);
    const again = await opened(rig);
    await pass(rig, 3_000);
    expect((await again.job.status()).skipped).toMatchObject([{ after: '2', to: '5' }]);
    await stopped(rig, again);
    expect([idsOf(rig), refusedOf(rig).length]).toEqual([whole, 1]);
  });

  it('is skipped up to what is there now, and what comes later is read', async () => {
    const rig = rigOf();
    rig.broken = (next) => (next <= 4 ? 'damaged' : undefined);
    const run = await opened(rig);
    send(rig, 0, 4);
    await pass(rig, 2_000);
    expect(await skipped(rig, run.job, 'events kinesis 0', 'latest')).toMatch(
      /the records from its beginning up to 4/,
    );
    send(rig, 0, 2);
    await pass(rig, 3_000);
    expect(idsOf(rig)).toEqual(['0/5', '0/6']);
    await stopped(rig, run);
  });

  it('that is not kept any more is skipped to the oldest that is', async () => {
    const rig = rigOf();
    const run = await opened(rig);
    send(rig, 0, 2);
    await pass(rig, 2_000);
    send(rig, 0, 6);
    const [first] = rig.made.streams['a/b']?.splits ?? [];
    if (first !== undefined) first.trimmed = 5;
    await stopped(rig, run);
    const again = await opened(rig);
    await pass(rig, 3_000);
    expect((await again.job.status()).splits[0]).toMatchObject({
      hearing: 'unreadable',
      position: '2',
    });
    expect(await skipped(rig, again.job, 'kinesis 0', 'oldest')).toMatch(
      /records that are no longer kept, after 2 up to 5/,
    );
    await pass(rig, 3_000);
    expect(idsOf(rig)).toEqual(['0/1', '0/2', '0/6', '0/7', '0/8']);
    await stopped(rig, again);
  });

  it('is named wrongly: nothing is skipped', async () => {
    const rig = rigOf();
    rig.broken = (next) => (next === 3 ? 'damaged' : undefined);
    const run = await opened(rig);
    send(rig, 0, 5);
    send(rig, 1, 2);
    await pass(rig, 3_000);
    for (const [split, to, code] of [
      ['kinesis 1', '5', 'skip-refused'],
      ['kinesis 1', 'whole', 'skip-refused'],
      ['kinesis 0', '2', 'skip-refused'],
      ['kinesis 0', '6', 'skip-refused'],
      ['kinesis 0', '-1', 'skip-refused'],
      ['kinesis 0', 'oldest', 'skip-refused'],
      ['kinesis 0', 'undo', 'skip-refused'],
      ['kinesis 7', '5', 'split-unknown'],
      ['0', '5', 'split-ambiguous'],
    ] as const) {
      expect(await skipped(rig, run.job, split, to), `${split} ${to}`).toBe(code);
    }
    expect([idsOf(rig), refusedOf(rig)]).toEqual([['0/1', '0/2', '1/1', '1/2'], []]);
    await stopped(rig, run);
  });

  it('that was skipped before a kill, and before its checkpoint, holds again', async () => {
    const rig = rigOf();
    rig.broken = (next) => (next === 2 ? 'damaged' : undefined);
    const run = await opened(rig);
    send(rig, 0, 3);
    await pass(rig, 2_000);
    rig.made.crash = () => {
      throw new SluiceError('worker-ended', 'worker-ended');
    };
    const killed = expect(run.running).rejects.toMatchObject({ code: 'worker-ended' });
    void run.job.skip({ split: 'kinesis 0', to: '2' });
    await pass(rig, 1_000);
    await killed;
    rig.made.crash = () => undefined;
    const again = await opened(rig);
    await pass(rig, 2_000);
    expect((await again.job.status()).splits[0]).toMatchObject({
      hearing: 'unreadable',
      position: '1',
    });
    await skipped(rig, again.job, 'kinesis 0', '2');
    await pass(rig, 2_000);
    expect(idsOf(rig)).toEqual(['0/1', '0/3']);
    await stopped(rig, again);
  });
});

describe('a whole split that cannot be read', () => {
  it('holds time until it is skipped, through restarts, and is read again from where it was when that is undone', async () => {
    const rig = rigOf();
    const run = await opened(rig);
    send(rig, 0, 2);
    await pass(rig, 2_000);
    rig.broken = () => 'damaged';
    send(rig, 0, 2, 10);
    send(rig, 1, 120, 0);
    await pass(rig, 30_000);
    expect(countedOf(rig)).toBe(0);
    expect(await skipped(rig, run.job, 'kinesis 0', 'whole')).toMatch(/everything after 2/);
    await pass(rig, 10_000);
    expect(countedOf(rig)).toBeGreaterThan(60);
    expect((await run.job.status()).splits.map(({ split, path }) => `${path} ${split}`)).toEqual([
      'kinesis 1',
      'kafka 0',
    ]);
    await stopped(rig, run);
    const again = await opened(rig);
    await pass(rig, 5_000);
    expect((await again.job.status()).splits).toHaveLength(2);
    rig.broken = () => undefined;
    expect(await skipped(rig, again.job, 'kinesis 0', 'undo')).toMatch(
      /is read again, from after 2/,
    );
    await pass(rig, 5_000);
    expect(idsOf(rig)).toEqual(expect.arrayContaining(['0/3', '0/4']));
    expect((await again.job.status()).skipped).toEqual([]);
    await stopped(rig, again);
    expect(refusedOf(rig)).toMatchObject([{ code: 'skipped' }]);
  });

  it('keeps a drain waiting, which ends once it is skipped', async () => {
    const rig = rigOf();
    rig.broken = () => 'damaged';
    const run = await opened(rig);
    send(rig, 0, 2);
    send(rig, 1, 2);
    await pass(rig, 2_000);
    await run.job.drain();
    await pass(rig, 10_000);
    expect((await run.job.status()).drained).toBe(false);
    await skipped(rig, run.job, 'kinesis 0', 'whole');
    await pass(rig, 5_000);
    await run.running;
    expect((await run.job.status()).drained).toBe(true);
    await run.job.close();
    expect([idsOf(rig), countedOf(rig)]).toEqual([['1/1', '1/2'], 2]);
  });

  it('that did not answer and does after it was skipped gives nothing of what was skipped', async () => {
    const rig = rigOf();
    rig.broken = (next) => (next === 1 ? 'silent' : undefined);
    const run = await opened(rig);
    send(rig, 0, 3);
    await pass(rig, limits.readSlowMs + 1_000);
    expect(await skipped(rig, run.job, 'kinesis 0', '2')).toMatch(/up to 2; .*its reads time out/);
    await pass(rig, 1_000);
    rig.answer();
    await pass(rig, 3_000);
    expect(idsOf(rig)).toEqual(['0/3']);
    await stopped(rig, run);
  });
});

/**
 * Splits that come and end while a job runs: parents before children, time that does not run ahead
 * of children, each record once.
 */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';
import type { Job } from '../../../topology/index.ts';
import {
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
import { event, memoryBlobs, memoryStream, put, reshard, world } from '../support.ts';

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

/**
 * Windows of 100 ms, and the ids in the order in which they came. Events may come 60 ms out of
 * order; a split that is quiet holds time for ever.
 */
const hundreds = topology('hundreds', { version: 1, owner: 'a/b' }, (t) => {
  const events = t
    .source('events', stream('a/b'))
    .validate('valid', data)
    .eventTime('time', (e) => e.data.at, { outOfOrderness: 60, idleAfter: 0, future: { max: 0 } });
  events.map((e) => ({ id: e.id })).sinkTo('ids', table('ids', anyRow));
  const windows = events
    .map((e) => ({ key: 'all', at: e.data.at }))
    .keyBy((row) => row.key)
    .window('windows', tumbling(100), { late: 'side' })
    .aggregate({ n: count() });
  windows.out
    .map(({ windowStart, n }) => ({ windowStart, n }))
    .sinkTo('counts', table('counts', anyRow));
  windows.late.sinkTo('late', rejected());
});

interface Rig {
  readonly made: World;
  readonly events: MemoryStream;
  readonly clock: ReturnType<typeof manualClock>;
  readonly blobs: BlobStore;
}

function rigOf(splits: readonly string[]): Rig {
  const made = world({
    'a/b': memoryStream(...splits.map((split) => ['kinesis', split] as const)),
  });
  const events = made.streams['a/b'];
  if (events === undefined) throw new Error('no stream');
  events.asksLatest = false;
  return { made, events, clock: manualClock(5_000_000), blobs: memoryBlobs() };
}

async function opened({ made, clock, blobs }: Rig): Promise<Job> {
  const job = createJob({
    topology: hundreds,
    blobs,
    connectors: made.connectors,
    clock,
    random: seededRandom(1),
    checkpointIntervalMs: 500,
  });
  await job.open();
  return job;
}

function send({ events }: Rig, split: string, ...times: readonly number[]): void {
  const index = events.splits.findIndex((candidate) => candidate.split === split);
  for (const at of times) put(events, index, event(`${split}@${at}`, { at }));
}

async function pass({ clock }: Rig, rounds: number): Promise<void> {
  for (let i = 0; i < rounds; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(50);
  }
}

const idsOf = ({ made }: Rig): readonly string[] =>
  (made.tables['ids']?.visible ?? []).map((row) => (row as { readonly id: string }).id);
const countsOf = ({ made }: Rig): readonly unknown[] =>
  (made.tables['counts']?.visible ?? []).map((row) => {
    const { windowStart, n } = row as { readonly windowStart: number; readonly n: number };
    return [windowStart, n];
  });
const lateOf = ({ made }: Rig): number => made.tables['rejected']?.visible.length ?? 0;

async function drained(rig: Rig, job: Job, running: Promise<void>): Promise<void> {
  await job.drain();
  await pass(rig, 60);
  await running;
  await job.close();
}

describe('splits that come and end', () => {
  it('are read parents first, and time does not pass a parent before its children have begun', async () => {
    const rig = rigOf(['p', 'q']);
    send(rig, 'p', 100, 500);
    send(rig, 'q', 100, 1_000);
    const job = await opened(rig);
    const running = job.run();
    await pass(rig, 40);
    expect(countsOf(rig)).toEqual([[100, 2]]);

    reshard(rig.events, ['p'], ['p1', 'p2']);
    send(rig, 'p1', 450);
    send(rig, 'p2', 460, 470);
    send(rig, 'q', 1_100);
    await pass(rig, 40);
    // Where p was, at 439, its children go on: at 389 and 409.
    expect(countsOf(rig)).toEqual([[100, 2]]);
    expect((await job.status()).splits.map(({ split, watermark }) => [split, watermark])).toEqual([
      ['q', 1_039],
      ['p1', 439],
      ['p2', 439],
    ]);
    send(rig, 'p1', 700);
    send(rig, 'p2', 800);
    await pass(rig, 40);
    expect(countsOf(rig)).toEqual([
      [100, 2],
      [400, 3],
      [500, 1],
    ]);
    await drained(rig, job, running);
    expect(lateOf(rig)).toBe(0);
    expect(idsOf(rig).filter((id) => id.startsWith('p'))).toEqual([
      'p@100',
      'p@500',
      'p1@450',
      'p2@460',
      'p2@470',
      'p1@700',
      'p2@800',
    ]);
  });

  it('a merged child waits for both parents, and holds time at the earlier one', async () => {
    const rig = rigOf(['p', 'q', 'r']);
    send(rig, 'p', 300);
    send(rig, 'q', 900);
    send(rig, 'r', 2_000);
    const job = await opened(rig);
    const running = job.run();
    await pass(rig, 10);
    reshard(rig.events, ['p', 'q'], ['pq']);
    send(rig, 'pq', 310);
    await pass(rig, 40);
    expect((await job.status()).splits.map(({ split, watermark }) => [split, watermark])).toEqual([
      ['r', 1_939],
      ['pq', 249],
    ]);
    await drained(rig, job, running);
    expect(lateOf(rig)).toBe(0);
    expect(idsOf(rig)).toHaveLength(4);
  });

  it('give each record once, also when the job is killed at any point of it', async () => {
    for (let killAfter = 1; killAfter < 30; killAfter += 2) {
      const rig = rigOf(['p', 'q']);
      send(rig, 'p', 100, 200, 300);
      send(rig, 'q', 110, 210, 310);
      let job = await opened(rig);
      void job.run().catch(() => undefined);
      await pass(rig, 6);
      reshard(rig.events, ['p', 'q'], ['pq']);
      send(rig, 'pq', 400, 500);
      reshard(rig.events, ['pq'], ['x', 'y']);
      send(rig, 'x', 600, 601);
      send(rig, 'y', 610, 611, 5_000);
      await pass(rig, killAfter);
      // No close: it is gone as a process is. What it holds it can not write any more, for the next
      // attempt fences it.
      job = await opened(rig);
      const running = job.run();
      await pass(rig, 30);
      await drained(rig, job, running);
      expect([...idsOf(rig)].sort(), `killed after ${killAfter}`).toEqual(
        [
          'p@100',
          'p@200',
          'p@300',
          'q@110',
          'q@210',
          'q@310',
          'pq@400',
          'pq@500',
          'x@600',
          'x@601',
          'y@610',
          'y@611',
          'y@5000',
        ].sort(),
      );
      expect(lateOf(rig)).toBe(0);
    }
  });

  it.each([true, false])(
    'that do not answer are said by name, and a drain waits for them (latest positions known: %s)',
    async (asksLatest) => {
      const rig = rigOf(['p']);
      rig.events.asksLatest = asksLatest;
      const job = await opened(rig);
      const running = job.run();
      await pass(rig, 10);
      rig.events.unreachable = true;
      send(rig, 'p', 100);
      const draining = job.drain();
      await pass(rig, 60);
      expect((await job.status()).splits).toMatchObject([
        { split: 'p', lag: null, failure: 'nobody answers' },
      ]);
      rig.events.unreachable = false;
      await pass(rig, 60);
      await draining;
      await pass(rig, 60);
      await running;
      await job.close();
      expect(idsOf(rig)).toEqual(['p@100']);
    },
  );

  it.each([true, false])(
    'are drained also where the end of the parent was not seen before (latest positions known: %s)',
    async (asksLatest) => {
      const rig = rigOf(['p', 'q']);
      rig.events.asksLatest = asksLatest;
      const job = await opened(rig);
      rig.events.unreachable = true;
      const running = job.run();
      reshard(rig.events, ['p'], ['c']);
      send(rig, 'c', 100);
      await pass(rig, 10);
      const draining = job.drain();
      await pass(rig, 10);
      rig.events.unreachable = false;
      await pass(rig, 60);
      await draining;
      await pass(rig, 60);
      await running;
      await job.close();
      expect(idsOf(rig)).toEqual(['c@100']);
    },
  );

  it('that begin after a drain was asked for are not read', async () => {
    const rig = rigOf(['p']);
    send(rig, 'p', 100);
    const job = await opened(rig);
    const running = job.run();
    await pass(rig, 10);
    await job.drain();
    reshard(rig.events, ['p'], ['later']);
    send(rig, 'later', 200);
    await pass(rig, 60);
    await running;
    await job.close();
    expect(idsOf(rig)).toEqual(['p@100']);
    const next = await opened(rig);
    const again = next.run();
    await drained(rig, next, again);
    expect(idsOf(rig)).toEqual(['p@100', 'later@200']);
  });

  it('that the stream has let go are forgotten, with their positions', async () => {
    const rig = rigOf(['p']);
    send(rig, 'p', 100);
    const job = await opened(rig);
    const running = job.run();
    await pass(rig, 10);
    reshard(rig.events, ['p'], ['c']);
    await pass(rig, 20);
    rig.events.splits.shift();
    rig.events.splits[0] = { path: 'kinesis', split: 'c', records: [], parents: [], closed: false };
    send(rig, 'c', 200);
    rig.clock.advance(30_000);
    await pass(rig, 30);
    job.stop();
    await pass(rig, 5);
    await running;
    const [newest] = [...(await rig.blobs.list('checkpoints/'))].reverse();
    const manifest = JSON.parse(
      Buffer.from((await rig.blobs.get(newest ?? '')) ?? []).toString(),
    ) as { readonly positions: unknown };
    expect(manifest.positions).toEqual({ events: { 'kinesis c': '1' } });
    await job.close();
  });
});

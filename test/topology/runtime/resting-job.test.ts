/**
 * A job whose state rests beside its process: its rows are those of a job that keeps all of it, also
 * when the place where it rests fails, and is empty at the next run.
 */
import { expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Job } from '../../../topology/index.ts';
import { createJob, schemaOf, stream, table, topology } from '../../../topology/index.ts';
import { inlineWorkers } from '../../../topology/runtime/parallel/inline-workers.ts';
import type { Segments } from '../../../topology/state/segments.ts';
import { memorySegments } from '../../../topology/state/segments.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

const row = schemaOf<{ id: string }>({
  $id: 'row',
  type: 'object',
  properties: { id: { type: 'string' } },
});

const flow = topology('t', { version: 1, owner: 'a/b' }, (t) => {
  t.source('in', stream('a/b'))
    .eventTime('time', (e) => (e.data as { at: number }).at, { outOfOrderness: 0 })
    .deduplicate('once', { by: (e) => e.id, within: '1d' })
    .map((e) => ({ id: e.id }))
    .sinkTo('out', table('rows', row));
});

it.each([1, 2])(
  'resumes from its checkpoint after a disk that failed, and sets no element aside, in %i parts',
  async (parallelism) => {
    const input = memoryStream(['kinesis', 'shard-0']);
    const made = world({ 'a/b': input });
    const blobs = memoryBlobs();
    const clock = manualClock(5_000_000);
    const disk = { fails: false };
    const digestSegments = (): Segments => {
      const segments = memorySegments();
      return {
        ...segments,
        read: (...place) => {
          if (disk.fails)
            throw new SluiceError('state-disk-failed', 'the disk is gone', { retryable: true });
          return segments.read(...place);
        },
      };
    };
    const room = { digestSegments, liveStateMaxBytes: 0 };
    const newJob = (): Job =>
      createJob({
        topology: flow,
        blobs,
        connectors: made.connectors,
        clock,
        random: seededRandom(1),
        checkpointIntervalMs: 0,
        ...room,
        keyedWorkers:
          parallelism === 1
            ? undefined
            : (of) => inlineWorkers(of, parallelism, { clock, random: seededRandom(1), room }),
      });
    const pass = async (turns: number): Promise<void> => {
      for (let turn = 0; turn < turns; turn++) {
        clock.advance(50);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const send = (id: string, n: number): void => put(input, 0, event(id, { at: 1_000 + n }));
    const job = newJob();
    await job.open();
    const ended = job.run().then(
      () => 'stopped',
      (thrown: unknown) => thrown,
    );
    for (let n = 0; n < 20; n++) {
      send(`e${n}`, n);
      await pass(12);
    }
    const before = (await job.status()).state;
    expect(before?.entries).toBe(20);
    expect(before?.restingRecords).toBeGreaterThan(15);
    send('e3', 30);
    await pass(12);
    disk.fails = true;
    send('e4', 31);
    await pass(12);
    expect(await ended).toMatchObject({ code: 'state-disk-failed' });
    await job.close();

    disk.fails = false;
    const again = newJob();
    await again.open();
    const running = again.run();
    for (let n = 0; n < 25; n++) send(`e${n}`, 40 + n);
    await pass(30);
    const { setAside, state } = await again.status();
    expect([setAside, state?.entries]).toEqual([[], 25]);
    again.stop();
    await pass(3);
    await running;
    await again.close();
    const ids = made.tables['rows']?.visible.map((each) => (each as { id: string }).id) ?? [];
    expect(ids).toEqual(Array.from({ length: 25 }, (_, n) => `e${n}`));
  },
);

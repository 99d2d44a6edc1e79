/**
 * What a slow store costs: with S3 at 10 s a call a row landed after 160 s, as every call waited
 * for the one before, also for those that nobody needs.
 */
import { describe, expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';
import type { JobConnectors } from '../../../topology/index.ts';
import { createJob, schemaOf, stream, table, topology } from '../../../topology/index.ts';
import { checkpointsKept } from '../../../topology/runtime/job-checkpoints.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

const anyRow = schemaOf<unknown>({
  $id: 'https://sluice.example/test/any-row',
  type: 'object',
  properties: { id: { type: 'string' } },
});
const rows = topology('rows', { version: 1, owner: 'a/b' }, (t) => {
  const all = t.source('events', stream('a/b')).map((e) => ({ id: e.id }));
  all.sinkTo('one', table('one', anyRow));
  all.sinkTo('two', table('two', anyRow));
});

const rigOf = (
  blobs: BlobStore,
  change: (connectors: JobConnectors) => JobConnectors = (same) => same,
) => {
  const made = world({ 'a/b': memoryStream(['kinesis', '0']) });
  const clock = manualClock(5_000_000);
  const job = createJob({
    topology: rows,
    blobs,
    connectors: change(made.connectors),
    clock,
    random: seededRandom(1),
    checkpointIntervalMs: 1_000,
  });
  return { made, clock, job };
};

describe('a job on a slow store', () => {
  it('takes the next checkpoints while old ones are not deleted yet', async () => {
    const blobs = memoryBlobs();
    const deleting: string[] = [];
    let release: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { made, clock, job } = rigOf({
      ...blobs,
      delete: async (key) => {
        deleting.push(key);
        await until;
        await blobs.delete(key);
      },
    });
    await job.open();
    const running = job.run();
    for (let n = 0; n < checkpointsKept + 4; n++) {
      put(made.streams['a/b'] as NonNullable<(typeof made.streams)['a/b']>, 0, event(`e${n}`, {}));
      for (let ms = 0; ms < 2_000; ms += 100) {
        clock.advance(100);
        await new Promise<void>((resolve) => void setTimeout(resolve, 1));
      }
    }
    expect(deleting).toHaveLength(1);
    expect(blobs.blobs.size).toBeGreaterThan(checkpointsKept + 3);
    release();
    job.stop();
    await running;
    await job.close();
    expect(blobs.blobs.size).toBeLessThanOrEqual(checkpointsKept);
  });

  it('opens its tables side by side, and says what is wrong with one when all have been opened', async () => {
    const opening: string[] = [];
    let release: () => void = () => undefined;
    const all = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { job } = rigOf(memoryBlobs(), (connectors) => ({
      ...connectors,
      sink: (...given) => ({
        ...connectors.sink(...given),
        open: async () => {
          opening.push(given[0].id);
          if (opening.length === 2) release();
          await all;
          if (given[0].id === 'one') throw new Error('of one');
        },
      }),
    }));
    await expect(job.open()).rejects.toThrow('of one');
    expect(opening.toSorted()).toEqual(['one', 'two']);
    await job.close();
  });
});

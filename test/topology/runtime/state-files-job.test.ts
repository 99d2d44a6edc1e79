/**
 * The files of a job's state over many checkpoints and a restart: few, none that nobody names, and
 * as the status says.
 */
import { expect, it } from 'vitest';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { bytesOf, filesOf } from '../../../topology/checkpoint/sorted-runs/sorted-run.ts';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';
import type { Job } from '../../../topology/index.ts';
import { createJob, schemaOf, stream, table, topology } from '../../../topology/index.ts';
import { event, memoryBlobs, memoryStream, put, world } from '../support.ts';

const row = schemaOf<{ id: string }>({
  $id: 'row',
  type: 'object',
  properties: { id: { type: 'string' } },
});

const flow = topology('t', { version: 1, owner: 'a/b' }, (t) => {
  t.source('in', stream('a/b'))
    .eventTime('time', () => 1_000, { outOfOrderness: 0, future: { max: 0 } })
    .deduplicate('once', { by: (e) => e.id, within: '1d' })
    .map((e) => ({ id: e.id }))
    .sinkTo('out', table('rows', row));
});

it('are merged, removed when no manifest names them, and told', async () => {
  const input = memoryStream(['kinesis', 'shard-0']);
  const made = world({ 'a/b': input });
  const blobs = memoryBlobs();
  const clock = manualClock(5_000_000);
  const newJob = (): Job =>
    createJob({
      topology: flow,
      blobs,
      connectors: made.connectors,
      clock,
      random: seededRandom(1),
      checkpointIntervalMs: 0,
    });
  const pass = async (turns: number): Promise<void> => {
    for (let turn = 0; turn < turns; turn++) {
      clock.advance(50);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const inBlobs = (): readonly string[] =>
    [...blobs.blobs.keys()].filter((key) => key.endsWith('.run')).sort();
  const named = async (): Promise<readonly string[]> => {
    const manifests = await checkpointStore(blobs, 't').all();
    return [...new Set(manifests.flatMap(({ state }) => filesOf(state?.runs ?? [])))].sort();
  };
  const stopped = async (job: Job, running: Promise<void>): Promise<void> => {
    job.stop();
    await pass(3);
    await running;
    await job.close();
  };
  const job = newJob();
  await job.open();
  const running = job.run();
  for (let n = 0; n < 60; n++) {
    put(input, 0, event(`e${n}`, {}));
    await pass(12);
  }
  const { state, checkpoint } = await job.status();
  expect(checkpoint?.id).toBeGreaterThan(60);
  await stopped(job, running);
  expect(made.tables['rows']?.visible).toHaveLength(60);
  const newest = await checkpointStore(blobs, 't').latest();
  const runs = newest?.state?.runs ?? [];
  // Eight of a tier become one: without merging there would be one for each of the 60.
  expect(runs.length).toBeLessThan(16);
  expect(await named()).toEqual(inBlobs());
  expect(state).toMatchObject({ entries: 60, writtenEntries: 1, restoreMs: null });
  expect(state?.runs).toBe(runs.length);
  expect(state?.fileBytes).toBe(bytesOf(runs));
  const again = newJob();
  await again.open();
  expect((await again.status()).state).toMatchObject({ entries: 60, runs: runs.length });
  expect((await again.status()).state?.restoreMs).not.toBeNull();
  const runningAgain = again.run();
  put(input, 0, event('e7', {}));
  put(input, 0, event('e60', {}));
  await pass(20);
  await stopped(again, runningAgain);
  expect(made.tables['rows']?.visible).toHaveLength(61);
  expect(await named()).toEqual(inBlobs());
});

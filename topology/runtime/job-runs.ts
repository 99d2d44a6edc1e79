/**
 * A job that goes on by itself when a run has found an element that an operator fails on: a turn with many of them is no long row of restarts.
 *
 * Invariants:
 * 1. Only what was found by a run and is kept in its checkpoints is gone on from; every other fault ends the job, the first of an element too.
 * 2. Each run takes over from the one before, as after a restart: nothing of a failed run's memory is used.
 */

import { createRun } from './job.ts';
import type { JobOptions } from './job-options.ts';
import type { Job, JobRun } from './running-job.ts';

export function createJob(options: JobOptions): Job {
  let run: JobRun = createRun(options);
  let isDraining = false;
  let isStopped = false;

  /** What was dropped, and how the run before ended, is in the checkpoint by now. */
  const next = async (): Promise<void> => {
    await run.close();
    const { dropState: _, goBack: __, failure: ___, ...same } = options;
    run = createRun(same);
    await run.open();
    if (isDraining) await run.drain();
    if (isStopped) run.stop();
  };

  return {
    open: () => run.open(),
    get notes() {
      return run.notes;
    },
    async run() {
      for (;;) {
        try {
          await run.run();
          return;
        } catch (thrown) {
          if (!run.foundOne) throw thrown;
        }
        await next();
      }
    },
    drain() {
      isDraining = true;
      return run.drain();
    },
    stop() {
      isStopped = true;
      run.stop();
    },
    skip: (request) => run.skip(request),
    status: () => run.status(),
    close: () => run.close(),
  };
}

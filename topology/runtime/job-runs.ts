/**
 * A job that goes on by itself when a run has found an element that an operator fails on: a turn
 * with many of them is no long row of restarts.
 *
 * Invariants:
 * 1. Only what was found by a run and is kept in its checkpoints is gone on from; every other fault
 *    but that of 2 ends the job, the first of an element too.
 * 2. A run whose sinks know a later attempt than the checkpoints, while nobody else runs, is
 *    followed by one of a later attempt.
 * 3. Each run takes over from the one before, as after a restart: nothing of a failed run's memory
 *    is used.
 */
import { createRun } from './job.ts';
import type { JobOptions } from './job-options.ts';
import type { Job, JobRun } from './running-job.ts';

export function createJob(options: JobOptions): Job {
  let from = options.from;
  /**
   * Where splits begin is in the first checkpoint; later ones that are not kept any more wait for a
   * person.
   */
  const told = (): Pick<JobOptions, 'from' | 'tell'> => ({
    from,
    tell: (news) => {
      if (news.kind === 'checkpoint-completed') from = undefined;
      options.tell?.(news);
    },
  });
  let run: JobRun = createRun({ ...options, ...told() });
  let isDraining = false;
  let isStopped = false;

  const open = async (): Promise<void> => {
    try {
      await run.open();
    } catch (thrown) {
      if (!run.isBehind) throw thrown;
      await next();
    }
  };

  /** What was dropped, and how the run before ended, is in the checkpoint by now. */
  const next = async (): Promise<void> => {
    const leap = run.isBehind;
    await run.close();
    const { dropState: _, goBack: __, failure: ___, ...same } = options;
    run = createRun({ ...same, ...told(), leap });
    await open();
    if (isDraining) await run.drain();
    if (isStopped) run.stop();
  };

  return {
    open,
    get notes() {
      return run.notes;
    },
    async run() {
      for (;;) {
        try {
          await run.run();
          return;
        } catch (thrown) {
          if (!run.foundOne && !run.isBehind) throw thrown;
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

/**
 * A job that continues by itself when a run has found an element that an operator fails on, so that
 * a turn with many of them does not cause a long series of restarts.
 *
 * Invariants:
 * 1. It continues only after failures whose finding is in the checkpoints. Every other fault except
 *    that of 2 ends the job, including the first one of an element.
 * 2. A run whose sinks know a later attempt than the checkpoints, while nobody else runs, is
 *    followed by a run with a later attempt.
 * 3. A run that looked for an element in one thread, where there are workers, ends once nothing is
 *    suspected, and is followed by one with them.
 * 4. Each run takes over from the previous one, as after a restart: a failed run's memory is never
 *    used.
 */
import type { SavepointInfo } from '../checkpoint/savepoints.ts';
import { createRun } from './job.ts';
import type { JobOptions } from './job-options.ts';
import type { Job, JobRun } from './running-job.ts';
import type { SkipRequest } from './skips.ts';
import type { JobStatus } from './status.ts';

export function createJob(options: JobOptions): Job {
  return new JobRuns(options);
}

class JobRuns implements Job {
  readonly #options: JobOptions;
  /**
   * Where splits begin is in the first checkpoint; later ones that are no longer kept wait for a
   * person.
   */
  #from: JobOptions['from'];
  #run: JobRun;
  #isDraining = false;
  #isStopped = false;

  constructor(options: JobOptions) {
    this.#options = options;
    this.#from = options.from;
    this.#run = createRun({ ...options, ...this.#told() });
  }

  get notes(): readonly string[] {
    return this.#run.notes;
  }

  async open(): Promise<void> {
    try {
      await this.#run.open();
    } catch (thrown) {
      if (!this.#run.isBehind) throw thrown;
      await this.#next();
    }
  }

  async run(): Promise<void> {
    for (;;) {
      try {
        await this.#run.run();
        if (!this.#run.wantsWorkers || this.#isStopped) return;
      } catch (thrown) {
        if (!this.#run.foundOne && !this.#run.isBehind) throw thrown;
      }
      await this.#next();
    }
  }

  drain(): Promise<void> {
    this.#isDraining = true;
    return this.#run.drain();
  }

  stop(): void {
    this.#isStopped = true;
    this.#run.stop();
  }

  skip(request: SkipRequest): Promise<string> {
    return this.#run.skip(request);
  }

  savepoint(name: string): Promise<SavepointInfo> {
    return this.#run.savepoint(name);
  }

  status(): Promise<JobStatus> {
    return this.#run.status();
  }

  close(): Promise<void> {
    return this.#run.close();
  }

  /** What was dropped, and how the run before ended, is in the checkpoint by now. */
  async #next(): Promise<void> {
    const leap = this.#run.isBehind;
    await this.#run.close();
    const { dropState: _, goBack: __, failure: ___, savepoint: ____, ...same } = this.#options;
    this.#run = createRun({ ...same, ...this.#told(), leap });
    await this.open();
    if (this.#isDraining) await this.#run.drain();
    if (this.#isStopped) this.#run.stop();
  }

  #told(): Pick<JobOptions, 'from' | 'tell'> {
    return {
      from: this.#from,
      tell: (news) => {
        if (news.kind === 'checkpoint-completed') this.#from = undefined;
        this.#options.tell?.(news);
      },
    };
  }
}

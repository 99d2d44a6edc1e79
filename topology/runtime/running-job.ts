/**
 * The interface of a job for the code that runs it.
 */
import type { SavepointInfo } from '../checkpoint/savepoints.ts';
import type { SkipRequest } from './skips.ts';
import type { JobStatus } from './status.ts';

export interface Job {
  /**
   * Takes over from the last checkpoint; resolves when it is ready to take turns. Throws
   * `topology-invalid`, `restore-refused`, `stream-missing`.
   */
  open(): Promise<void>;
  /** What is to be known of how it resumed from its last checkpoint, once it is open. */
  readonly notes: readonly string[];
  /**
   * Takes turns until `stop`; then a last checkpoint. Rejects on an operational fault, having
   * committed nothing past the last checkpoint.
   */
  run(): Promise<void>;
  /**
   * Reads every split to where it ends now, gives out everything that waits for time, takes a last
   * checkpoint and ends `run`. A later run begins with empty state, after the positions that were
   * read.
   */
  drain(): Promise<void>;
  stop(): void;
  /**
   * Goes past what cannot be read of a split: see topology/runtime/skips.ts. Resolves with what was
   * done, in a sentence; the next checkpoint has it. Throws `SluiceError` `split-unknown`,
   * `split-ambiguous`, `skip-refused`.
   */
  skip(request: SkipRequest): Promise<string>;
  /**
   * Keeps its state under a name, once all output of before is visible: see
   * topology/checkpoint/savepoints.ts. Throws `SluiceError` `savepoint-name-invalid`,
   * `savepoint-exists`, `savepoint-failed`.
   */
  savepoint(name: string): Promise<SavepointInfo>;
  status(): Promise<JobStatus>;
  close(): Promise<void>;
}

/** One run of a job. */
export interface JobRun extends Job {
  /**
   * Whether it failed of one element that was alone: the next run takes it once more, or continues
   * without it.
   */
  readonly foundOne: boolean;
  /**
   * Whether it failed as a sink knows a later attempt, and the checkpoints, of which an older copy
   * was put back, do not.
   */
  readonly isBehind: boolean;
  /**
   * Whether it ended because it has found the element that it looked for in one thread: the next run
   * has workers again.
   */
  readonly wantsWorkers: boolean;
}

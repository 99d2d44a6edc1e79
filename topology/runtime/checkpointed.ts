/**
 * What a job's checkpoints hold, as they see it: its sinks, and the tables of its operators; and
 * who keeps one of them.
 */
import type { Manifest, ManifestState } from '../checkpoint/manifest.ts';

/** The sinks of a job, as checkpoints see them. */
export interface CheckpointSinks {
  /** `last`: nothing is kept open: all output becomes visible with it. */
  prepare(checkpoint: number, last: boolean): Promise<Pick<Manifest, 'sinks' | 'retiring'>>;
  /**
   * `last`: everything has to be visible when it resolves; else a sink that `commitsAside` may be
   * late.
   */
  commit(checkpoint: number, last: boolean): Promise<void>;
}

/** The tables of a job, as checkpoints see them (state-tables.ts). */
export interface CheckpointTables<S> {
  /** The state of a job that gave all out. */
  readonly none: ManifestState;
  seal(): S;
  write(sealed: S, persist: (what: () => Promise<void>) => Promise<void>): Promise<ManifestState>;
  stored(manifest: Pick<Manifest, 'checkpoint' | 'state'>): void;
  kept(checkpoints: readonly number[]): Promise<void>;
  tidy(): void;
}

/** The savepoints of a job, as checkpoints see them (job-savepoints.ts). */
export interface CheckpointSavepoints {
  /** Whether no checkpoint may be removed. */
  readonly isCopying: boolean;
  /** One is complete that was taken for a savepoint. */
  completed(manifest: Uint8Array): void;
}

/**
 * Takes a savepoint of a running job: asks for a checkpoint with which all output becomes visible,
 * and copies what that names.
 *
 * Invariants:
 * 1. One at a time.
 * 2. While it copies, no checkpoint is removed, so that no file of its checkpoint is.
 * 3. It never ends a job: whatever fails is told to who asked.
 */
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { SavepointInfo } from '../checkpoint/savepoints.ts';
import { createSavepoint, requireFree, requireSavepointName } from '../checkpoint/savepoints.ts';

/** How long its checkpoint may take, with all sinks: a graph may be away. */
export const savepointWaitMaxMs = 300_000;

export interface JobSavepointsOptions {
  readonly blobs: BlobStore;
  readonly topology: string;
  readonly clock: Clock;
  /** The ids of sinks whose output is not all visible, though their checkpoint is complete. */
  readonly late: () => readonly string[];
}

interface Asked {
  readonly name: string;
  readonly resolve: (taken: SavepointInfo) => void;
  readonly reject: (thrown: unknown) => void;
  timer: Timer | undefined;
}

export class JobSavepoints {
  readonly #options: JobSavepointsOptions;
  #asked: Asked | undefined;
  #isUrgent = false;
  #isCopying = false;
  #isClosed = false;
  /** Sinks that kept the last try from being a savepoint. */
  #late: readonly string[] = [];

  constructor(options: JobSavepointsOptions) {
    this.#options = options;
  }

  /** Whether the next checkpoint makes all output visible, for one. */
  get isWanted(): boolean {
    return this.#asked !== undefined && !this.#isCopying;
  }

  /** Whether that checkpoint is due now. */
  get isUrgent(): boolean {
    return this.#isUrgent;
  }

  /** Whether nothing that checkpoints name may be removed. */
  get isCopying(): boolean {
    return this.#isCopying;
  }

  /** Throws `SluiceError` `savepoint-name-invalid`, `savepoint-exists`, `savepoint-failed`. */
  async ask(name: string): Promise<SavepointInfo> {
    const { blobs, topology, clock } = this.#options;
    await requireFree(blobs, topology, requireSavepointName(name));
    if (this.#isClosed) throw ended();
    if (this.#asked !== undefined)
      throw new SluiceError(
        'savepoint-failed',
        `the savepoint '${this.#asked.name}' of '${topology}' is being taken`,
        { fix: 'take one at a time', retryable: true },
      );
    return new Promise((resolve, reject) => {
      const timer = clock.setTimer(savepointWaitMaxMs, () => this.#end(this.#tooLate()));
      this.#asked = { name, resolve, reject, timer };
      this.#isUrgent = true;
    });
  }

  /** A checkpoint is being taken. */
  taking(): void {
    this.#isUrgent = false;
  }

  /**
   * A checkpoint is complete that made all output visible, or was to: `bytes` is its manifest. One
   * that left a sink behind is no savepoint; the next may be.
   */
  completed(bytes: Uint8Array): void {
    const asked = this.#asked;
    if (asked === undefined || this.#isCopying || this.#isClosed) return;
    this.#late = this.#options.late();
    if (this.#late.length > 0) return;
    this.#isCopying = true;
    asked.timer?.cancel();
    const { blobs, topology } = this.#options;
    const { name } = asked;
    void createSavepoint(blobs, { topology, name }, bytes, () => this.#isClosed)
      .then(asked.resolve, asked.reject)
      .finally(() => {
        this.#isCopying = false;
        this.#asked = undefined;
      });
  }

  /** The job ends: what is not taken by now is not. */
  close(): void {
    this.#isClosed = true;
    if (!this.#isCopying) this.#end(ended());
  }

  #end(thrown: SluiceError): void {
    this.#asked?.timer?.cancel();
    this.#asked?.reject(thrown);
    this.#asked = undefined;
    this.#isUrgent = false;
  }

  #tooLate(): SluiceError {
    const { topology } = this.#options;
    const why =
      this.#late.length > 0
        ? `what the sink '${this.#late.join("', '")}' has staged is not visible yet`
        : 'no checkpoint was completed';
    return new SluiceError(
      'savepoint-failed',
      `no savepoint of '${topology}' was taken within ${savepointWaitMaxMs / 60_000} min: ${why}`,
      { fix: 'see `sluice status`, and take it again', retryable: true },
    );
  }
}

function ended(): SluiceError {
  return new SluiceError('savepoint-failed', 'the topology ended before it was taken', {
    fix: 'see `sluice status`; once it runs again, take it again',
    retryable: true,
  });
}

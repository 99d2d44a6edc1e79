/**
 * The `rejected` table: one row for each rejection identity, with `seen`, however often the event
 * is sent.
 *
 * A row is in the hour of its first receivedtime, in a file that is rewritten whole and replaced
 * at once when a checkpoint commits: a reader always finds each identity once.
 *
 * Invariants:
 * 1. The index says in which file an identity lies; it is bounded in number and in age: an identity
 *    that comes again after it was dropped gets a new row. It is durable before the state that
 *    names the row is returned (index-segments.ts).
 * 2. Every rejected event is taken: nothing that a record says can make this table refuse it.
 * 3. A start reads nothing of the table, and a checkpoint only the files that change, and writes
 *    them (staged-rejections.ts): neither grows with the table.
 * 4. Memory is bounded by one file's rows and what is pending; past that bound the pending ones are
 *    staged between two checkpoints.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import { mebi } from '../../schemas/kernel/bytes.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { fileFault } from '../../schemas/kernel/file-fault.ts';
import type { LakeFiles, LakeStore, StagedContent } from '../../schemas/ports/lake-files.ts';
import { openLake } from '../../schemas/ports/lake-files.ts';
import type { RejectedEvent } from '../../schemas/rejection.ts';
import { rejectionIdentityOf } from '../../schemas/rejection.ts';
import type { RunId } from '../../schemas/run-id.ts';
import { listOf, objectOf } from '../../schemas/shape.ts';
import type { ElementBatch, RejectedRow, Sink, SinkState } from '../../topology/index.ts';
import { requireShape, stagedContent } from '../lake/restored-state.ts';
import { describeTable } from '../lake/table-file.ts';
import { IndexSegments } from './index-segments.ts';
import { RejectedFiles } from './rejected-files.ts';
import { RejectedIndex } from './rejected-index.ts';
import { addRejection, rejectionBytes } from './rejected-row.ts';
import { rejectedSchema } from './rejected-schema.ts';
import type { Rejections } from './staged-rejections.ts';
import { StagedRejections } from './staged-rejections.ts';
import { rejectedPartitionBy, storable } from './storable.ts';

/** Rejections whose `seen` is kept up to date; the oldest are dropped first. */
const rejectedIndexMax = 1_000_000;
/**
 * A file of the rejected table grows by rewriting until it has this many bytes (before
 * compression); then a next one begins.
 */
const rejectedFileMaxBytes = 2 * mebi;
/** Rejections in memory; past it they are staged between two checkpoints. */
const rejectedPendingMaxBytes = 4 * mebi;

export interface RejectedSinkOptions {
  readonly lake: LakeStore;
  readonly topology: string;
  readonly run: RunId;
  readonly clock: Clock;
  /** Default `rejectedFileMaxBytes`. */
  readonly fileMaxBytes?: number;
  /** Default `rejectedPendingMaxBytes`. */
  readonly pendingMaxBytes?: number;
  /** Identities whose `seen` is kept up to date. Default `rejectedIndexMax`. */
  readonly indexMax?: number;
}

interface RejectedState {
  readonly staged: readonly StagedContent[];
}

const table = 'rejected';

/**
 * Faults: `checkpoint-corrupt`, `disk-full`, `lake-write-failed`, `staged-file-missing`,
 * `table-mismatch`; after one only a new sink continues.
 */
export function rejectedSink(options: RejectedSinkOptions): Sink {
  return new RejectedSink(options);
}

class RejectedSink implements Sink {
  readonly #options: RejectedSinkOptions;
  #lake: LakeFiles | undefined;
  #files: RejectedFiles | undefined;
  #staging: StagedRejections | undefined;
  #pending: Rejections = new Map();
  #pendingBytes = 0;
  /** Events that were written since the last state, and those it named. */
  #writtenEvents = 0;
  #namedEvents = 0;

  constructor(options: RejectedSinkOptions) {
    this.#options = options;
  }

  open(restored: SinkState | undefined): Promise<void> {
    return guarded(async () => {
      const { lake: store, topology, run, clock } = this.#options;
      const lake = await openLake(store, run);
      this.#lake = lake;
      const partitionBy = rejectedPartitionBy;
      await describeTable(lake, { table, schema: rejectedSchema, partitionBy });
      const files = new RejectedFiles(lake, table, topology, run);
      await files.open(stagedOf(restored, topology));
      this.#files = files;
      this.#staging = new StagedRejections({
        files,
        segments: new IndexSegments(lake, topology, run, clock),
        index: new RejectedIndex(this.#options.indexMax ?? rejectedIndexMax),
        fileMaxBytes: this.#options.fileMaxBytes ?? rejectedFileMaxBytes,
        clock,
      });
    });
  }

  write(batch: ElementBatch): Promise<readonly RejectedRow[]> {
    const { clock, pendingMaxBytes = rejectedPendingMaxBytes } = this.#options;
    return guarded(async () => {
      for (let i = 0; i < batch.length; i++) {
        const event = storable(batch.values[i] as RejectedEvent, clock.now());
        const identity = rejectionIdentityOf(event);
        const before = this.#pending.get(identity);
        if (before === undefined) this.#pendingBytes += rejectionBytes(event);
        this.#pending.set(identity, addRejection(before, event));
        this.#writtenEvents++;
      }
      if (this.#pendingBytes >= pendingMaxBytes) await this.#stagePending();
      return [];
    });
  }

  prepare(): Promise<RejectedState> {
    return guarded(async () => {
      await this.#stagePending();
      this.#namedEvents += this.#writtenEvents;
      this.#writtenEvents = 0;
      return { staged: await this.#openFiles().name() };
    });
  }

  commit(): Promise<void> {
    return guarded(async () => {
      await this.#openFiles().publish();
      this.#namedEvents = 0;
    });
  }

  pendingRows(): number {
    return this.#writtenEvents + this.#namedEvents;
  }

  async close(): Promise<void> {
    await this.#lake?.close();
  }

  async #stagePending(): Promise<void> {
    if (this.#pending.size === 0) return;
    assert(this.#staging !== undefined, 'the rejected table is open');
    await this.#staging.stage(this.#pending);
    this.#pending = new Map();
    this.#pendingBytes = 0;
  }

  #openFiles(): RejectedFiles {
    assert(this.#files !== undefined, 'the rejected table is open');
    return this.#files;
  }
}

/** Throws `SluiceError` `checkpoint-corrupt`. */
function stagedOf(restored: SinkState | undefined, topology: string): readonly StagedContent[] {
  if (restored === undefined) return [];
  const shape = objectOf({ staged: listOf(stagedContent(table, topology)) });
  requireShape(`the table '${table}'`, restored, shape);
  return (restored as RejectedState).staged;
}

async function guarded<T>(what: () => Promise<T>): Promise<T> {
  try {
    return await what();
  } catch (thrown) {
    throw fileFault('lake-write-failed', `table '${table}'`, thrown);
  }
}

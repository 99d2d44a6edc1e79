/**
 * Nodes and edges of a property graph: writes are staged in blobs (staged-writes.ts), named by the
 * checkpoint, and applied in chunks when it is complete (applied-writes.ts).
 *
 * Invariants:
 * 1. A state names all that is staged and not known to be applied; a blob is kept until the commit
 *    after the one that applied it, and until a checkpoint is complete that does not name it.
 * 2. Chunks are applied in order of checkpoint and number, those of a checkpoint only once it is
 *    complete.
 * 3. Staging never waits for the database. It may be locked, slow or away, also when the sink
 *    opens: what is staged waits for it, up to a bound.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import { mebi } from '../../schemas/kernel/bytes.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { ElementBatch, RejectedRow, Sink, SinkState } from '../../topology/index.ts';
import type { RestoredWrites } from './applied-writes.ts';
import { AppliedWrites } from './applied-writes.ts';
import type { GraphDatabase } from './graph-database.ts';
import { serial } from './serial.ts';
import type { StagedFile, StagedWritesOptions } from './staged-writes.ts';
import { graphStagedMaxBytes, StagedWrites } from './staged-writes.ts';

/**
 * Staged writes of a graph sink that wait for a database which is locked, slow or away: files,
 * and their bytes; past either nothing is read.
 */
export const graphStagedMaxFiles = 5_000;
const graphStagedBehindMaxBytes = 2_048 * mebi;
assert(
  graphStagedMaxBytes < graphStagedBehindMaxBytes,
  'a checkpoint can be staged while others wait for the database',
);

export interface GraphSinkOptions extends StagedWritesOptions {
  readonly database: GraphDatabase;
  /**
   * By which `open` waits for the database no longer than `sinkCommitWaitMs`; without it, as long
   * as that takes.
   */
  readonly clock?: Clock;
}

/** A file whose chunks are all in the database. */
interface AppliedFile {
  readonly file: string;
  /** The last checkpoint that may name it. */
  readonly namedBy: number;
}

/** What may pass while a sink opens: then it opens with the next commit. */
const passing: ReadonlySet<string> = new Set(['graph-unreachable', 'graph-busy']);

/**
 * Faults: `checkpoint-corrupt`, `staged-file-missing`, `fenced`, `graph-model-mismatch`, `graph-behind`, and those of the
 * database and of the store.
 */
export function graphSink(options: GraphSinkOptions): Sink {
  return new GraphSink(options);
}

class GraphSink implements Sink {
  readonly commitsAside = true;
  readonly #clock: Clock | undefined;
  readonly #writes: StagedWrites;
  readonly #database: AppliedWrites;
  readonly #oneByOne = serial();
  #restored: RestoredWrites = { applied: 0, files: [] };
  #staged: readonly StagedFile[] = [];
  #done: readonly AppliedFile[] = [];
  #prepared = 0;
  #applied = 0;

  constructor({ database, clock, ...staged }: GraphSinkOptions) {
    this.#clock = clock;
    this.#writes = new StagedWrites(staged);
    const { model, sink, run } = staged;
    const read = (file: StagedFile): ReturnType<StagedWrites['read']> => this.#writes.read(file);
    this.#database = new AppliedWrites({ database, model, sink, run, read });
  }

  get isFull(): boolean {
    return (
      this.#staged.length >= graphStagedMaxFiles || this.#writes.bytes >= graphStagedBehindMaxBytes
    );
  }

  async open(state: SinkState | undefined): Promise<void> {
    if (state !== undefined) this.#restored = this.#writes.restoredOf(state);
    const { applied, files } = this.#restored;
    this.#applied = applied;
    this.#staged = files;
    this.#writes.restore(files);
    const named = new Set(files.map(({ file }) => file));
    const last = files.at(-1)?.checkpoint ?? 0;
    const opening = this.#oneByOne(async () => {
      await this.#database.claim(this.#restored);
      await this.#writes.deleteOthers(named);
      await this.#apply(last);
    });
    if (this.#clock === undefined) await opening;
    else await soon(this.#clock, opening);
  }

  write(batch: ElementBatch): Promise<readonly RejectedRow[]> {
    return this.#writes.add(batch);
  }

  async prepare(checkpoint: number): Promise<RestoredWrites> {
    const fresh = await this.#writes.stage(checkpoint);
    this.#staged = [...this.#staged, ...fresh];
    this.#prepared = checkpoint;
    return { applied: this.#applied, files: this.#staged };
  }

  commit(checkpoint: number): Promise<void> {
    return this.#oneByOne(async () => {
      const before = this.#done;
      await this.#apply(checkpoint);
      await this.#deleteApplied(before, checkpoint);
    });
  }

  pendingRows(): number {
    return this.#writes.rows + this.#staged.reduce((sum, { rows }) => sum + rows, 0);
  }

  async close(): Promise<void> {
    this.#database.close();
    if (this.#clock === undefined) await this.#oneByOne(() => Promise.resolve());
  }

  /** Applies what is staged up to `checkpoint`, in order. */
  async #apply(checkpoint: number): Promise<void> {
    await this.#database.claim(this.#restored);
    for (
      let next = this.#staged[0];
      next !== undefined && next.checkpoint <= checkpoint;
      next = this.#staged[0]
    ) {
      await this.#database.apply(next);
      // Others may have been staged meanwhile.
      this.#staged = this.#staged.slice(1);
      this.#writes.letGo(next);
      const namedBy = this.#prepared > checkpoint ? this.#prepared : 0;
      this.#done = [...this.#done, { file: next.file, namedBy }];
      this.#applied = next.checkpoint;
    }
  }

  async #deleteApplied(before: readonly AppliedFile[], checkpoint: number): Promise<void> {
    const over = before.filter(({ namedBy }) => namedBy < checkpoint);
    this.#done = this.#done.filter((file) => !over.includes(file));
    // What cannot be deleted now is when the next run opens.
    for (const { file } of over) await this.#writes.delete(file).catch(() => undefined);
  }
}

/**
 * Waits for `opening` no longer than a checkpoint waits for a commit, and for nothing that may
 * pass. Every other fault is told by the next commit, too.
 */
function soon(clock: Clock, opening: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.setTimer(limits.sinkCommitWaitMs, resolve);
    opening
      .finally(() => timer.cancel())
      .then(resolve, (thrown: unknown) => {
        if (thrown instanceof SluiceError && passing.has(thrown.code)) resolve();
        else reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
      });
  });
}

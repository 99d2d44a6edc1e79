/**
 * Brings staged writes of a graph sink into its database, in order of checkpoint and chunk.
 *
 * Invariants:
 * 1. The database records which chunks it has, so a restart skips those, and so does a retried
 *    commit.
 * 2. Nothing is applied before the database was asked for the sink's progress.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { RunId } from '../../schemas/run-id.ts';
import type { GraphModel, GraphWrite } from '../../topology/index.ts';
import type { GraphDatabase, Progress, SinkClaim } from './graph-database.ts';
import { graphBehind } from './graph-database.ts';
import type { StagedFile } from './staged-writes.ts';

export interface AppliedWritesOptions {
  readonly database: GraphDatabase;
  readonly model: GraphModel;
  /** `<topology>/<node>` */
  readonly sink: string;
  readonly run: RunId;
  readonly read: (file: StagedFile) => Promise<readonly (readonly GraphWrite[])[]>;
}

/** What the state says that the sink resumes from. */
export interface RestoredWrites {
  /** The checkpoint up to which all chunks were in the database when the state was made. */
  readonly applied: number;
  readonly files: readonly StagedFile[];
}

/**
 * What was applied of a state's writes at least, all before the first file that it names, and at
 * most.
 */
function restoredFrom({ applied, files }: RestoredWrites): SinkClaim['restored'] {
  const [first, last] = [files[0], files.at(-1)];
  const none = { checkpoint: applied, chunk: 0 };
  return {
    from: first === undefined ? none : { checkpoint: first.checkpoint, chunk: first.first - 1 },
    to:
      last === undefined
        ? none
        : { checkpoint: last.checkpoint, chunk: last.first + last.chunks - 1 },
  };
}

export class AppliedWrites {
  readonly #options: AppliedWritesOptions;
  /** How far the database is; undefined until it was asked. */
  #progress: Progress | undefined;
  #closed = false;

  constructor(options: AppliedWritesOptions) {
    this.#options = options;
  }

  /** Prepares the database, once. */
  async claim(restored: RestoredWrites): Promise<void> {
    if (this.#progress !== undefined) return;
    const { database, sink, run, model } = this.#options;
    const found = await database.openSink({ sink, run, model, restored: restoredFrom(restored) });
    if (found.checkpoint < restored.applied)
      throw graphBehind(sink, found, { checkpoint: restored.applied, chunk: 1 });
    this.#progress = found;
  }

  async apply(file: StagedFile): Promise<void> {
    const { database, sink, run, read } = this.#options;
    const { checkpoint, first, chunks } = file;
    if (this.#isApplied(checkpoint, first + chunks - 1)) return;
    for (const [index, writes] of (await read(file)).entries()) {
      const chunk = first + index;
      if (this.#isApplied(checkpoint, chunk)) continue;
      if (this.#closed)
        throw new SluiceError('sink-closed', `the graph sink '${sink}' was closed`, {
          retryable: true,
        });
      await database.applyChunk({ sink, run, checkpoint, chunk }, writes);
      this.#progress = { checkpoint, chunk };
    }
  }

  /** No chunk begins after it. */
  close(): void {
    this.#closed = true;
  }

  #isApplied(checkpoint: number, chunk: number): boolean {
    const progress = this.#progress;
    return (
      progress !== undefined &&
      (progress.checkpoint > checkpoint ||
        (progress.checkpoint === checkpoint && progress.chunk >= chunk))
    );
  }
}

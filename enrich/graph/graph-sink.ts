/**
 * Nodes and edges of a property graph: writes are staged in blobs, named by the checkpoint, and
 * applied in chunks when it is complete.
 *
 * Blobs: `<folder>/<run>-<number>.ndjson`, as staged-chunks.ts has them.
 *
 * Invariants:
 * 1. An element whose writes do not fit the model is handed back whole, and never stops the others.
 * 2. A state names all that is staged and not known to be applied; a blob is kept until the commit
 *    after the one that applied it, and until a checkpoint is complete that does not name it.
 * 3. Chunks are applied in order of checkpoint and number, those of a checkpoint only once it is
 *    complete. Which of them are in the database it says itself, so a restart skips those, and so
 *    does a commit that is tried again.
 * 4. What is in memory is bounded: past it writes go to a blob at once, which the next state names.
 * 5. Staging never waits for the database. It may be locked, slow or away, also when the sink
 *    opens: what is staged waits for it, up to a bound.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { RunId } from '../../schemas/run-id.ts';
import { isOfPast, runName, runPattern, runTrace } from '../../schemas/run-id.ts';
import type { GraphModel, GraphWrite, RefusedRow, Sink } from '../../topology/index.ts';
import { fitWrites } from '../../topology/index.ts';
import type { GraphDatabase, Progress, SinkClaim } from './graph-database.ts';
import { graphBehind } from './graph-database.ts';
import { PendingWrites } from './pending-writes.ts';
import { serial } from './serial.ts';
import type { ChunksSum } from './staged-chunks.ts';
import { encodeChunks, readChunks } from './staged-chunks.ts';

export interface GraphSinkOptions {
  readonly database: GraphDatabase;
  readonly model: GraphModel;
  readonly staging: BlobStore;
  /** In `staging`, of this sink alone. */
  readonly folder: string;
  /** `<topology>/<node>` */
  readonly sink: string;
  readonly run: RunId;
  /**
   * By which `open` waits for the database no longer than `sinkCommitWaitMs`; without it, as long
   * as that takes.
   */
  readonly clock?: Clock;
}

interface WrittenFile extends ChunksSum {
  /** In `folder`. */
  readonly file: string;
  /** Elements whose writes it has. */
  readonly rows: number;
}

interface StagedFile extends WrittenFile {
  readonly checkpoint: number;
  /** The number of its first chunk in the checkpoint. */
  readonly first: number;
}

interface GraphSinkState {
  /** The checkpoint up to which all chunks were in the database when the state was made. */
  readonly applied: number;
  readonly files: readonly StagedFile[];
}

/** A file whose chunks are all in the database. */
interface AppliedFile {
  readonly file: string;
  /** The last checkpoint that may name it. */
  readonly namedBy: number;
}

/** What may pass while a sink opens: then it opens with the next commit. */
const passing: ReadonlySet<string> = new Set(['graph-unreachable', 'graph-busy']);

const filePattern = new RegExp(`^${runPattern}-\\d+\\.ndjson$`);

/**
 * What was applied of a state's writes at least, all before the first file that it names, and at
 * most.
 */
function restoredFrom({ applied, files }: GraphSinkState): SinkClaim['restored'] {
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

/**
 * Faults: `staged-file-missing`, `fenced`, `graph-model-mismatch`, `graph-behind`, and those of the
 * database and of the store.
 */
export function graphSink(options: GraphSinkOptions): Sink {
  const { database, model, staging, folder, sink, run, clock } = options;
  const keyOf = (file: string): string => `${folder}/${file}`;
  const pending = new PendingWrites(model);
  let pendingElements = 0;
  /** Files made of pending writes since the last returned state. */
  let written: WrittenFile[] = [];
  let files = 0;
  let staged: readonly StagedFile[] = [];
  let stagedBytes = 0;
  let done: readonly AppliedFile[] = [];
  let prepared = 0;
  let restored: GraphSinkState = { applied: 0, files: [] };
  let applied = 0;
  /** How far the database is; undefined until it was asked. */
  let progress: Progress | undefined;
  let closed = false;
  const oneByOne = serial();

  const spill = async (): Promise<void> => {
    if (pending.writes === 0) return;
    const { text, sum } = encodeChunks(pending.takeChunks());
    const file = `${runName(run)}-${files++}.ndjson`;
    const rows = pendingElements;
    pendingElements = 0;
    stagedBytes += sum.bytes;
    written.push({ file, rows, ...sum });
    const created = await staging.createIfAbsent(keyOf(file), text);
    assert(created, `no other run is called ${runName(run)}`);
  };

  /** Prepares the database, once. */
  const claim = async (): Promise<void> => {
    if (progress !== undefined) return;
    const found = await database.openSink({ sink, run, model, restored: restoredFrom(restored) });
    if (found.checkpoint < restored.applied)
      throw graphBehind(sink, found, { checkpoint: restored.applied, chunk: 1 });
    progress = found;
  };

  const isApplied = (checkpoint: number, chunk: number): boolean =>
    progress !== undefined &&
    (progress.checkpoint > checkpoint ||
      (progress.checkpoint === checkpoint && progress.chunk >= chunk));

  const applyFile = async (file: StagedFile): Promise<void> => {
    const { checkpoint, first, chunks } = file;
    if (isApplied(checkpoint, first + chunks - 1)) return;
    for (const [index, writes] of (await chunksOf(file)).entries()) {
      const chunk = first + index;
      if (isApplied(checkpoint, chunk)) continue;
      if (closed)
        throw new SluiceError('sink-closed', `the graph sink '${sink}' was closed`, {
          retryable: true,
        });
      await database.applyChunk({ sink, run, checkpoint, chunk }, writes);
      progress = { checkpoint, chunk };
    }
  };

  /** Applies what is staged up to `checkpoint`, in order. */
  const apply = async (checkpoint: number): Promise<void> => {
    await claim();
    for (
      let next = staged[0];
      next !== undefined && next.checkpoint <= checkpoint;
      next = staged[0]
    ) {
      await applyFile(next);
      // Others may have been staged meanwhile.
      staged = staged.slice(1);
      stagedBytes -= next.bytes ?? 0;
      done = [...done, { file: next.file, namedBy: prepared > checkpoint ? prepared : 0 }];
      applied = next.checkpoint;
    }
  };

  const deleteApplied = async (
    before: readonly AppliedFile[],
    checkpoint: number,
  ): Promise<void> => {
    const over = before.filter(({ namedBy }) => namedBy < checkpoint);
    done = done.filter((file) => !over.includes(file));
    // What cannot be deleted now is when the next run opens.
    for (const { file } of over) await staging.delete(keyOf(file)).catch(() => undefined);
  };

  return {
    commitsAside: true,
    get isFull() {
      return (
        staged.length >= limits.graphStagedMaxFiles ||
        stagedBytes >= limits.graphStagedBehindMaxBytes
      );
    },
    async open(state) {
      restored = (state as GraphSinkState | undefined) ?? restored;
      ({ applied, files: staged } = restored);
      stagedBytes = staged.reduce((sum, { bytes = 0 }) => sum + bytes, 0);
      const named = new Set(staged.map(({ file }) => file));
      const last = staged.at(-1)?.checkpoint ?? 0;
      const opening = oneByOne(async () => {
        await claim();
        await deleteOthers(named);
        await apply(last);
      });
      if (clock === undefined) await opening;
      else await soon(clock, opening);
    },
    async write(batch) {
      const refused: RefusedRow[] = [];
      for (let index = 0; index < batch.length; index++) {
        const writes = batch.values[index];
        const fit = fitWrites(model, writes);
        if ('message' in fit) {
          refused.push({ index, ...fit });
          continue;
        }
        if (fit.length > 0) pendingElements++;
        for (const [at, size] of fit.entries())
          pending.add((writes as readonly GraphWrite[])[at] as GraphWrite, size);
        if (
          pending.writes >= limits.graphStagedMaxWrites ||
          pending.bytes >= limits.graphStagedMaxBytes
        )
          await spill();
      }
      return refused;
    },
    async prepare(checkpoint): Promise<GraphSinkState> {
      await spill();
      let first = 1;
      const fresh = written.map((file): StagedFile => {
        const at = first;
        first += file.chunks;
        return { ...file, checkpoint, first: at };
      });
      written = [];
      staged = [...staged, ...fresh];
      prepared = checkpoint;
      return { applied, files: staged };
    },
    commit: (checkpoint) =>
      oneByOne(async () => {
        const before = done;
        await apply(checkpoint);
        await deleteApplied(before, checkpoint);
      }),
    pendingRows: () =>
      pendingElements +
      written.reduce((sum, { rows }) => sum + rows, 0) +
      staged.reduce((sum, { rows }) => sum + rows, 0),
    async close() {
      closed = true;
      if (clock === undefined) await oneByOne(() => Promise.resolve());
    },
  };

  /** What the last state does not name was staged for no checkpoint. */
  async function deleteOthers(named: ReadonlySet<string>): Promise<void> {
    for (const key of await staging.list(`${folder}/`)) {
      const file = key.slice(folder.length + 1);
      if (!named.has(file) && isLeft(file)) await staging.delete(key);
    }
  }

  /**
   * Left by a run that this one followed: what is of a later one, or of another lineage, is not its
   * to judge, and what it staged itself is not left.
   */
  function isLeft(file: string): boolean {
    const by = filePattern.exec(file);
    return (
      by !== null &&
      isOfPast(runTrace(by[1] as string, by[2]), run) &&
      !file.startsWith(`${runName(run)}-`)
    );
  }

  async function chunksOf({
    file,
    ...sum
  }: StagedFile): Promise<readonly (readonly GraphWrite[])[]> {
    const bytes = await staging.get(keyOf(file));
    if (bytes === undefined) throw missing(`${keyOf(file)} is not there`);
    const read = readChunks(bytes, sum);
    if (read.kind === 'damaged') throw missing(`${keyOf(file)} ${read.why}`);
    return read.chunks;
  }

  function missing(what: string): SluiceError {
    return new SluiceError(
      'staged-file-missing',
      `the last checkpoint of the graph sink '${sink}' names writes that are lost: ${what}`,
      {
        fix: 'put it back from a copy, or start anew with `sluice reset`',
      },
    );
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

/**
 * Nodes and edges of a property graph: writes are staged in blobs, named by the checkpoint, and applied in chunks when it is complete.
 *
 * Blobs: `<folder>/<run>-<number>.ndjson`, a line a chunk.
 *
 * Invariants:
 * 1. An element whose writes do not fit the model is handed back whole, and never stops the others.
 * 2. A state names all that is staged and not known to be applied; a blob is kept until the commit after the one that applied it.
 * 3. Chunks are applied in order of checkpoint and number. Which of them are in the database it says itself, so a restart skips those.
 * 4. What is in memory is bounded: past it writes go to a blob at once, which the next state names.
 */
import { assert } from '../../schemas/kernel/assert.ts';
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

export interface GraphSinkOptions {
  readonly database: GraphDatabase;
  readonly model: GraphModel;
  readonly staging: BlobStore;
  /** In `staging`, of this sink alone. */
  readonly folder: string;
  /** `<topology>/<node>` */
  readonly sink: string;
  readonly run: RunId;
}

interface StagedFile {
  /** In `folder`. */
  readonly file: string;
  readonly checkpoint: number;
  /** The number of its first chunk in the checkpoint. */
  readonly first: number;
  readonly chunks: number;
  /** Elements whose writes it has. */
  readonly rows: number;
}

interface GraphSinkState {
  /** The checkpoint up to which all chunks were in the database when the state was made. */
  readonly applied: number;
  readonly files: readonly StagedFile[];
}

interface WrittenFile {
  readonly file: string;
  readonly chunks: number;
  readonly rows: number;
}

const filePattern = new RegExp(`^${runPattern}-\\d+\\.ndjson$`);

/** What was applied of a state's writes at least, all before the first file that it names, and at most. */
function restoredFrom({ applied, files }: GraphSinkState): SinkClaim['restored'] {
  const [first, last] = [files[0], files.at(-1)];
  const none = { checkpoint: applied, chunk: 0 };
  return {
    from: first === undefined ? none : { checkpoint: first.checkpoint, chunk: first.first - 1 },
    to: last === undefined ? none : { checkpoint: last.checkpoint, chunk: last.first + last.chunks - 1 },
  };
}

/** Faults: `staged-file-missing`, `fenced`, `graph-model-mismatch`, `graph-behind`, and those of the database and of the store. */
export function graphSink(options: GraphSinkOptions): Sink {
  const { database, model, staging, folder, sink, run } = options;
  const keyOf = (file: string): string => `${folder}/${file}`;
  const pending = new PendingWrites(model);
  let pendingElements = 0;
  /** Files made of pending writes since the last returned state. */
  let written: WrittenFile[] = [];
  let files = 0;
  let staged: readonly StagedFile[] = [];
  /** Files whose chunks are all in the database. */
  let done: readonly StagedFile[] = [];
  let progress: Progress = { checkpoint: 0, chunk: 0 };
  let applied = 0;
  let committing: Promise<void> = Promise.resolve();

  const spill = async (): Promise<void> => {
    if (pending.writes === 0) return;
    const chunks = pending.takeChunks();
    const file = `${runName(run)}-${files++}.ndjson`;
    const rows = pendingElements;
    pendingElements = 0;
    written.push({ file, chunks: chunks.length, rows });
    const created = await staging.createIfAbsent(keyOf(file), Buffer.from(`${chunks.join('\n')}\n`));
    assert(created, `no other run is called ${runName(run)}`);
  };

  const isApplied = (checkpoint: number, chunk: number): boolean =>
    progress.checkpoint > checkpoint || (progress.checkpoint === checkpoint && progress.chunk >= chunk);

  const applyFile = async ({ file, checkpoint, first, chunks }: StagedFile): Promise<void> => {
    if (isApplied(checkpoint, first + chunks - 1)) return;
    const lines = await readChunks(file, chunks);
    for (const [index, line] of lines.entries()) {
      const chunk = first + index;
      if (isApplied(checkpoint, chunk)) continue;
      await database.applyChunk({ sink, run, checkpoint, chunk }, JSON.parse(line) as GraphWrite[]);
      progress = { checkpoint, chunk };
    }
  };

  /** Applies what is staged up to `checkpoint`, in order. */
  const apply = async (checkpoint: number): Promise<void> => {
    for (let [next, ...rest] = staged; next !== undefined && next.checkpoint <= checkpoint; [next, ...rest] = staged) {
      await applyFile(next);
      staged = rest;
      done = [...done, next];
      applied = next.checkpoint;
    }
  };

  return {
    async open(restored) {
      const state = (restored as GraphSinkState | undefined) ?? { applied: 0, files: [] };
      progress = await database.openSink({ sink, run, model, restored: restoredFrom(state) });
      if (progress.checkpoint < state.applied) throw graphBehind(sink, progress, { checkpoint: state.applied, chunk: 1 });
      const named = new Set(state.files.map(({ file }) => file));
      for (const key of await staging.list(`${folder}/`)) {
        const file = key.slice(folder.length + 1);
        if (!named.has(file) && isOurs(file)) await staging.delete(key);
      }
      ({ applied, files: staged } = state);
      await apply(Number.POSITIVE_INFINITY);
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
        for (const [at, size] of fit.entries()) pending.add((writes as readonly GraphWrite[])[at] as GraphWrite, size);
        if (pending.writes >= limits.graphStagedMaxWrites || pending.bytes >= limits.graphStagedMaxBytes) await spill();
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
      return { applied, files: staged };
    },
    commit(checkpoint) {
      const commit = committing
        .catch(() => undefined)
        .then(async () => {
          const old = done;
          await apply(checkpoint);
          done = done.slice(old.length);
          // What cannot be deleted now is when the next run opens.
          for (const { file } of old) await staging.delete(keyOf(file)).catch(() => undefined);
        });
      committing = commit;
      return commit;
    },
    pendingRows: () => pendingElements + written.reduce((sum, { rows }) => sum + rows, 0) + staged.reduce((sum, { rows }) => sum + rows, 0),
    async close() {
      await committing.catch(() => undefined);
    },
  };

  /** Left by a run that this one followed: what is of a later one, or of another lineage, is not its to judge. */
  function isOurs(file: string): boolean {
    const by = filePattern.exec(file);
    return by !== null && isOfPast(runTrace(by[1] as string, by[2]), run);
  }

  async function readChunks(file: string, chunks: number): Promise<readonly string[]> {
    const bytes = await staging.get(keyOf(file));
    if (bytes === undefined) throw missing(`${keyOf(file)} is not there`);
    const lines = Buffer.from(bytes).toString('utf8').trimEnd().split('\n');
    if (lines.length === chunks) return lines;
    throw missing(`${keyOf(file)} has ${lines.length} chunks, not ${chunks}`);
  }

  function missing(what: string): SluiceError {
    return new SluiceError('staged-file-missing', `the last checkpoint of the graph sink '${sink}' names writes that are lost: ${what}`, {
      fix: 'put it back from a copy, or start anew with `sluice reset`',
    });
  }
}

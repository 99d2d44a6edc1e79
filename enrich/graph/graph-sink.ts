/**
 * Nodes and edges of a property graph: writes are staged in files, named by the checkpoint, and applied in chunks when it is complete.
 *
 * Files: `<dir>/<attempt>-<number>.ndjson`, a line a chunk.
 *
 * Invariants:
 * 1. An element whose writes do not fit the model is handed back whole, and never stops the others.
 * 2. A state names all that is staged and not known to be applied; a file is kept until the commit after the one that applied it.
 * 3. Chunks are applied in order of checkpoint and number. Which of them are in the database it says itself, so a restart skips those.
 * 4. What is in memory is bounded: past it writes go to a file at once, which the next state names.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { GraphModel, GraphWrite, RefusedRow, Sink } from '../../topology/index.ts';
import { fileFault, makeDirectory, syncDirectory, writeDurable } from '../durable-file.ts';
import type { WriteProblem } from './fit-write.ts';
import { fitWrite } from './fit-write.ts';
import type { GraphDatabase, Progress } from './graph-database.ts';
import { graphBehind } from './graph-database.ts';
import { PendingWrites } from './pending-writes.ts';

export interface GraphSinkOptions {
  readonly database: GraphDatabase;
  readonly model: GraphModel;
  /** Of this sink alone. */
  readonly dir: string;
  /** `<topology>/<node>` */
  readonly sink: string;
  readonly attempt: number;
}

interface StagedFile {
  /** In `dir`. */
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

/** Faults: `disk-full`, `graph-staging-failed`, `staged-file-missing`, `fenced`, `graph-model-mismatch`, `graph-behind`, and the database's own. */
export function graphSink(options: GraphSinkOptions): Sink {
  const { database, model, dir, sink, attempt } = options;
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

  const onDisk = <T>(work: () => T): T => {
    try {
      return work();
    } catch (thrown) {
      throw fileFault('graph-staging-failed', `the graph sink '${sink}'`, thrown);
    }
  };

  const spill = (): void => {
    if (pending.writes === 0) return;
    const chunks = pending.takeChunks();
    const file = `${attempt}-${files++}.ndjson`;
    onDisk(() => writeDurable(join(dir, file), Buffer.from(`${chunks.join('\n')}\n`)));
    written.push({ file, chunks: chunks.length, rows: pendingElements });
    pendingElements = 0;
  };

  const isApplied = (checkpoint: number, chunk: number): boolean =>
    progress.checkpoint > checkpoint || (progress.checkpoint === checkpoint && progress.chunk >= chunk);

  const applyFile = async ({ file, checkpoint, first, chunks }: StagedFile): Promise<void> => {
    if (isApplied(checkpoint, first + chunks - 1)) return;
    const lines = readChunks(join(dir, file), chunks);
    for (const [index, line] of lines.entries()) {
      const chunk = first + index;
      if (isApplied(checkpoint, chunk)) continue;
      await database.applyChunk({ sink, attempt, checkpoint, chunk }, JSON.parse(line) as GraphWrite[]);
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

  const fitAll = (value: unknown): readonly number[] | WriteProblem => {
    if (!Array.isArray(value)) return { message: 'a graph takes an array of writes', pointer: '' };
    const sizes: number[] = [];
    for (const [index, write] of value.entries()) {
      const fit = fitWrite(model, write);
      if (typeof fit !== 'number') return { message: fit.message, pointer: `/${index}${fit.pointer}` };
      sizes.push(fit);
    }
    return sizes;
  };

  return {
    async open(restored) {
      onDisk(() => makeDirectory(dir));
      progress = await database.openSink({ sink, attempt, model });
      const state = (restored as GraphSinkState | undefined) ?? { applied: 0, files: [] };
      if (progress.checkpoint < state.applied) throw graphBehind(sink, progress, { checkpoint: state.applied, chunk: 1 });
      const named = new Set(state.files.map(({ file }) => file));
      onDisk(() => {
        for (const name of readdirSync(dir)) if (!named.has(name)) rmSync(join(dir, name), { recursive: true });
      });
      ({ applied, files: staged } = state);
      await apply(Number.POSITIVE_INFINITY);
    },
    async write(batch) {
      const refused: RefusedRow[] = [];
      for (let index = 0; index < batch.length; index++) {
        const writes = batch.values[index];
        const fit = fitAll(writes);
        if ('message' in fit) {
          refused.push({ index, ...fit });
          continue;
        }
        if (fit.length > 0) pendingElements++;
        for (const [at, size] of fit.entries()) pending.add((writes as readonly GraphWrite[])[at] as GraphWrite, size);
        if (pending.writes >= limits.graphStagedMaxWrites || pending.bytes >= limits.graphStagedMaxBytes) spill();
      }
      return refused;
    },
    async prepare(checkpoint): Promise<GraphSinkState> {
      spill();
      if (written.length > 0) onDisk(() => syncDirectory(dir));
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
          onDisk(() => {
            for (const { file } of old) rmSync(join(dir, file), { force: true });
          });
        });
      committing = commit;
      return commit;
    },
    pendingRows: () => pendingElements + written.reduce((sum, { rows }) => sum + rows, 0) + staged.reduce((sum, { rows }) => sum + rows, 0),
    async close() {
      await committing.catch(() => undefined);
    },
  };

  function readChunks(path: string, chunks: number): readonly string[] {
    const text = onDisk(() => {
      try {
        return readFileSync(path, 'utf8');
      } catch (thrown) {
        if (systemCodeOf(thrown) !== 'ENOENT') throw thrown;
        throw missing(`${path} is not there`);
      }
    });
    const lines = text.trimEnd().split('\n');
    if (lines.length === chunks) return lines;
    throw missing(`${path} has ${lines.length} chunks, not ${chunks}`);
  }

  function missing(what: string): SluiceError {
    return new SluiceError('staged-file-missing', `the last checkpoint of the graph sink '${sink}' names writes that are lost: ${what}`, {
      fix: 'put the folder back from a copy, or start anew with `sluice reset`',
    });
  }
}

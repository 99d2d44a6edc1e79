/**
 * The writes of a graph sink on their way to a commit: in memory, then in blobs that checkpoints
 * name.
 *
 * Blobs: `<folder>/<run>-<number>.ndjson`, as staged-chunks.ts has them.
 *
 * Invariants:
 * 1. An element whose writes do not fit the model is handed back whole, and never stops the others.
 * 2. What is in memory is bounded: past it writes go to a blob at once, which the next state names.
 * 3. Only what earlier runs of the lineage left is removed: what is of a later one, or of another
 *    lineage, is not this run's to judge.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import { mebi } from '../../schemas/kernel/bytes.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { RunId } from '../../schemas/run-id.ts';
import { isOfPast, runName, runPattern, runTrace } from '../../schemas/run-id.ts';
import { listOf, objectOf, oneOf, whole } from '../../schemas/shape.ts';
import type { ElementBatch, GraphModel, GraphWrite, RejectedRow } from '../../topology/index.ts';
import { fitWrites } from '../../topology/index.ts';
import { requireShape } from '../lake/restored-state.ts';
import type { RestoredWrites } from './applied-writes.ts';
import { graphChunkMaxBytes, PendingWrites } from './pending-writes.ts';
import type { ChunksSum } from './staged-chunks.ts';
import { encodeChunks, readChunks } from './staged-chunks.ts';

/** Bytes of writes in memory; past it they are staged between two checkpoints. */
export const graphStagedMaxBytes = 32 * mebi;
assert(graphChunkMaxBytes <= graphStagedMaxBytes, 'staged writes make at least one chunk');

export interface StagedWritesOptions {
  readonly model: GraphModel;
  readonly staging: BlobStore;
  /** In `staging`, of this sink alone. */
  readonly folder: string;
  /** `<topology>/<node>` */
  readonly sink: string;
  readonly run: RunId;
}

interface WrittenFile extends ChunksSum {
  /** In `folder`. */
  readonly file: string;
  /** Elements whose writes it has. */
  readonly rows: number;
}

export interface StagedFile extends WrittenFile {
  readonly checkpoint: number;
  /** The number of its first chunk in the checkpoint. */
  readonly first: number;
}

const filePattern = new RegExp(`^${runPattern}-\\d+\\.ndjson$`);
const shape = objectOf({
  applied: whole,
  files: listOf(
    objectOf(
      {
        file: oneOf(
          'the name of a staged file',
          (value) => typeof value === 'string' && filePattern.test(value),
        ),
        rows: whole,
        chunks: whole,
        checkpoint: whole,
        first: whole,
      },
      { bytes: whole, crc: whole },
    ),
  ),
});

export class StagedWrites {
  readonly #options: StagedWritesOptions;
  readonly #pending: PendingWrites;
  #pendingElements = 0;
  /** Files made of pending writes since the last returned state. */
  #written: WrittenFile[] = [];
  #files = 0;
  /** Bytes of all files that are still listed. */
  #bytes = 0;

  constructor(options: StagedWritesOptions) {
    this.#options = options;
    this.#pending = new PendingWrites(options.model);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Elements that no state names yet. */
  get rows(): number {
    return this.#pendingElements + this.#written.reduce((sum, { rows }) => sum + rows, 0);
  }

  /** What a checkpoint says of the sink. Throws `SluiceError` `checkpoint-corrupt`. */
  restoredOf(state: unknown): RestoredWrites {
    requireShape(`the graph sink '${this.#options.sink}'`, state, shape);
    return state as RestoredWrites;
  }

  /** Files of the state that the sink resumes from. */
  restore(files: readonly StagedFile[]): void {
    this.#bytes = files.reduce((sum, { bytes = 0 }) => sum + bytes, 0);
  }

  async add(batch: ElementBatch): Promise<readonly RejectedRow[]> {
    const pending = this.#pending;
    const rejected: RejectedRow[] = [];
    for (let index = 0; index < batch.length; index++) {
      const writes = batch.values[index];
      const fit = fitWrites(this.#options.model, writes);
      if ('message' in fit) {
        rejected.push({ index, ...fit });
        continue;
      }
      if (fit.length > 0) this.#pendingElements++;
      for (const [at, size] of fit.entries())
        pending.add((writes as readonly GraphWrite[])[at] as GraphWrite, size);
      if (pending.writes >= limits.graphStagedMaxWrites || pending.bytes >= graphStagedMaxBytes)
        await this.#spill();
    }
    return rejected;
  }

  /** All that came since the last call, durable, as files of `checkpoint`. */
  async stage(checkpoint: number): Promise<readonly StagedFile[]> {
    await this.#spill();
    let first = 1;
    const fresh = this.#written.map((file): StagedFile => {
      const at = first;
      first += file.chunks;
      return { ...file, checkpoint, first: at };
    });
    this.#written = [];
    return fresh;
  }

  async read({ file, ...sum }: StagedFile): Promise<readonly (readonly GraphWrite[])[]> {
    const key = this.#keyOf(file);
    const bytes = await this.#options.staging.get(key);
    if (bytes === undefined)
      throw this.#missing(`${key} does not exist`, { key, found: 'nothing' });
    const read = readChunks(bytes, sum);
    if (read.kind === 'damaged')
      throw this.#missing(`${key} ${read.why}`, { key, found: read.kind });
    return read.chunks;
  }

  /** Its writes are in the database: it no longer counts. */
  letGo({ bytes = 0 }: StagedFile): void {
    this.#bytes -= bytes;
  }

  delete(file: string): Promise<void> {
    return this.#options.staging.delete(this.#keyOf(file));
  }

  /** What the last state does not name was staged for no checkpoint. */
  async deleteOthers(named: ReadonlySet<string>): Promise<void> {
    const { staging, folder } = this.#options;
    for (const key of await staging.list(`${folder}/`)) {
      const file = key.slice(folder.length + 1);
      if (!named.has(file) && this.#isLeft(file)) await staging.delete(key);
    }
  }

  async #spill(): Promise<void> {
    if (this.#pending.writes === 0) return;
    const { staging, run } = this.#options;
    const { text, sum } = encodeChunks(this.#pending.takeChunks());
    const file = `${runName(run)}-${this.#files++}.ndjson`;
    const rows = this.#pendingElements;
    this.#pendingElements = 0;
    this.#bytes += sum.bytes;
    this.#written.push({ file, rows, ...sum });
    const created = await staging.createIfAbsent(this.#keyOf(file), text);
    assert(created, `no other run is called ${runName(run)}`);
  }

  #keyOf(file: string): string {
    return `${this.#options.folder}/${file}`;
  }

  /** Left by a run that this one followed; what it staged itself is not left. */
  #isLeft(file: string): boolean {
    const { run } = this.#options;
    const by = filePattern.exec(file);
    return (
      by !== null &&
      isOfPast(runTrace(by[1] as string, by[2]), run) &&
      !file.startsWith(`${runName(run)}-`)
    );
  }

  #missing(what: string, details: Readonly<Record<string, unknown>>): SluiceError {
    return new SluiceError(
      'staged-file-missing',
      `the last checkpoint of the graph sink '${this.#options.sink}' refers to writes that are lost: ${what}`,
      { fix: 'restore it from a backup, or start over with `sluice reset`', details },
    );
  }
}

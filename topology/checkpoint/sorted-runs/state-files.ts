/**
 * The files of runs on a blob store, beside the manifests that name them:
 * `checkpoints/<topology>/0-state/<run of the job>-<number>-<SHA-256>.run`. The folder sorts before
 * all manifests, so that Sluice of before finds one of those as the newest, and says that it is
 * not of its version.
 *
 * Invariants:
 * 1. A file is never changed, and its name never used again: not by this run, which counts, nor by
 *    another one, whose name differs.
 * 2. What a run sweeps when it begins is of earlier attempts of its lineage and named by no
 *    manifest: one that was taken over, and wakes up, has no right to anything newer.
 */
import { boundedEach } from '../../../schemas/kernel/bounded-each.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';
import type { RunId } from '../../../schemas/run-id.ts';
import { runName, runPattern, runTrace } from '../../../schemas/run-id.ts';
import type { StateFile } from './sorted-run.ts';

/** Files that are deleted at one time. */
const deletesMax = 8;

/** A file that is to be stored under its name. */
interface StoredFile {
  readonly file: Pick<StateFile, 'name'>;
  readonly bytes: Uint8Array;
}

/** Where a topology's manifests are. */
export function checkpointFolder(topology: string): string {
  return `checkpoints/${topology}/`;
}

/** Where its state files are. */
export function stateFolder(topology: string): string {
  return `${checkpointFolder(topology)}0-state/`;
}

export class StateFiles {
  readonly #blobs: BlobStore;
  readonly #folder: string;
  readonly #run: RunId;
  #number = 0;

  /** `run`: of the job. */
  constructor(blobs: BlobStore, topology: string, run: RunId) {
    this.#blobs = blobs;
    this.#folder = stateFolder(topology);
    this.#run = run;
  }

  /** A run of entries that has no name yet: its id, and what its files' names begin with. */
  name(): { readonly id: string; readonly prefix: string } {
    const id = `${runName(this.#run)}-${++this.#number}`;
    return { id, prefix: `${this.#folder}${id}-` };
  }

  /** Throws `SluiceError` `checkpoint-corrupt` when it is not there. */
  async get(name: string): Promise<Uint8Array> {
    const bytes = await this.#blobs.get(name);
    if (bytes === undefined)
      throw new SluiceError('checkpoint-corrupt', `${name} is missing`, {
        fix: 'restore it from a copy, or start from an empty state with `sluice reset`',
        details: { file: name },
      });
    return bytes;
  }

  /** Again, as the answer to an earlier try was lost, does no harm. */
  async put({ file, bytes }: StoredFile): Promise<void> {
    await this.#blobs.createIfAbsent(file.name, bytes);
  }

  async delete(names: readonly string[]): Promise<void> {
    await boundedEach(names, deletesMax, (name) => this.#blobs.delete(name));
  }

  /**
   * Deletes what earlier runs left. `newest`: the newest manifest that there was when `named`, the
   * files of all of them, was looked up: nothing is deleted unless it is this run's.
   */
  async sweep(
    newest: (Pick<RunId, 'attempt'> & { readonly lineage?: string }) | undefined,
    named: ReadonlySet<string>,
  ): Promise<void> {
    if (newest?.lineage !== this.#run.lineage || newest.attempt !== this.#run.attempt) return;
    const names = await this.#blobs.list(this.#folder);
    await this.delete(names.filter((name) => this.#isOfPast(name) && !named.has(name)));
  }

  #isOfPast(name: string): boolean {
    const found = namePattern.exec(name.slice(this.#folder.length));
    if (found === null) return false;
    const { attempt, lineage } = runTrace(found[1] as string, found[2]);
    return lineage === this.#run.lineage && attempt < this.#run.attempt;
  }
}

const namePattern = new RegExp(`^${runPattern}-\\d+-[0-9a-f]{64}\\.run$`);

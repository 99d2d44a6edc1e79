/**
 * Where tables are written: what they need of a folder on a disk or of a bucket, and no more. Paths
 * are relative to the lake, `/`-separated.
 *
 * Invariants:
 * 1. A reader of a published path sees a whole file or none: what is staged lies under `.staging/`,
 *    publication makes it visible at once.
 * 2. What `write` and `append` returned from is durable, once `settle` of its folder returned;
 *    nothing that a checkpoint names is elsewhere.
 * 3. `publish` may be repeated, by this run or a later one, without effect; in a bucket, which
 *    several machines reach, an earlier run changes nothing that a later one published.
 *
 * Faults are `SluiceError`s, or the file system's own errors (schemas/kernel/file-fault.ts).
 */
import type { KnownColumns } from '../columns.ts';
import { SluiceError } from '../kernel/errors.ts';
import type { RunOrder } from '../run-id.ts';

/** Where a lake is, and what opens it. Structured-clonable, as tables are written by threads. */
export interface LakeStore {
  /** The URL of a `LakeModule`. */
  readonly module: string;
  /** What that module opens. */
  readonly place: unknown;
}

/** What a module of a store exports. `run`: the one that writes. */
export interface LakeModule<Place> {
  readonly lakeFiles: (place: Place, run: RunOrder) => LakeFiles;
}

export interface StagedContent {
  readonly staged: string;
  readonly target: string;
}

export interface LakeFiles {
  /**
   * Whether a run continues with a log that an earlier one began. Where two runs may write at once,
   * each begins its own.
   */
  readonly continuesLogs: boolean;
  makeFolder(folder: string): Promise<void>;
  read(path: string): Promise<Uint8Array | undefined>;
  exists(path: string): Promise<boolean>;
  /** What is in a folder: names of files, logs and folders. None when it is not there. */
  names(folder: string): Promise<readonly string[]>;
  /** Paths of all files below a folder. None when it is not there. */
  list(folder: string): Promise<readonly string[]>;
  /**
   * The columns of a table's published files, as far as they can be read cheaply: not in a bucket.
   */
  columns?(table: string): Promise<KnownColumns>;
  /** A new file. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** A file that readers may be looking at. */
  replace(path: string, bytes: Uint8Array): Promise<void>;
  /** Writes to a log whose first `offset` bytes count. */
  append(path: string, offset: number, bytes: Uint8Array): Promise<void>;
  /**
   * The first `bytes` bytes of a log; what follows no longer counts. Undefined when they are not
   * all there.
   */
  readLog(path: string, bytes: number): Promise<Uint8Array | undefined>;
  /** Makes names that came and went in a folder durable. */
  settle(folder: string): Promise<void>;
  /**
   * Throws `staged-file-missing` when neither a file nor its target is there, `lake-taken-over`
   * when a later run published there.
   */
  publish(files: readonly StagedContent[]): Promise<void>;
  /** A file, or a log. What is not there is not an error. */
  remove(path: string): Promise<void>;
  /**
   * The same for what nobody waits for: removed by the time that `close` resolves. A failure is the
   * next publication's.
   */
  letGo(paths: readonly string[]): void;
  close(): Promise<void>;
}

export function stagedMissing({ staged, target }: StagedContent): SluiceError {
  return new SluiceError(
    'staged-file-missing',
    `the last checkpoint refers to ${staged}, but neither it nor ${target} exists`,
    {
      fix: 'restore the lake from a backup, or start over with `sluice reset`',
    },
  );
}

/** The store's module, with what it needs of a vendor, is loaded here: in the thread that asks. */
export async function openLake({ module, place }: LakeStore, run: RunOrder): Promise<LakeFiles> {
  const { lakeFiles } = (await import(module)) as LakeModule<unknown>;
  return lakeFiles(place, run);
}

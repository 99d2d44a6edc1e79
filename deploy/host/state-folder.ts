/**
 * State at rest in files of a local folder (topology/state/segments.ts): for one run of a topology.
 *
 * Invariants:
 * 1. Nothing in the folder is needed again: the checkpoint is the truth. A run has a folder of its
 *    own inside, which it locks and removes; one that no process locks is removed by the next run.
 * 2. So runs, of one process or several, never share a file. What else is in the folder stays.
 * 3. A file that cannot be written or read ends the run, which is restarted from its checkpoint.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { FolderLock } from '../../schemas/kernel/folder-lock.ts';
import { isFolderLocked, lockFolder } from '../../schemas/kernel/folder-lock.ts';
import { BlockRecords } from '../../topology/state/block-records.ts';
import type { RecordStore } from '../../topology/state/records.ts';
import type { Segments } from '../../topology/state/segments.ts';
import { fileSegments } from './file-segments.ts';

export interface StateFolder {
  readonly stateFolder: string;
  readonly recordStore: () => RecordStore;
  readonly digestSegments: () => Segments;
  /** After its stores. */
  close(): void;
}

const runPrefix = 'run-';
/** Another run that begins may take a folder that is made, and not yet locked, for a left one. */
const triesMax = 3;

/** Throws `SluiceError` `state-folder-unusable`. */
export async function openStateFolder(folder: string): Promise<StateFolder> {
  const { run, lock } = await lockedRun(folder);
  let stores = 0;
  const segments = (): Segments => fileSegments(run, `${++stores}`);
  return {
    stateFolder: folder,
    recordStore: () => new BlockRecords(segments()),
    digestSegments: segments,
    close: () => {
      // What cannot be removed now is removed by the next run.
      removed(run);
      lock.release();
    },
  };
}

async function lockedRun(
  folder: string,
): Promise<{ readonly run: string; readonly lock: FolderLock }> {
  let cause: unknown;
  for (let tries = 0; tries < triesMax; tries++) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      await removeLeft(folder);
      const run = mkdtempSync(join(folder, runPrefix));
      return { run, lock: await lockFolder(run) };
    } catch (thrown) {
      cause = thrown;
    }
  }
  throw new SluiceError(
    'state-folder-unusable',
    `the folder for state on disk, ${folder}, cannot be used: ${messageOf(cause)}`,
    { cause, fix: 'set `state.folder` to a folder on a local disk that this user may write' },
  );
}

/** Folders of runs that ended without removing them. */
async function removeLeft(folder: string): Promise<void> {
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(runPrefix)) continue;
    const run = join(folder, name);
    if (await isFolderLocked(run)) continue;
    const lock = await lockFolder(run).catch(() => undefined);
    if (lock === undefined) continue;
    removed(run);
    lock.release();
  }
}

function removed(run: string): void {
  try {
    rmSync(run, { recursive: true, force: true });
  } catch {
    // It stays locked by nobody.
  }
}

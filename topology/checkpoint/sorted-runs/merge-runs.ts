/**
 * Merges runs into one: of entries with one table and key that of the newest run stays.
 *
 * Invariants:
 * 1. At most one file of each run is in memory, and one that is being made.
 * 2. What a key was is hidden as long as it may be there: a removed or dead entry stays as removed
 *    where an older run, which is not merged, may have a live one of its table.
 * 3. What dies is told by `deadThrough` of a moment that is not after any manifest which will name
 *    the result: elements that are read again find what they found.
 */
import type { FileBuilder, MadeFile } from './file-builder.ts';
import { openFile } from './file-cursor.ts';
import { MergeHeads } from './merge-heads.ts';
import type { SortedRun, StateFile } from './sorted-run.ts';

/** What a merge has to know of the tables. */
export interface MergeRules {
  /** By the number of each table: entries with a time not after it are dead. */
  readonly deadThrough: ReadonlyMap<number, number>;
  /** Tables of which a run that is older than those merged may have live entries. */
  readonly hiding: ReadonlySet<number>;
}

export interface MergeFiles {
  /** The bytes of a file. */
  readonly get: (name: string) => Promise<Uint8Array>;
  /** Resolves when it is stored. */
  readonly put: (made: MadeFile) => Promise<void>;
}

/** `runs`: oldest first. Resolves with the files of the result, all of them stored. */
export async function mergeRuns(
  runs: readonly SortedRun[],
  { deadThrough, hiding }: MergeRules,
  builder: FileBuilder,
  files: MergeFiles,
): Promise<readonly StateFile[]> {
  const made: StateFile[] = [];
  const finish = async (): Promise<void> => {
    const file = builder.finish();
    if (file === undefined) return;
    await files.put(file);
    made.push(file.file);
  };
  const heads = new MergeHeads(
    async (name) => openFile(name, await files.get(name)),
    (table) => deadThrough.has(table),
  );
  for (const { files: parts } of runs) await heads.add(parts);
  let table = -1;
  let dead = 0;
  let hides = false;
  for (let entry = heads.first; entry !== undefined; entry = heads.first) {
    if (entry.table !== table) {
      table = entry.table;
      dead = deadThrough.get(table) as number;
      hides = hiding.has(table);
    }
    const isGone = entry.isRemoved || entry.time <= dead;
    if (!isGone || hides) {
      if (!builder.fits(entry)) await finish();
      if (isGone) builder.remove(entry);
      else builder.put(entry);
    }
    const opened = heads.pass();
    if (opened !== undefined) await opened;
  }
  await finish();
  return made;
}

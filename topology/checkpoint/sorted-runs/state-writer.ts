/**
 * Makes the files of runs: a port, as sorting, deflating and digesting belong in a thread of their
 * own. Here it is done where it is called, which is what tests and the test driver want.
 *
 * Invariants:
 * 1. One run is collected at a time: what was added since the last `write` is in the next.
 * 2. Files are given to be stored one after the other, and the memory of chunks is released as
 *    soon as their run is written.
 */
import type { EntryChunk } from './entry-chunks.ts';
import { FileBuilder } from './file-builder.ts';
import type { MergeFiles, MergeRules } from './merge-runs.ts';
import { mergeRuns } from './merge-runs.ts';
import { SortedEntries } from './sort-entries.ts';
import type { SortedRun, StateFile } from './sorted-run.ts';

export interface StateWriter {
  /** Takes the chunks over: their memory is not the caller's any more. */
  add(chunks: readonly EntryChunk[]): void;
  /**
   * The files of what was added, each of which `put` was called with. Rejects with what `put` does:
   * what was added is lost then.
   */
  write(prefix: string, put: MergeFiles['put']): Promise<readonly StateFile[]>;
  /** The files of one run in place of `runs`, oldest first; may run beside a `write`. */
  merge(
    prefix: string,
    runs: readonly SortedRun[],
    rules: MergeRules,
    files: MergeFiles,
  ): Promise<readonly StateFile[]>;
  /** What is not done yet rejects. */
  close(): Promise<void>;
}

export function inlineStateWriter(): StateWriter {
  let added: EntryChunk[] = [];
  return {
    add(chunks) {
      added.push(...chunks);
    },
    write(prefix, put) {
      const chunks = added;
      added = [];
      return writeRun(chunks, new FileBuilder(prefix), put);
    },
    merge(prefix, runs, rules, files) {
      return mergeRuns(runs, rules, new FileBuilder(prefix), files);
    },
    close: () => Promise.resolve(),
  };
}

async function writeRun(
  chunks: readonly EntryChunk[],
  builder: FileBuilder,
  put: MergeFiles['put'],
): Promise<readonly StateFile[]> {
  const files: StateFile[] = [];
  const finish = async (): Promise<void> => {
    const made = builder.finish();
    if (made === undefined) return;
    await put(made);
    files.push(made.file);
  };
  const entries = new SortedEntries(chunks);
  while (entries.next()) {
    if (!builder.fits(entries)) await finish();
    if (entries.isRemoved) builder.remove(entries);
    else builder.put(entries);
  }
  await finish();
  return files;
}

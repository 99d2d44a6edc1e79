/**
 * Files of runs in memory, and what runs say read back as plain values.
 */

import { ChunkWriter } from '../../../../topology/checkpoint/sorted-runs/entry-chunks.ts';
import type { MergeFiles } from '../../../../topology/checkpoint/sorted-runs/merge-runs.ts';
import type { ReadRules } from '../../../../topology/checkpoint/sorted-runs/read-runs.ts';
import { readRuns } from '../../../../topology/checkpoint/sorted-runs/read-runs.ts';
import type { SortedRun } from '../../../../topology/checkpoint/sorted-runs/sorted-run.ts';
import { inlineStateWriter } from '../../../../topology/checkpoint/sorted-runs/state-writer.ts';
import type { EntryWriter } from '../../../../topology/state/entries.ts';
import { textOf } from '../../../../topology/state/entry-text.ts';

export interface MemoryFiles extends MergeFiles {
  readonly stored: Map<string, Uint8Array>;
}

export function memoryFiles(): MemoryFiles {
  const stored = new Map<string, Uint8Array>();
  return {
    stored,
    get: (name) => Promise.resolve(stored.get(name) as Uint8Array),
    put: ({ file, bytes }) => {
      stored.set(file.name, bytes);
      return Promise.resolve();
    },
  };
}

let numbers = 0;

/** A run of what `fill` writes. */
export async function runOf(
  files: MemoryFiles,
  fill: (writer: EntryWriter) => void,
): Promise<SortedRun> {
  const entries = new ChunkWriter();
  fill(entries);
  const writer = inlineStateWriter();
  writer.add(entries.take());
  const id = `r${++numbers}`;
  return { id, files: await writer.write(`state/t/${id}-`, files.put) };
}

export interface ReadEntry {
  readonly table: number;
  readonly group: number;
  readonly key: string;
  readonly time: number;
  readonly value: string;
}

/** All live entries of `runs`, as they are read. */
export async function entriesIn(
  files: MemoryFiles,
  runs: readonly SortedRun[],
  rules: ReadRules = nothingDies,
): Promise<readonly ReadEntry[]> {
  const read: ReadEntry[] = [];
  for await (const part of readRuns(runs, files.get, rules))
    for (const { table, group, key, time, value = none } of part)
      read.push({ table, group, key: textOf(key), time, value: textOf(value) });
  return read;
}

const none = new Uint8Array();
const nothingDies: ReadRules = {
  deadThrough: new Map([1, 2, 3].map((table) => [table, Number.NEGATIVE_INFINITY])),
};

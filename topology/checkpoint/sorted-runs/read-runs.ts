/**
 * Reads runs back: every live entry once, in the order of tables, key groups and keys.
 *
 * Invariant: of each run at most one file is read; at most `readAheadMax` more are open.
 */
import type { Entry } from '../../state/entries.ts';
import type { OpenFile } from './file-cursor.ts';
import { openFileAside } from './file-cursor.ts';
import type { EntryPlace } from './file-format.ts';
import { MergeHeads } from './merge-heads.ts';
import type { SortedRun } from './sorted-run.ts';

/** Entries that are handed on at one time. */
const partMaxEntries = 1_024;
/** Files, of at most 8 MiB each. */
const readAheadMax = 8;

type GetFile = (name: string) => Promise<Uint8Array>;

export interface ReadRules {
  /**
   * By the number of each table: entries with a time not after it are dead. Entries of other tables
   * are passed over.
   */
  readonly deadThrough: ReadonlyMap<number, number>;
  /** Absent: all key groups. */
  readonly hasGroup?: (group: number) => boolean;
}

/** Every entry of `runs`, oldest first, that is live, in parts. */
export async function* readRuns(
  runs: readonly SortedRun[],
  get: GetFile,
  { deadThrough, hasGroup }: ReadRules,
): AsyncGenerator<readonly Entry[]> {
  const heads = new MergeHeads(readAhead(runs, get), (table) => deadThrough.has(table), hasGroup);
  for (const { files } of runs) await heads.add(files);
  let part: Entry[] = [];
  for (let entry = heads.first; entry !== undefined; entry = heads.first) {
    if (!entry.isRemoved && entry.time > (deadThrough.get(entry.table) as number)) {
      part.push(entryAt(entry));
      if (part.length === partMaxEntries) {
        yield part;
        part = [];
      }
    }
    const opened = heads.pass();
    if (opened !== undefined) await opened;
  }
  if (part.length > 0) yield part;
}

function entryAt({
  table,
  group,
  time,
  body,
  keyAt,
  keyLength,
  valueAt,
  valueLength,
}: EntryPlace): Entry {
  const { buffer, byteOffset } = body;
  return {
    table,
    group,
    time,
    key: new Uint8Array(buffer, byteOffset + keyAt, keyLength),
    value: new Uint8Array(buffer, byteOffset + valueAt, valueLength),
  };
}

/** Opens files; the one that follows in a run is fetched and opened while one is read. */
function readAhead(runs: readonly SortedRun[], get: GetFile): (name: string) => Promise<OpenFile> {
  const open = async (name: string): Promise<OpenFile> => openFileAside(name, await get(name));
  const following = new Map(
    runs.flatMap(({ files }) =>
      files.slice(1).map(({ name }, n): [string, string] => [files[n]?.name ?? '', name]),
    ),
  );
  const ahead = new Map<string, Promise<OpenFile>>();
  const fetch = (name: string | undefined): void => {
    if (name === undefined || ahead.size >= readAheadMax) return;
    const file = open(name);
    // It is waited for when its turn comes; until then it is no unhandled rejection.
    file.catch(() => undefined);
    ahead.set(name, file);
  };
  for (const { files } of runs) fetch(files[0]?.name);
  return (name) => {
    const file = ahead.get(name) ?? open(name);
    ahead.delete(name);
    fetch(following.get(name));
    return file;
  };
}

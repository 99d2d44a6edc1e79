/**
 * Hive-style folders of a row: `date=2013-01-01/hour=10/team=nyc/app=flights`. Pure.
 *
 * Invariant: what comes out is a relative path of exactly one folder a column, each a name that every file system takes and that SQL reads back.
 */
import type { RowProblem } from './columns.ts';
import { wellFormed } from './kernel/well-formed.ts';

/** What a row's folder can be named by. */
export type PartitionColumn = 'date' | 'hour' | 'team' | 'app';

export interface PartitionOwner {
  readonly team: string;
  readonly app: string;
}

export type FolderOf = (timestampMs: number, team: string, app: string) => string | RowProblem;

const hourMs = 3_600_000;
/** The times that `YYYY-MM-DD` can name. */
const firstMs = Date.parse('0000-01-01T00:00:00Z');
const lastMs = Date.parse('9999-12-31T23:59:59.999Z');
/** NAME_MAX of the usual file systems, in bytes; the folder's name is ASCII. */
const folderNameMaxChars = 255;

/** Folders that a partitioner remembers. */
const foldersMax = 1_024;

/** A function that remembers folders: most rows share theirs with one before. */
export function partitioner(partitionBy: readonly PartitionColumn[]): FolderOf {
  const known = new Map<string, string | RowProblem>();
  return (timestampMs, team, app) => {
    const key = `${Math.floor(timestampMs / hourMs)} ${team.length} ${team}${app}`;
    let folder = known.get(key);
    if (folder === undefined) {
      folder = folderOf(partitionBy, timestampMs, team, app);
      if (known.size >= foldersMax) known.clear();
      known.set(key, folder);
    }
    return folder;
  };
}

function folderOf(partitionBy: readonly PartitionColumn[], timestampMs: number, team: string, app: string): string | RowProblem {
  if (!(timestampMs >= firstMs && timestampMs <= lastMs)) {
    return { message: `the element's time, ${timestampMs} ms, has no date between the years 0 and 9999`, pointer: '' };
  }
  const iso = new Date(timestampMs).toISOString();
  const values: Readonly<Record<PartitionColumn, string>> = { date: iso.slice(0, 10), hour: iso.slice(11, 13), team, app };
  const names: string[] = [];
  for (const column of partitionBy) {
    const name = `${column}=${escaped(values[column])}`;
    if (name.length > folderNameMaxChars) return { message: `'${column}' is too long to name a folder`, pointer: `/${column}` };
    names.push(name);
  }
  return names.join('/');
}

/** Per cent encoding, as readers of Hive folders decode it. A lone surrogate, which UTF-8 cannot hold, becomes U+FFFD. */
function escaped(value: string): string {
  return encodeURIComponent(wellFormed(value)).replaceAll('*', '%2A').replaceAll("'", '%27');
}

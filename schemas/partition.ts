/**
 * Hive-style folders of a row: `date=2013-01-01/hour=10/team=nyc/app=flights`. Pure.
 *
 * One rule for `team` and `app`, so that DuckDB, pyarrow, polars, Spark and Hive read the same text
 * back:
 *
 * | value | in the folder's name |
 * |---|---|
 * | `A-Z a-z 0-9 - _ . ~ ! ( )`, and every character outside ASCII | unchanged |
 * | any other ASCII character | percent-encoded |
 * | `null` in any case | first letter percent-encoded: DuckDB 1 reads the bare word as null |
 * | empty, `__HIVE_DEFAULT_PARTITION__`, or a name over 255 bytes | none: the row is refused |
 *
 * Characters outside ASCII stay as they are because Spark and Hive decode byte by byte, so
 * percent-encoded UTF-8 would come back as other text. `__HIVE_DEFAULT_PARTITION__` means null in
 * any encoding.
 *
 * Invariant: the result is a relative path with exactly one folder per column, each a name that
 * every file system accepts and that SQL reads back.
 */
import type { RowProblem } from './columns.ts';
import { wellFormed } from './kernel/well-formed.ts';

/** A folder of a partition: NAME_MAX of the usual file systems. */
export const folderNameMaxBytes = 255;

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
/** What Hive and all that follow it write for null. */
const nullFolder = '__HIVE_DEFAULT_PARTITION__';

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

function folderOf(
  partitionBy: readonly PartitionColumn[],
  timestampMs: number,
  team: string,
  app: string,
): string | RowProblem {
  if (!(timestampMs >= firstMs && timestampMs <= lastMs)) {
    return {
      message: `the element's time, ${timestampMs} ms, has no date between the years 0 and 9999`,
      pointer: '',
    };
  }
  const iso = new Date(timestampMs).toISOString();
  const values: Readonly<Record<PartitionColumn, string>> = {
    date: iso.slice(0, 10),
    hour: iso.slice(11, 13),
    team,
    app,
  };
  const names: string[] = [];
  for (const column of partitionBy) {
    const value = values[column];
    const name = `${column}=${escaped(value)}`;
    const problem = unnameable(value, name);
    if (problem !== undefined)
      return {
        message: `the table is partitioned by '${column}', which ${problem}`,
        pointer: `/${column}`,
      };
    names.push(name);
  }
  return names.join('/');
}

/** Whether a value of `team` or `app` can name a folder. */
export function namesFolder(value: string): boolean {
  return unnameable(value, `team=${escaped(value)}`) === undefined;
}

/**
 * What the folders of a path say of a column; undefined where none does. Folders of earlier
 * versions, which encoded what is beyond ASCII too, are read as well.
 */
export function folderValue(path: string, column: PartitionColumn): string | undefined {
  const folder = path.split('/').find((part) => part.startsWith(`${column}=`));
  return folder === undefined ? undefined : decodeURIComponent(folder.slice(column.length + 1));
}

/**
 * The same for names that a reader, or a disk, may take for one: those that differ in case, or in
 * how a character is composed. Upper case first, as it knows more: ß is SS, and the long s is S.
 */
export const folded = (name: string): string => name.normalize('NFC').toUpperCase().toLowerCase();

/**
 * Numbers partitions from 0, those apart that a disk which does not see case has as one folder:
 * their files need other names there.
 */
export class FolderNumbers {
  readonly #counts = new Map<string, number>();

  next(partition: string): number {
    const name = folded(partition);
    const number = this.#counts.get(name) ?? 0;
    this.#counts.set(name, number + 1);
    return number;
  }
}

/** Why no folder can be named by a value. */
function unnameable(value: string, name: string): string | undefined {
  if (value === '') return 'is empty, which cannot be the name of a folder';
  if (value === nullFolder) return `is '${nullFolder}', which readers treat as null`;
  const bytes = Buffer.byteLength(name);
  return bytes > folderNameMaxBytes
    ? `is too long for the name of a folder: ${bytes} bytes, at most ${folderNameMaxBytes}`
    : undefined;
}

/** A lone surrogate, which UTF-8 cannot hold, becomes U+FFFD. */
function escaped(value: string): string {
  if (/^null$/i.test(value)) return `%${hexOf(value.charCodeAt(0))}${value.slice(1)}`;
  return wellFormed(value).replaceAll(
    /[\0-\x20"#$%&'*+,/:;<=>?@[\\\]^`{|}\x7f]/g,
    (character) => `%${hexOf(character.charCodeAt(0))}`,
  );
}

const hexOf = (code: number): string => code.toString(16).toUpperCase().padStart(2, '0');

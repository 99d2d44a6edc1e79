/**
 * What a manifest says of runs: which there are, which files they have, and what of the files is
 * known without reading them. Pure.
 *
 * Invariants:
 * 1. Runs are listed oldest first: of two entries with one table and key that of the later run
 *    counts.
 * 2. A file belongs to one run, and its name to one content, in all manifests of a topology.
 * 3. A table's number is given once in a lineage: entries of a number that no table has
 *    belong to none.
 */

/** What one file has of one table. */
export interface TableShare {
  readonly table: number;
  /** Entries with a value. */
  readonly puts: number;
  /** Entries that say that a key was removed. */
  readonly removed: number;
  /**
   * The latest time of those with a value: epoch ms, or `never` when one of them does not die by
   * time. Absent where there are none.
   */
  readonly latest?: number | 'never';
}

export interface StateFile {
  /** Its key in the blob store. */
  readonly name: string;
  readonly bytes: number;
  /** Table and key group of its first and of its last entry. */
  readonly first: readonly [table: number, group: number];
  readonly last: readonly [table: number, group: number];
  /** In the order of their numbers. */
  readonly tables: readonly TableShare[];
}

/** Entries sorted by table, key group and key, cut into files; one entry a key. */
export interface SortedRun {
  /** Its own in all manifests of a topology. */
  readonly id: string;
  /** In the order of their entries. */
  readonly files: readonly StateFile[];
}

/** Which table of which node a number stands for. */
export interface NumberedTable {
  readonly number: number;
  readonly node: string;
  readonly name: string;
}

/** The state as manifests keep it, beside the heads of the nodes. */
export interface StateRuns {
  /** Of keys; as many ever since. */
  readonly keyGroups: number;
  readonly tables: readonly NumberedTable[];
  /** The largest number that was ever given. */
  readonly lastTable: number;
  readonly runs: readonly SortedRun[];
}

export function noRuns(keyGroups: number): StateRuns {
  return { keyGroups, tables: [], lastTable: 0, runs: [] };
}

/**
 * The tables that a job has, with the numbers that they had; a new number for one that had none, as
 * it is new, or its state was dropped: what was written under an old number belongs to none then.
 */
export function numberTables(
  before: StateRuns,
  wanted: readonly Omit<NumberedTable, 'number'>[],
): Pick<StateRuns, 'tables' | 'lastTable'> {
  let { lastTable } = before;
  const tables = wanted.map(({ node, name }) => {
    const known = before.tables.find((table) => table.node === node && table.name === name);
    if (known !== undefined) return known;
    lastTable++;
    return { number: lastTable, node, name };
  });
  return { tables, lastTable };
}

/** The names of all files of `runs`. */
export function filesOf(runs: readonly SortedRun[]): readonly string[] {
  return runs.flatMap(({ files }) => files.map(({ name }) => name));
}

/**
 * `runs` with `merged` in place of those that it was made of. `merged` has no files when nothing of
 * them is left.
 */
export function withMerged(
  runs: readonly SortedRun[],
  inputs: readonly SortedRun['id'][],
  merged: SortedRun,
): readonly SortedRun[] {
  const at = runs.findIndex(({ id }) => inputs.includes(id));
  // All of them were dropped meanwhile, so nothing in it lives.
  if (at < 0) return runs;
  const rest = runs.filter(({ id }) => !inputs.includes(id));
  return merged.files.length === 0 ? rest : rest.toSpliced(at, 0, merged);
}

export function bytesOf(runs: readonly SortedRun[]): number {
  return sum(runs, ({ bytes }) => bytes);
}

export function entriesOf(runs: readonly SortedRun[]): number {
  return sum(runs, ({ tables }) =>
    tables.reduce((entries, { puts, removed }) => entries + puts + removed, 0),
  );
}

function sum(runs: readonly SortedRun[], of: (file: StateFile) => number): number {
  return runs.reduce((total, { files }) => files.reduce((all, file) => all + of(file), total), 0);
}

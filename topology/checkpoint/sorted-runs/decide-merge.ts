/**
 * Which files have only dead entries, and which runs are merged next. Pure.
 *
 * Runs are merged by size: their tiers are powers of `tierFactor`, and as soon as a tier has that
 * many runs they become one. An entry is written about once a tier, and there are at most
 * `tierFactor` - 1 runs of each. Beside that the oldest runs are merged when most of what there is
 * is obsolete: it was written again, removed, or died.
 *
 * Invariants:
 * 1. Only runs that are neighbours in age are merged.
 * 2. What is dropped hides nothing: no older run has a live entry of its tables.
 */
import type { SortedRun, StateFile, TableShare } from './sorted-run.ts';
import { bytesOf, entriesOf } from './sorted-run.ts';

/** By the number of each table: entries with a time not after it are dead. */
export type DeadThrough = ReadonlyMap<number, number>;

export interface MergePlan {
  /** Neighbours, oldest first. */
  readonly runs: readonly SortedRun[];
  /** Tables of which an older run may have live entries. */
  readonly hiding: ReadonlySet<number>;
}

const tierFactor = 8;
/** Smaller runs are all of the lowest tier. */
const lowestTierBytes = 1_024 * 1_024;
/** Of each one file is in memory. */
export const mergedRunsMax = 16;
/** Obsolete entries, as a part of all of them. */
const garbagePart = 1 / 2;
/** How much has to have come to the oldest run before it is written again, as a part of it. */
const grownPart = 1 / tierFactor;

/** `runs`, oldest first, without files and runs that have nothing live. */
export function dropDead(
  runs: readonly SortedRun[],
  deadThrough: DeadThrough,
): readonly SortedRun[] {
  const hidden = new Set<number>();
  const left: SortedRun[] = [];
  for (const run of runs) {
    const files = run.files.filter(({ tables }) =>
      tables.some((share) => isLive(share, deadThrough) || hides(share, deadThrough, hidden)),
    );
    for (const table of liveTables(files, deadThrough)) hidden.add(table);
    if (files.length > 0) left.push(files.length === run.files.length ? run : { ...run, files });
  }
  return left;
}

/**
 * What to merge of `runs`, oldest first; undefined when nothing needs it. `live`: entries that the
 * tables have.
 */
export function decideMerge(
  runs: readonly SortedRun[],
  deadThrough: DeadThrough,
  live: number,
): MergePlan | undefined {
  const range = fullTier(runs) ?? garbage(runs, live);
  return range === undefined ? undefined : mergeOf(runs, ...range, deadThrough);
}

/** To merge the runs from `from` up to, not with, `to`. */
export function mergeOf(
  runs: readonly SortedRun[],
  from: number,
  to: number,
  deadThrough: DeadThrough,
): MergePlan {
  const older = runs.slice(0, from).flatMap(({ files }) => files);
  return { runs: runs.slice(from, to), hiding: new Set(liveTables(older, deadThrough)) };
}

/** The oldest runs of the lowest tier that is full, and what is younger. */
function fullTier(runs: readonly SortedRun[]): readonly [number, number] | undefined {
  let tier = 0;
  let count = 0;
  for (let n = runs.length - 1; n >= 0; n--) {
    const own = tierOf(bytesOf([runs[n] as SortedRun]));
    // A small run that is older than a large one is merged with it: they are neighbours.
    if (own > tier) count = 0;
    tier = Math.max(tier, own);
    count++;
    if (count === tierFactor) return [n, Math.min(runs.length, n + mergedRunsMax)];
  }
  return undefined;
}

function tierOf(bytes: number): number {
  let tier = 0;
  for (let upTo = lowestTierBytes; bytes > upTo; upTo *= tierFactor) tier++;
  return tier;
}

/** The oldest runs, when most entries are obsolete and merging did not happen just now. */
function garbage(runs: readonly SortedRun[], live: number): readonly [number, number] | undefined {
  const entries = entriesOf(runs);
  const [oldest, ...younger] = runs;
  if (oldest === undefined || entries - live <= entries * garbagePart) return undefined;
  if (bytesOf(runs) < lowestTierBytes || bytesOf(younger) < bytesOf([oldest]) * grownPart)
    return undefined;
  return [0, Math.min(runs.length, mergedRunsMax)];
}

function isLive({ table, latest }: TableShare, deadThrough: DeadThrough): boolean {
  const dead = deadThrough.get(table);
  if (dead === undefined || latest === undefined) return false;
  return latest === 'never' || latest > dead;
}

/** Whether it may hide an older entry: `hidden` are the tables of which there are such. */
function hides(
  { table }: TableShare,
  deadThrough: DeadThrough,
  hidden: ReadonlySet<number>,
): boolean {
  return deadThrough.has(table) && hidden.has(table);
}

function liveTables(files: readonly StateFile[], deadThrough: DeadThrough): readonly number[] {
  return files.flatMap(({ tables }) =>
    tables.filter((share) => isLive(share, deadThrough)).map(({ table }) => table),
  );
}

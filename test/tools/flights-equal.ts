/**
 * Compares what two engines wrote, row by row: rows as JSON text with sorted members, in no order.
 */
import type { Check } from './flights-checks.ts';

/** By table, or by what else was written. */
export type Written = ReadonlyMap<string, readonly unknown[]>;

export interface Comparing {
  readonly check: Check;
  /**
   * Whether rows of a table may be there again: of a sink that writes rows since its last checkpoint
   * once more after a failure.
   */
  again(table: string): boolean;
}

const shownRows = 3;

/** A check a table: how many rows, and how many are only here or only there. */
export function compareWritten(here: Written, there: Written, comparing: Comparing): void {
  const { check } = comparing;
  check('tables', [...there.keys()].sort(), [...here.keys()].sort());
  for (const [name, rows] of here) {
    const again = comparing.again(name);
    const [ours, theirs] = [rows, there.get(name) ?? []].map((all) => counted(all, again));
    const [onlyHere, onlyThere] = [missing(ours, theirs), missing(theirs, ours)];
    const total = again ? (theirs?.size ?? 0) : (there.get(name) ?? []).length;
    check(
      `${name}: rows, only here, only on Flink`,
      [total, onlyHere.length, onlyThere.length],
      [again ? (ours?.size ?? 0) : rows.length, 0, 0],
    );
    for (const [where, some] of [
      ['here', onlyHere],
      ['on Flink', onlyThere],
    ] as const)
      for (const row of some.slice(0, shownRows)) console.log(`      only ${where}: ${row}`);
  }
}

function counted(rows: readonly unknown[], again: boolean): Map<string, number> {
  const counts = new Map<string, number>();
  for (const row of rows) {
    const text = JSON.stringify(sorted(row));
    counts.set(text, again ? 1 : (counts.get(text) ?? 0) + 1);
  }
  return counts;
}

function missing(
  from: ReadonlyMap<string, number> = new Map(),
  there: ReadonlyMap<string, number> = new Map(),
): readonly string[] {
  return [...from]
    .filter(([row, count]) => (there.get(row) ?? 0) < count)
    .map(([row]) => row)
    .sort();
}

function sorted(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(sorted);
  const members = Object.entries(value as Readonly<Record<string, unknown>>);
  return Object.fromEntries(
    members.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, own]) => [name, sorted(own)]),
  );
}

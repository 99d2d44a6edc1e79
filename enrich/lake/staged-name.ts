/**
 * Names under a table's staging folder, and what the run in them allows. Pure.
 *
 * | name | what |
 * |---|---|
 * | `<run>-<n>.parquet` | the nth file that a run staged |
 * | `rows-<checkpoint>-<run>.ndjson` | a log of open rows |
 *
 * `<run>` is as schemas/run-id.ts names it.
 *
 * Invariants:
 * 1. What a later run wrote is never removed or replaced by an earlier one that does not know yet
 *    that it was taken over.
 * 2. What a run of another lineage staged is never removed: a copy of its checkpoints that is put
 *    back may name it.
 */
import { basename } from 'node:path';
import type { RunOrder, RunTrace } from '../../schemas/run-id.ts';
import { isLater, isOfPast, runPattern, runTrace } from '../../schemas/run-id.ts';

const stagedPattern = new RegExp(`^${runPattern}-(\\d+)(?:\\.parquet)?$`);
const logPattern = new RegExp(`^rows-\\d+-${runPattern}\\.ndjson$`);

/**
 * Whether `run` may remove what has this name: its own, an earlier run's of its lineage, or what
 * belongs to no run.
 */
export function mayRemove(name: string, run: RunOrder): boolean {
  const of = stagedPattern.exec(name) ?? logPattern.exec(name);
  return of === null || isOfPast(runTrace(of[1] as string, of[2]), run);
}

/** Says which content a published file has: the name of the staged one, without its ending. */
export function markOf(staged: string): string {
  return basename(staged, '.parquet');
}

/** What to do to make a staged file visible at its target. */
export type Publication =
  | 'put'
  /** It is visible already, or a later content of this run's is. */
  | 'done'
  /** A later run published there. */
  | 'taken-over';

/**
 * `published` is the mark of what is at the target, undefined when there is nothing, or nothing
 * that says what it is.
 */
export function decidePublication(
  published: string | undefined,
  staged: string,
  run: RunOrder,
): Publication {
  const [there, own] = [stagedFile(published ?? ''), stagedFile(markOf(staged))];
  if (there === undefined || own === undefined) return 'put';
  if (isLater(there, run)) return 'taken-over';
  // Contents of two lineages have no order: what is to be published now is the newer one.
  if (there.lineage !== own.lineage) return 'put';
  if (there.attempt !== own.attempt) return there.attempt > own.attempt ? 'done' : 'put';
  // The same attempt of two runs: an older copy of the checkpoints was put back in between.
  if (there.run !== own.run) return 'put';
  return there.number >= own.number ? 'done' : 'put';
}

/** Whether the mark at a target is of another lineage than a staged file. */
export function isOfAnother(published: string | undefined, staged: string): boolean {
  return stagedFile(published ?? '')?.run !== stagedFile(markOf(staged))?.run;
}

function stagedFile(
  name: string,
): (RunTrace & { readonly run: string; readonly number: number }) | undefined {
  const found = stagedPattern.exec(name);
  if (found === null) return undefined;
  const [, attempt = '', lineage, number = ''] = found;
  return {
    ...runTrace(attempt, lineage),
    run: name.slice(0, name.lastIndexOf('-')),
    number: Number(number),
  };
}

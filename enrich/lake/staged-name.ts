/**
 * Names under a table's staging folder, and what the attempt in them allows. Pure.
 *
 * | name | what |
 * |---|---|
 * | `<attempt>-<n>.parquet` | the nth file that a run staged |
 * | `rows-<checkpoint>-<attempt>.ndjson` | a log of open rows |
 *
 * Invariant: what a later run wrote is never removed or replaced by an earlier one that does not know yet that it was taken over.
 */
import { basename } from 'node:path';

const stagedPattern = /^(\d+)-(\d+)(?:\.parquet)?$/;
const logPattern = /^rows-\d+-(\d+)\.ndjson$/;

/** Whether the run `attempt` may remove what has this name: its own, an earlier run's, or what is nobody's. */
export function mayRemove(name: string, attempt: number): boolean {
  const of = stagedPattern.exec(name)?.[1] ?? logPattern.exec(name)?.[1];
  return of === undefined || Number(of) <= attempt;
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

/** `published` is the mark of what is at the target, undefined when there is nothing, or nothing that says what it is. */
export function decidePublication(published: string | undefined, staged: string, attempt: number): Publication {
  const there = stagedPattern.exec(published ?? '');
  const own = stagedPattern.exec(markOf(staged));
  if (there === null || own === null) return 'put';
  const [thereAttempt, thereNumber, ownAttempt, ownNumber] = [there[1], there[2], own[1], own[2]].map(Number) as [
    number,
    number,
    number,
    number,
  ];
  if (thereAttempt > attempt) return 'taken-over';
  if (thereAttempt !== ownAttempt) return thereAttempt > ownAttempt ? 'done' : 'put';
  return thereNumber >= ownNumber ? 'done' : 'put';
}

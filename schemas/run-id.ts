/**
 * Which run wrote something: part of the name of whatever a run leaves where another one may come
 * by. Pure but for the chance that is passed in.
 *
 * Invariants:
 * 1. Attempts are in order within a lineage only. A topology without a checkpoint begins a new
 *    lineage at attempt 1, beside whatever earlier ones left.
 * 2. A run's name is its own, also when an older copy of the checkpoints is put back: the same
 *    attempt then has another `id`.
 * 3. Names from before there were lineages are an attempt alone. They are of the run's own past as
 *    far as their attempt is not a later one.
 */
import type { Random } from './kernel/random.ts';

export interface RunId {
  /** Counts the runs of a lineage, from 1. */
  readonly attempt: number;
  /** Made at a start without a checkpoint, and kept in every checkpoint after it. */
  readonly lineage: string;
  /** Of this run alone. */
  readonly id: string;
}

/** A run's place among others. */
export type RunOrder = Pick<RunId, 'attempt' | 'lineage'>;

/** Whoever looks and leaves nothing. */
export const nobody: RunId = { attempt: 0, lineage: '', id: '' };

/** What is known of a run by what it left. */
export interface RunTrace {
  readonly attempt: number;
  /** Absent in what an earlier version of Sluice left. */
  readonly lineage: string | undefined;
}

const lineageBytes = 5;
const idBytes = 3;

export function newLineage(random: Random): string {
  return hexOf(lineageBytes, random);
}

export function newRun(attempt: number, lineage: string, random: Random): RunId {
  return { attempt, lineage, id: hexOf(idBytes, random) };
}

/** `<attempt>-<lineage><id>` */
export function runName({ attempt, lineage, id }: RunId): string {
  return `${attempt}-${lineage}${id}`;
}

/** A pattern of run names, with two groups for `runTrace`. */
export const runPattern = `(\\d+)(?:-([0-9a-f]{${2 * lineageBytes}})[0-9a-f]{${2 * idBytes}})?`;

/** Of what the groups of `runPattern` matched. */
export function runTrace(attempt: string, lineage: string | undefined): RunTrace {
  return { attempt: Number(attempt), lineage };
}

/** Whether what another run left is of `run`'s own past, or its own: its to remove. */
export function isOfPast(trace: RunTrace, run: RunOrder): boolean {
  return (
    (trace.lineage === undefined || trace.lineage === run.lineage) && trace.attempt <= run.attempt
  );
}

/**
 * Whether another run has taken over from `run`: what is of another lineage, or of none, comes
 * neither before nor after it.
 */
export function isLater(trace: RunTrace, run: RunOrder): boolean {
  return trace.lineage === run.lineage && trace.attempt > run.attempt;
}

function hexOf(bytes: number, random: Random): string {
  const made = new Uint8Array(bytes);
  random.fill(made);
  return Buffer.from(made).toString('hex');
}

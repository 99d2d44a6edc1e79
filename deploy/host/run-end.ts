/**
 * What follows the end of a topology's run. Pure.
 *
 * Invariants:
 * 1. A build on trial that fails is given up for the one before, except when another process has
 *    taken over.
 * 2. Whoever came later has taken over: taking it back would continue forever.
 * 3. A fault of what was written fails in the same way until a file changes; every other one is
 *    tried again.
 */
import type { WorkerFault } from './worker-protocol.ts';

export interface RunEndFacts<Build> {
  readonly fault: WorkerFault | undefined;
  readonly isStopping: boolean;
  /** Whether it emitted everything. */
  readonly isDrained: boolean;
  /** What ran before, while this build is on trial. */
  readonly before: Build | undefined;
}

export type RunEnd<Build> =
  | { readonly kind: 'drained' | 'stopped' }
  | { readonly kind: 'go-back'; readonly before: Build; readonly fault: WorkerFault }
  /** `wait`: for a change of its files. */
  | { readonly kind: 'taken-over' | 'wait' | 'restart'; readonly fault: WorkerFault };

/** Faults of what was written: the same build fails in the same way until a file is changed. */
const faultsOfWriting: ReadonlySet<string> = new Set([
  'topology-load',
  'topology-invalid',
  'topology-name-taken',
  'restore-refused',
]);

export function decideRunEnd<Build>(facts: RunEndFacts<Build>): RunEnd<Build> {
  const { fault, isStopping, isDrained, before } = facts;
  if (isDrained && fault === undefined) return { kind: 'drained' };
  if (isStopping || fault === undefined) return { kind: 'stopped' };
  if (fault.code === 'fenced') return { kind: 'taken-over', fault };
  if (before !== undefined) return { kind: 'go-back', before, fault };
  return { kind: faultsOfWriting.has(fault.code) ? 'wait' : 'restart', fault };
}

/**
 * Runs for tests of what they leave behind.
 */
import type { RunId } from '../schemas/run-id.ts';

const lineage = '00000000aa';

/** A run of a lineage that all tests share, unless another is given. */
export function runOf(attempt: number, ofLineage = lineage, id = '0000a1'): RunId {
  return { attempt, lineage: ofLineage, id };
}

/** For what opens a graph sink and is not about restores: whatever is recorded counts. */
export const allCounts = {
  from: { checkpoint: 0, chunk: 0 },
  to: { checkpoint: Number.MAX_SAFE_INTEGER, chunk: 0 },
};

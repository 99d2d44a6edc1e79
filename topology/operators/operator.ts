/**
 * What runs a graph node: a synchronous function over batches, with counters and, for stateful kinds, a snapshot.
 *
 * Invariants:
 * 1. `process` takes every row of the batch in order; it never awaits and never throws for what a user function did: that is a rejection.
 * 2. Conservation: in = passed + filtered + late + deduplicated + rejected, at every return.
 * 3. `restore(snapshot())` gives an operator that behaves the same.
 */
import type { RejectionCode } from '../../schemas/rejection.ts';
import type { Origin } from '../graph/sink.ts';
import type { Batch } from './batch.ts';

/** What happened to the elements that came in. Operators that make elements of their own count those as `emitted`. */
export interface NodeCounts {
  in: number;
  passed: number;
  filtered: number;
  late: number;
  deduplicated: number;
  rejected: number;
  emitted: number;
}

export function noCounts(): NodeCounts {
  return { in: 0, passed: 0, filtered: 0, late: 0, deduplicated: 0, rejected: 0, emitted: 0 };
}

export interface Rejection {
  readonly node: string;
  readonly code: RejectionCode;
  readonly message: string;
  readonly pointer: string | null;
  readonly schema: string | null;
  readonly value: unknown;
  readonly origin: Origin | undefined;
}

export type Reject = (rejection: Rejection) => void;

export interface Operator {
  /** `input` is the number of the node's input; `out[i]` is the batch of its output number i, in the order of the graph. */
  process(input: number, batch: Batch, out: readonly Batch[]): void;
  /** JSON-safe. Called between turns. */
  snapshot?(): unknown;
  restore?(snapshot: never): void;
}

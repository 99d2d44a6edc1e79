/**
 * Runs a node of a plan: a synchronous function over batches, with counters and, for stateful
 * kinds, a snapshot.
 *
 * Invariants:
 * 1. `process` handles every row of the batch in order. It never awaits, and never throws when a
 *    user function throws: that is a rejection.
 * 2. Conservation: in = passed + filtered + late + deduplicated + rejected + `backlog`, at every
 *    return.
 * 3. After `restore(snapshot())`, and the entries of its tables, an operator behaves the same.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { RejectionCode } from '../../schemas/rejection.ts';
import type { Provenance } from '../nodes/sink.ts';
import type { StateTable } from '../state/entries.ts';
import { NotJsonError } from '../state/json-safe.ts';
import type { SplitWatermarks } from '../time/watermark.ts';
import type { Batch } from './batch.ts';
import { changedValue } from './changed-value.ts';
import { InexactKeyError } from './key-text.ts';
import type { AskedTarget } from './lookup/lookup-target.ts';

/**
 * What happened to the elements that came in. Operators that make elements of their own count those
 * as `emitted`.
 */
export interface NodeCounts {
  in: number;
  passed: number;
  filtered: number;
  late: number;
  /**
   * Elements that some of their windows took and others, already over, did not. They are among the
   * passed ones.
   */
  partiallyLate: number;
  deduplicated: number;
  rejected: number;
  emitted: number;
}

export function noCounts(): NodeCounts {
  return {
    in: 0,
    passed: 0,
    filtered: 0,
    late: 0,
    partiallyLate: 0,
    deduplicated: 0,
    rejected: 0,
    emitted: 0,
  };
}

export interface Rejection {
  readonly node: string;
  readonly code: RejectionCode;
  readonly message: string;
  readonly pointer: string | null;
  readonly schema: string | null;
  readonly value: unknown;
  readonly origin: Provenance | undefined;
}

export type Reject = (rejection: Rejection) => void;

/** What is thrown in the place of a call that did not return twice. */
export const stuck = 'function-stuck';

export function refusedCall(slot: string): SluiceError {
  return new SluiceError(
    stuck,
    `the function '${slot}' did not return, twice: it is not called with this element again`,
  );
}

/**
 * Rejects an element for what a user function did: threw, gave what its slot does not allow, or did
 * not return. `given`: what the function was given, where that is more than the element.
 */
export function rejectThrown(
  reject: Reject,
  node: string,
  thrown: unknown,
  value: unknown,
  origin: Provenance | undefined,
  given: readonly unknown[] = [value],
): void {
  const change = changedValue(thrown, given);
  const code = !(thrown instanceof SluiceError)
    ? 'function-threw'
    : thrown.code === stuck
      ? stuck
      : 'function-result';
  const isPlaced = thrown instanceof NotJsonError || thrown instanceof InexactKeyError;
  const pointer = isPlaced ? thrown.pointer : (change?.pointer ?? null);
  reject({
    node,
    code,
    message: change?.message ?? messageOf(thrown),
    pointer,
    schema: null,
    value,
    origin,
  });
}

/** What an operator that works between turns needs of the engine. */
export interface OperatorHost {
  readonly clock: Clock;
  readonly random: Random;
  /** Something is done: there is to be a turn soon. */
  wake(): void;
}

/** What an operator holds until event time comes. */
export interface TimeProgress {
  /** Of all its inputs. */
  readonly watermark: number;
  /** Windows, elements or keys in state. */
  readonly open: number;
  /**
   * The watermark at which something comes out or goes next; undefined when nothing waits for time.
   */
  readonly next: number | undefined;
}

export interface Operator {
  /**
   * `input` is the number of the node's input; `out[i]` is the batch of its output number i, in the
   * order of the plan.
   */
  process(input: number, batch: Batch, out: readonly Batch[]): void;
  /**
   * Takes rows and gives nothing yet: the next `process` of the turn does, with those that it is
   * given. Only operators that others work for have it.
   */
  ahead?(input: number, batch: Batch): void;
  /**
   * Of several inputs: number `input` says in this turn that it is active again. What the others
   * say before is not to pass it.
   */
  wake?(input: number, out: readonly Batch[]): void;
  /**
   * Gives, at the beginning of a turn, what became ready since the last; says whether there was
   * something.
   */
  poll?(out: readonly Batch[]): boolean;
  /** Elements that wait inside for something outside; they are in `in` and in nothing else yet. */
  readonly backlog?: number;
  /** What it asked for outside and has no answer to yet. */
  readonly calls?: number;
  /** Of what it asks outside: how long that takes. */
  readonly asked?: AskedTarget;
  /** Why what waits inside does not get on, when that is known. */
  readonly failure?: string | undefined;
  /** Takes no more for now: sources are not to be read. */
  readonly isFull?: boolean;
  /** The time of each split; only kinds that make event time have it. */
  readonly watermarks?: SplitWatermarks;
  /** For status; only kinds that wait for event time have it. */
  readonly progress?: TimeProgress;
  close?(): void;
  /**
   * Which beginning of its state this is, before anything else is asked; 0 unless it is told. Only
   * kinds that tell elements apart by it have it.
   */
  begin?(era: number): void;
  /**
   * The head of its state: what is not in `tables`, small. JSON-safe. Called between turns.
   */
  snapshot?(): unknown;
  /** The head first, the entries of the tables after it. */
  restore?(head: never): void;
  readonly tables?: readonly StateTable[];
}

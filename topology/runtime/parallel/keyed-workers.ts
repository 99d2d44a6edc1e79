/**
 * The workers that run the keyed nodes of a topology, each for its part of the key groups: a port,
 * and what the coordinator (keyed-stage.ts) and a worker (keyed-worker.ts) say to each other.
 * Everything is structured-clonable.
 *
 * Invariants:
 * 1. A worker answers each request once. Answers are taken in any order; a run that ended leaves
 *    some that nobody takes.
 * 2. Waiting for an answer keeps the coordinator's thread: a turn is as synchronous as with one
 *    thread, and the gap between two turns is the barrier of all workers.
 * 3. A worker that is gone answers nothing: who made the workers ends the coordinator then.
 */
import type { OperationalCode } from '../../../schemas/kernel/error-codes.ts';
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';
import type { EntryChunk } from '../../checkpoint/sorted-runs/entry-chunks.ts';
import type { NodeCounts, Rejection, TimeProgress } from '../../operators/operator.ts';
import type { RestingPlace } from '../../state/records.ts';
import type { Freezes } from '../frozen-values.ts';

export interface KeyedWorkers {
  /** How many there are; two at least. */
  readonly parallelism: number;
  /** Gives the number of the call. */
  post(worker: number, request: WorkerRequest): number;
  /** Waits for the answer of a worker to a call; once for each. */
  take(worker: number, call: number): WorkerAnswer;
  /** Nobody takes what was posted before. */
  forget(): void;
}

/** Which rows of a batch a worker is given, by column. */
export interface SentRows {
  /** The place of each in the batch. */
  readonly rows: Int32Array;
  readonly kinds: Uint8Array;
  readonly timestamps: Float64Array;
  /** By element: the text of its key; undefined where the author's function threw. */
  readonly keys: readonly (string | undefined)[];
  /** By element, where the kind reads values, and of watermarks. */
  readonly values: readonly unknown[];
  /** By element, without its bytes; undefined where the kind reads none. */
  readonly origins: readonly unknown[] | undefined;
}

/** What tells where a row that came out belongs. */
export interface CausedRows {
  /** The row of the input's batch that caused each; -1: none did. */
  readonly rows: Int32Array;
  /** Of those that `firedFlag` marks, in order: the latest timer so far. */
  readonly times: readonly number[];
  readonly keys: readonly string[];
  readonly flags: Uint8Array;
}

/** The value, or the origin, is that of the row that caused it. */
export const sameValueFlag = 1;
export const sameOriginFlag = 2;
/** The origin is the row's with another element, which stands in its place. */
export const siblingFlag = 4;
/** A timer caused it. */
export const firedFlag = 8;

export interface GivenRows extends CausedRows {
  readonly kinds: Uint8Array;
  readonly timestamps: Float64Array;
  /** Of those that are not the row's own, in order. */
  readonly values: readonly unknown[];
  readonly origins: readonly unknown[];
  /** What of each of `values` is frozen. */
  readonly frozen: readonly FrozenParts[];
}

/** True: all of it. Undefined: nothing. */
export type FrozenParts =
  | true
  | undefined
  | readonly (readonly [member: string, parts: FrozenParts])[];

export interface GivenRejections extends CausedRows {
  readonly reasons: readonly Omit<Rejection, 'value' | 'origin'>[];
  readonly values: readonly unknown[];
  readonly origins: readonly unknown[];
}

/** What of a table may be known without looking at it. */
export interface TableFacts {
  readonly deadThrough: number;
  readonly changedBytes: number;
}

/** What of the state of a node is not live. */
export type RestingFacts = Pick<RestingPlace, 'records' | 'heldBytes'>;

export interface RunAnswer {
  /** By output. */
  readonly outputs: readonly GivenRows[];
  readonly rejections: GivenRejections;
  /** Since the last answer. */
  readonly counts: NodeCounts;
  readonly tables: readonly TableFacts[];
  readonly resting: RestingFacts;
  /** What the operator threw on the way. */
  readonly failed: WorkerFailure | undefined;
}

/** `node`: whose operator is meant. `table`: the number of its table. */
export type WorkerRequest =
  /** New operators of all keyed nodes, in place of those before. */
  | {
      readonly kind: 'open';
      readonly worker: number;
      readonly parallelism: number;
      readonly freezes: Freezes;
      /** Elements on which an operator fails are rejected, and the others continue. */
      readonly rejectsFailing: boolean;
    }
  | { readonly kind: 'begin'; readonly node: string; readonly era: number }
  | { readonly kind: 'restore'; readonly node: string; readonly head: unknown }
  | {
      readonly kind: 'entries';
      readonly node: string;
      readonly table: number;
      readonly chunks: readonly EntryChunk[];
    }
  | { readonly kind: 'wake'; readonly node: string; readonly input: number }
  | {
      readonly kind: 'run';
      readonly node: string;
      readonly input: number;
      readonly sent: SentRows;
    }
  | { readonly kind: 'head'; readonly node: string }
  | { readonly kind: 'progress'; readonly node: string }
  | { readonly kind: 'size'; readonly node: string; readonly table: number }
  | { readonly kind: 'seal'; readonly node: string; readonly table: number }
  /** What was sealed and is not written yet, about `maxBytes` of it. */
  | {
      readonly kind: 'write';
      readonly node: string;
      readonly table: number;
      readonly maxBytes: number;
    }
  | { readonly kind: 'close'; readonly node: string };

/** What a request is answered with, by its kind. */
export interface WorkerResults {
  readonly open: undefined;
  readonly begin: undefined;
  readonly restore: readonly TableFacts[];
  readonly entries: undefined;
  readonly wake: RunAnswer;
  readonly run: RunAnswer;
  readonly head: unknown;
  readonly progress: TimeProgress;
  readonly size: number;
  readonly seal: readonly TableFacts[];
  readonly write: { readonly chunks: readonly EntryChunk[]; readonly isWhole: boolean };
  readonly close: undefined;
}

export interface WorkerFailure {
  readonly code: OperationalCode | undefined;
  readonly message: string;
  readonly fix: string | undefined;
  readonly retryable: boolean;
  readonly stack: string | undefined;
}

export type WorkerAnswer =
  | { readonly is: 'done'; readonly result: unknown }
  | { readonly is: 'failed'; readonly failure: WorkerFailure };

export function failureOfThrown(thrown: unknown): WorkerFailure {
  const of = thrown instanceof SluiceError ? thrown : undefined;
  return {
    code: of?.code,
    message: messageOf(thrown),
    fix: of?.fix,
    retryable: of?.retryable === true,
    stack: thrown instanceof Error ? thrown.stack : undefined,
  };
}

export function thrownOfFailure({ code, message, fix, retryable, stack }: WorkerFailure): Error {
  if (code !== undefined)
    return new SluiceError(code, message, fix === undefined ? { retryable } : { fix, retryable });
  const error = new Error(message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

/**
 * What the engine asks of a sink. Adapters live in enrich/; the engine alone decides when they
 * stage and commit.
 *
 * Invariants:
 * 1. `write` is never called between `prepare(n)` and the end of that call; calls never overlap,
 *    except that `commit(n)` may run beside `write`, and, of a sink that `commitsAside`, beside
 *    `prepare` too.
 * 2. After `prepare(n)` every row written before it is durable, though not visible, and the
 *    returned state names it, with all that was staged before and is not known to be visible.
 * 3. `commit(n)` makes visible all that was staged up to `n`, and nothing beyond. It may be lost,
 *    and repeated, also after a restart; it is idempotent.
 * 4. `open(state)` discards whatever was staged after `state` was returned, and commits what
 *    `state` names; a sink that `commitsAside` may leave that to the next commit when what it
 *    writes to is busy.
 */
import type { EventAttributes } from '../../schemas/event.ts';
import type { InexactNumber } from '../../schemas/inexact-numbers.ts';
import type { Route } from '../../schemas/ports/record.ts';

/** Where an element came from: the record that carried it into the topology. */
export interface Origin {
  /** `team/app` */
  readonly stream: string;
  readonly path: Route;
  readonly split: string;
  /** The split among all splits of the job, as one source reads it. */
  readonly splitKey: string;
  readonly position: string;
  readonly attributes: EventAttributes;
  /** The client's bytes of `data`. */
  readonly data: Uint8Array;
  /** Numbers in it that a double does not hold as they are written; absent without any. */
  readonly inexact?: readonly InexactNumber[];
  /**
   * Which of the elements that were made of the event, as `RejectedEvent` has it; absent for the
   * first.
   */
  readonly element?: string;
  readonly derived?: undefined;
}

/**
 * What tells an element from all others that ever come to the same place, and is the same when it
 * comes again: JSON.
 */
export type Identity = readonly unknown[];

/** An element that came in no record: an operator made it of others, or of time. */
export interface Derived {
  readonly derived: Derivation;
  /** As an origin has it. */
  readonly element?: string;
  readonly splitKey?: undefined;
  readonly inexact?: undefined;
}

/**
 * How an operator, the `node`, made it. `era` is the beginning of its state (`StatefulNode`): what
 * it makes after another one is something else.
 */
export type Derivation =
  /**
   * Of a key's window one firing: the one on time, an early one by its time, a late one by the
   * element that caused it. Their number is of one run: with another pace, or order of splits,
   * there may be other ones before it.
   */
  | {
      readonly kind: 'pane';
      readonly node: string;
      readonly era: number;
      readonly key: string;
      readonly start: number;
      readonly end: number;
      readonly firing: 'onTime' | number | Identity;
    }
  /** Of a left row, and of a right one where it found one. */
  | {
      readonly kind: 'pair';
      readonly node: string;
      readonly left: Identity;
      readonly right: Identity | undefined;
    }
  /**
   * By a key's timer: `by` is its time, or what registered it where a timer of that time may come
   * again.
   */
  | {
      readonly kind: 'timer';
      readonly node: string;
      readonly era: number;
      readonly key: string;
      readonly domain: string;
      readonly by: number | Identity;
    }
  /** Out of a snapshot. */
  | { readonly kind: 'kept'; readonly identity: Identity };

/** Where an element is from. */
export type Provenance = Origin | Derived;

/**
 * Elements by column: `values[i]`, its event time `timestamps[i]` (epoch ms) and `origins[i]`
 * belong together; all of `length`.
 */
export interface ElementBatch {
  readonly length: number;
  readonly values: readonly unknown[];
  readonly timestamps: readonly number[];
  /** Undefined for what a checkpoint of before elements had identities still held. */
  readonly origins: readonly (Provenance | undefined)[];
}

/**
 * A row that the sink cannot take, by its index in the batch. The engine rejects it as
 * `row-mismatch`.
 */
export interface RejectedRow {
  readonly index: number;
  readonly message: string;
  /** JSON pointer into the row. */
  readonly pointer: string;
}

/** JSON-safe; opaque to the engine. */
export type SinkState = unknown;

export interface Sink {
  /**
   * Whether checkpoints continue without it while a commit takes long or fails with what may pass:
   * each names what is not visible yet, and the next commit makes up for it.
   */
  readonly commitsAside?: boolean;
  /**
   * Whether it holds as much as it may that is not visible yet: nothing is read until that is less.
   * Absent: never.
   */
  readonly isFull?: boolean;
  open(restored: SinkState | undefined): Promise<void>;
  /**
   * Resolves when the rows are accepted: bounded buffers make it wait. Rejects with a `SluiceError`
   * on an operational fault.
   */
  write(batch: ElementBatch): Promise<readonly RejectedRow[]>;
  /**
   * `last`: nothing is kept open, and all of it becomes visible with this checkpoint: no more rows
   * will come, or it is kept as a savepoint.
   */
  prepare(checkpoint: number, last: boolean): Promise<SinkState>;
  commit(checkpoint: number): Promise<void>;
  /**
   * Rows that were accepted and are not visible yet, staged ones included: while there are some,
   * checkpoints continue.
   */
  pendingRows(): number;
  close(): Promise<void>;
}

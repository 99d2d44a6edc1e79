/**
 * What the engine asks of a sink. Adapters live in enrich/; the engine alone decides when they stage and commit.
 *
 * Invariants:
 * 1. `write` is never called between `prepare(n)` and the end of that call; calls never overlap, except that `commit(n)` may run beside `write`.
 * 2. After `prepare(n)` every row written before it is durable, though not visible, and the returned state names it.
 * 3. `commit(n)` makes visible all that was staged up to `n`. It may be lost, and repeated after a restart; it is idempotent.
 * 4. `open(state)` discards whatever was staged after `state` was returned, and commits what `state` names.
 */
import type { EventAttributes } from '../../schemas/event.ts';
import type { InexactNumber } from '../../schemas/number-scan.ts';
import type { Path } from '../../schemas/ports/record.ts';

/** Where an element came from: the record that carried it into the topology. */
export interface Origin {
  /** `team/app` */
  readonly stream: string;
  readonly path: Path;
  readonly split: string;
  /** The split among all splits of the job, as one source reads it. */
  readonly splitKey: string;
  readonly position: string;
  readonly attributes: EventAttributes;
  /** The client's bytes of `data`. */
  readonly data: Uint8Array;
  /** Numbers in it that a double does not hold as they are written; absent without any. */
  readonly inexact?: readonly InexactNumber[];
  /** Which of the elements that were made of the event, as `RejectedEvent` has it; absent for the first. */
  readonly element?: string;
}

/** Elements by column: `values[i]`, its event time `timestamps[i]` (epoch ms) and `origins[i]` belong together; all of `length`. */
export interface ElementBatch {
  readonly length: number;
  readonly values: readonly unknown[];
  readonly timestamps: readonly number[];
  readonly origins: readonly (Origin | undefined)[];
}

/** A row that the sink cannot take, by its index in the batch. The engine rejects it as `row-mismatch`. */
export interface RefusedRow {
  readonly index: number;
  readonly message: string;
  /** JSON pointer into the row. */
  readonly pointer: string;
}

/** JSON-safe; opaque to the engine. */
export type SinkState = unknown;

export interface Sink {
  open(restored: SinkState | undefined): Promise<void>;
  /** Resolves when the rows are accepted: bounded buffers make it wait. Rejects with a `SluiceError` on an operational fault. */
  write(batch: ElementBatch): Promise<readonly RefusedRow[]>;
  /** `last`: no more rows will come, so nothing is kept open and all of it becomes visible with this checkpoint. */
  prepare(checkpoint: number, last: boolean): Promise<SinkState>;
  commit(checkpoint: number): Promise<void>;
  /** Rows that were accepted and are not visible yet, staged ones included: while there are some, checkpoints go on. */
  pendingRows(): number;
  close(): Promise<void>;
}

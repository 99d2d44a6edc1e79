/**
 * Which of several rows of a key came last: the column `row_order` of a table by key. Pure but for
 * the clock that is passed in.
 *
 * Invariant: a table's numbers only grow: within a run, through its checkpoints, and, as they are
 * microseconds since 1970, from one lineage to the next.
 */
import type { Clock } from '../schemas/kernel/clock.ts';
import type { JsonSchema } from '../schemas/registry.ts';

export const rowOrderColumn = 'row_order';

const microsPerMs = 1_000;

export class RowOrder {
  readonly #clock: Clock;
  /** The number that was given last. */
  last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  next(): number {
    this.last = Math.max(this.last + 1, this.#clock.now() * microsPerMs);
    return this.last;
  }
}

/** A row's schema with the column. */
export function withRowOrder(schema: JsonSchema): JsonSchema {
  const description = 'Of the rows of a key, the one with the largest is the latest';
  const properties = {
    ...(schema['properties'] as object),
    [rowOrderColumn]: { type: 'integer', description },
  };
  return { ...schema, properties };
}

/**
 * What tells a table's rows apart, and knows one again that comes twice: 128 bits in hexadecimal,
 * the column `row_id`. Pure.
 *
 * Invariants:
 * 1. It is made of what the row was made of (a record and its place, a window's pane, a pair, a
 *    timer: `identityOf`) and the sink; never of the run, and never of values: what was asked of a
 *    look-up, or of the clock, may be answered otherwise the second time.
 * 2. Where a checkpoint of earlier versions kept a row without that, it is the row itself, and
 *    which of several equal ones of a batch it is.
 */
import { createHash } from 'node:crypto';
import type { JsonSchema } from '../schemas/registry.ts';
import type { ElementBatch } from '../topology/index.ts';
import { identityOf } from '../topology/index.ts';

export const rowIdColumn = 'row_id';

const idChars = 32;

/**
 * `sink`: which one, as `topology/table`. The function it gives is for each row of one batch, in
 * order.
 */
export function rowIds(sink: string): (batch: ElementBatch) => (index: number) => string {
  const textsOf = rowIdTexts(sink);
  return (batch) => {
    const textOf = textsOf(batch);
    return (index) => digestOf(textOf(index));
  };
}

/** What the ids are digests of: where something else digests. */
export function rowIdTexts(
  sink: string,
): (batch: Pick<ElementBatch, 'values' | 'timestamps' | 'origins'>) => (index: number) => string {
  const name = JSON.stringify(sink);
  return (batch) => {
    const equal = new Map<string, number>();
    return (index) => {
      const identity = identityOf(batch.origins[index]);
      if (identity !== undefined) return `[${name},${JSON.stringify(identity)}]`;
      const row = JSON.stringify([sink, batch.timestamps[index], batch.values[index]]);
      const nth = equal.get(row) ?? 0;
      equal.set(row, nth + 1);
      return `${nth} ${row}`;
    };
  };
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, idChars);
}

/** A row's schema with the column. */
export function withRowId(schema: JsonSchema): JsonSchema {
  const description = 'What tells the row apart: the same when it comes again';
  const properties = {
    ...(schema['properties'] as object),
    [rowIdColumn]: { type: 'string', description },
  };
  return { ...schema, properties };
}

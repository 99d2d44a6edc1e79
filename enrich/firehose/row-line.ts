/**
 * A row as the line that Firehose delivers: its own members, then what it is partitioned by and its identity. Pure.
 *
 * | member | what |
 * |---|---|
 * | `team`, `app` | the row's own, whatever its type and also where it is null; of a row that has none the topology's |
 * | `date`, `hour` | of the element's time, UTC |
 * | `row_id` | the same for a row that comes again after a restart, so that readers keep one of them (row-id.ts) |
 * | `row_order` | of a table by key: which row of a key came last (row-order.ts) |
 */
import { rowReader } from '../../schemas/columns.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { PartitionOwner } from '../../schemas/partition.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import type { ElementBatch, RefusedRow } from '../../topology/index.ts';
import { rowIdColumn, rowIds } from '../row-id.ts';
import type { RowOrder } from '../row-order.ts';
import { rowOrderColumn } from '../row-order.ts';

const reserved = ['date', 'hour', rowIdColumn];
const firstMs = Date.parse('0000-01-01T00:00:00Z');
const lastMs = Date.parse('9999-12-31T23:59:59.999Z');

export interface LineOptions {
  readonly schema: JsonSchema;
  readonly owner: PartitionOwner;
  /** Names the sink in identities: `topology/table`. */
  readonly sink: string;
  /** Of a table by key. */
  readonly order?: RowOrder | undefined;
}

export interface BatchLines {
  /** With their line feeds, each with its row's index in the batch. */
  readonly lines: readonly { readonly index: number; readonly line: Buffer }[];
  readonly refused: readonly RefusedRow[];
}

/** Throws `columns-reserved` when the schema has members that are added here. */
export function lineWriter({ schema, owner, sink, order }: LineOptions): (batch: ElementBatch) => BatchLines {
  const reader = rowReader(schema);
  const taken = reader.columns.map(({ name }) => name).filter((name) => reserved.includes(name));
  if (taken.length > 0) {
    throw new SluiceError('columns-reserved', `rows of '${sink}' have ${taken.join(', ')}, which delivery adds`, {
      fix: `give those columns other names: ${reserved.join(', ')} are made of the element's time and origin`,
    });
  }
  const idOf = rowIds(sink);
  return (batch) => {
    const ids = idOf(batch);
    const lines: { index: number; line: Buffer }[] = [];
    const refused: RefusedRow[] = [];
    for (let index = 0; index < batch.length; index++) {
      const row = batch.values[index];
      const ms = batch.timestamps[index] as number;
      const read = reader.read(row, batch.origins[index]?.inexact);
      const problem = 'message' in read ? read : dateless(ms);
      if (problem !== undefined) {
        refused.push({ index, message: problem.message, pointer: problem.pointer });
        continue;
      }
      const { team, app } = row as { readonly team?: unknown; readonly app?: unknown };
      const iso = new Date(ms).toISOString();
      const whole = {
        ...(row as object),
        team: team === undefined ? owner.team : team,
        app: app === undefined ? owner.app : app,
        date: iso.slice(0, 10),
        hour: iso.slice(11, 13),
        [rowIdColumn]: ids(index),
        ...(order === undefined ? {} : { [rowOrderColumn]: order.next() }),
      };
      lines.push({ index, line: Buffer.from(`${JSON.stringify(whole)}\n`) });
    }
    return { lines, refused };
  };
}

function dateless(ms: number): { readonly message: string; readonly pointer: string } | undefined {
  if (ms >= firstMs && ms <= lastMs) return undefined;
  return { message: `the element's time, ${ms} ms, has no date between the years 0 and 9999`, pointer: '' };
}

/**
 * A row as the line that Firehose delivers: its own members, then the partition columns and its
 * identity. Pure.
 *
 * - `team`, `app`: the row's own values, of any type, null included; the topology's when the row
 *   has none.
 * - `date`, `hour`: of the element's time, in UTC.
 * - `row_id`: stays the same when the row is delivered again after a restart, so that readers can
 *   keep one of them (row-id.ts).
 * - `row_order`: in tables by key, says which row of a key came last (row-order.ts).
 */
import { rowReader } from '../../schemas/columns.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { PartitionColumn, PartitionOwner } from '../../schemas/partition.ts';
import { partitioner } from '../../schemas/partition.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import type { ElementBatch, RejectedRow } from '../../topology/index.ts';
import { rowIdColumn, rowIds } from '../row-id.ts';
import type { RowOrder } from '../row-order.ts';
import { rowOrderColumn } from '../row-order.ts';

const reserved = ['date', 'hour', rowIdColumn];

export interface LineOptions {
  readonly schema: JsonSchema;
  /** Of the table: what the delivery stream's prefix has. Default: none. */
  readonly partitionBy?: readonly PartitionColumn[];
  readonly owner: PartitionOwner;
  /** Names the sink in identities: `topology/table`. */
  readonly sink: string;
  /** Of a table by key. */
  readonly order?: RowOrder | undefined;
}

export interface BatchLine {
  readonly index: number;
  readonly line: Buffer;
  /**
   * Whether the delivery stream, which takes values into its prefix as they are, names the row's
   * folders as a table does.
   */
  readonly isPlain: boolean;
}

export interface BatchLines {
  /** With their line feeds, each with its row's index in the batch. */
  readonly lines: readonly BatchLine[];
  readonly rejected: readonly RejectedRow[];
}

/** Throws `columns-reserved` when the schema has members that are added here. */
export function lineWriter({
  schema,
  partitionBy = [],
  owner,
  sink,
  order,
}: LineOptions): (batch: ElementBatch) => BatchLines {
  const reader = rowReader(schema);
  const taken = reader.columns.map(({ name }) => name).filter((name) => reserved.includes(name));
  if (taken.length > 0) {
    throw new SluiceError(
      'columns-reserved',
      `rows of '${sink}' have ${taken.join(', ')}, which delivery adds`,
      {
        fix: `rename those columns: ${reserved.join(', ')} are derived from the element's time and origin`,
      },
    );
  }
  const idOf = rowIds(sink);
  const folderOf = partitioner(partitionBy);
  return (batch) => {
    const ids = idOf(batch);
    const lines: BatchLine[] = [];
    const rejected: RejectedRow[] = [];
    for (let index = 0; index < batch.length; index++) {
      const row = batch.values[index];
      const ms = batch.timestamps[index] as number;
      const read = reader.read(row, batch.origins[index]?.inexact);
      const { team, app } = ('message' in read ? {} : row) as {
        readonly team?: unknown;
        readonly app?: unknown;
      };
      const folder =
        'message' in read ? read : folderOf(ms, textOf(team, owner.team), textOf(app, owner.app));
      if (typeof folder !== 'string') {
        rejected.push({ index, message: folder.message, pointer: folder.pointer });
        continue;
      }
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
      const isPlain =
        !folder.includes('%') &&
        !(partitionBy.includes('team') && team === null) &&
        !(partitionBy.includes('app') && app === null);
      lines.push({ index, line: Buffer.from(`${JSON.stringify(whole)}\n`), isPlain });
    }
    return { lines, rejected };
  };
}

const textOf = (value: unknown, owner: string): string =>
  typeof value === 'string' ? value : owner;

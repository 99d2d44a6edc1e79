/**
 * A batch of rows as the columns that a table's thread takes, each row with its folder; what the
 * table cannot hold is set apart. Pure.
 */
import type { Cell, Column } from '../../schemas/columns.ts';
import type { PartitionColumn, PartitionOwner } from '../../schemas/partition.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import { tableRows } from '../../schemas/table-rows.ts';
import type { ElementBatch, RejectedRow } from '../../topology/index.ts';
import { rowIdColumn, rowIds } from '../row-id.ts';
import type { RowOrder } from '../row-order.ts';
import { rowOrderColumn } from '../row-order.ts';
import { cellBytes } from './open-rows.ts';

export interface BatchColumns {
  /** The folder of each row that fits. */
  readonly partitions: readonly string[];
  /** `cells[c][r]` */
  readonly cells: readonly (readonly Cell[])[];
  readonly bytes: number;
  readonly rejected: readonly RejectedRow[];
}

export interface BatchReader {
  readonly columns: readonly Column[];
  read(batch: ElementBatch): BatchColumns;
}

const idColumn: Column = { name: rowIdColumn, type: 'STRING', nullable: false, description: '' };
const orderColumn: Column = {
  name: rowOrderColumn,
  type: 'INT64',
  nullable: false,
  description: '',
};

export interface AddedColumns {
  /** The sink that ids of rows are of, where they have them. */
  readonly idsOf?: string | undefined;
  /** Where rows have their order. */
  readonly order?: RowOrder | undefined;
}

export function batchReader(
  schema: JsonSchema,
  partitionBy: readonly PartitionColumn[],
  owner: PartitionOwner,
  { idsOf, order }: AddedColumns = {},
): BatchReader {
  const table = tableRows(schema, partitionBy, owner);
  const idOf = idsOf === undefined ? undefined : rowIds(idsOf);
  const columns = [
    ...table.columns,
    ...(idOf === undefined ? [] : [idColumn]),
    ...(order === undefined ? [] : [orderColumn]),
  ];
  const own = table.columns.length;
  return {
    columns,
    read(batch) {
      const partitions: string[] = [];
      const cells: Cell[][] = columns.map(() => []);
      const ids = idOf?.(batch);
      const rejected: RejectedRow[] = [];
      let bytes = 0;
      for (let index = 0; index < batch.length; index++) {
        const row = batch.values[index];
        const read = table.cells(row, batch.origins[index]?.inexact);
        const partition =
          'message' in read ? read : table.folder(row, batch.timestamps[index] as number);
        if (typeof partition !== 'string') {
          rejected.push({ index, message: partition.message, pointer: partition.pointer });
          continue;
        }
        partitions.push(partition);
        for (let column = 0; column < own; column++) {
          const cell = (read as readonly Cell[])[column] ?? null;
          cells[column]?.push(cell);
          bytes += typeof cell === 'string' ? cell.length : cellBytes;
        }
        if (ids !== undefined) {
          const id = ids(index);
          cells[own]?.push(id);
          bytes += id.length;
        }
        if (order !== undefined) {
          cells.at(-1)?.push(order.next());
          bytes += cellBytes;
        }
      }
      return { partitions, cells, bytes, rejected };
    },
  };
}

/**
 * A batch of rows as the columns that a table's thread takes, each row with its folder; what the table cannot hold is set apart. Pure.
 */
import type { Cell, Column } from '../../schemas/columns.ts';
import type { PartitionColumn, PartitionOwner } from '../../schemas/partition.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import { tableRows } from '../../schemas/table-rows.ts';
import type { ElementBatch, RefusedRow } from '../../topology/index.ts';
import { rowIdColumn, rowIds } from '../row-id.ts';
import { cellBytes } from './open-rows.ts';

export interface BatchColumns {
  /** The folder of each row that fits. */
  readonly partitions: readonly string[];
  /** `cells[c][r]` */
  readonly cells: readonly (readonly Cell[])[];
  readonly bytes: number;
  readonly refused: readonly RefusedRow[];
}

export interface BatchReader {
  readonly columns: readonly Column[];
  read(batch: ElementBatch): BatchColumns;
}

const idColumn: Column = { name: rowIdColumn, type: 'STRING', nullable: false, description: '' };

/** `idsOf`: the sink that ids of rows are of, where they have them. */
export function batchReader(
  schema: JsonSchema,
  partitionBy: readonly PartitionColumn[],
  owner: PartitionOwner,
  idsOf?: string,
): BatchReader {
  const table = tableRows(schema, partitionBy, owner);
  const idOf = idsOf === undefined ? undefined : rowIds(idsOf);
  const columns = idOf === undefined ? table.columns : [...table.columns, idColumn];
  return {
    columns,
    read(batch) {
      const partitions: string[] = [];
      const cells: Cell[][] = columns.map(() => []);
      const ids = idOf?.(batch);
      const refused: RefusedRow[] = [];
      let bytes = 0;
      for (let index = 0; index < batch.length; index++) {
        const row = batch.values[index];
        const read = table.cells(row, batch.origins[index]?.inexact);
        const partition = 'message' in read ? read : table.folder(row, batch.timestamps[index] as number);
        if (typeof partition !== 'string') {
          refused.push({ index, message: partition.message, pointer: partition.pointer });
          continue;
        }
        partitions.push(partition);
        for (let column = 0; column < cells.length; column++) {
          const cell = ids !== undefined && column === table.columns.length ? ids(index) : ((read as readonly Cell[])[column] ?? null);
          cells[column]?.push(cell);
          bytes += typeof cell === 'string' ? cell.length : cellBytes;
        }
      }
      return { partitions, cells, bytes, refused };
    },
  };
}

/**
 * A batch of rows as the columns that a table's thread takes, each row with its folder; what the table cannot hold is set apart. Pure.
 */
import type { JsonSchema } from '../../schemas/registry.ts';
import type { ElementBatch, PartitionColumn, RefusedRow } from '../../topology/index.ts';
import type { Cell, Column, RowProblem } from './columns.ts';
import { rowReader } from './columns.ts';
import { cellBytes } from './open-rows.ts';
import type { PartitionOwner } from './partition.ts';
import { partitioner } from './partition.ts';

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

export function batchReader(schema: JsonSchema, partitionBy: readonly PartitionColumn[], owner: PartitionOwner): BatchReader {
  const reader = rowReader(schema);
  const folderOf = partitioner(partitionBy);
  const rowTeam = reader.columns.some((column) => column.name === 'team');
  const rowApp = reader.columns.some((column) => column.name === 'app');
  const partitionOf = (row: unknown, timestampMs: number): string | RowProblem => {
    const { team, app } = row as { readonly team?: unknown; readonly app?: unknown };
    return folderOf(
      timestampMs,
      rowTeam && typeof team === 'string' ? team : owner.team,
      rowApp && typeof app === 'string' ? app : owner.app,
    );
  };
  return {
    columns: reader.columns,
    read(batch) {
      const partitions: string[] = [];
      const cells: Cell[][] = reader.columns.map(() => []);
      const refused: RefusedRow[] = [];
      let bytes = 0;
      for (let index = 0; index < batch.length; index++) {
        const row = batch.values[index];
        const read = reader.read(row);
        const partition = 'message' in read ? read : partitionOf(row, batch.timestamps[index] as number);
        if (typeof partition !== 'string') {
          refused.push({ index, message: partition.message, pointer: partition.pointer });
          continue;
        }
        partitions.push(partition);
        for (let column = 0; column < cells.length; column++) {
          const cell = (read as readonly Cell[])[column] ?? null;
          cells[column]?.push(cell);
          bytes += typeof cell === 'string' ? cell.length : cellBytes;
        }
      }
      return { partitions, cells, bytes, refused };
    },
  };
}

/**
 * What a table takes of a topology: a row's cells and the folder that it belongs in, or why it
 * cannot be taken. Sinks and the test driver ask the same question here. Pure.
 */
import type { Cell, Column, RowProblem } from './columns.ts';
import { columnsOf, rowReader } from './columns.ts';
import type { Inexact } from './exact-cells.ts';
import type { PartitionColumn, PartitionOwner } from './partition.ts';
import { partitioner } from './partition.ts';
import type { JsonSchema } from './registry.ts';

/** What the latest rows of a table by key are called. */
export const latestOf = (table: string): string => `${table}_latest`;

export interface TableRows {
  /** Of its files: without those that name its folders. */
  readonly columns: readonly Column[];
  /** The row's cells in column order. `inexact`: of the event that it came of. */
  cells(row: unknown, inexact?: Inexact): readonly Cell[] | RowProblem;
  /** Of a row that has cells: its folder by its element's time, epoch ms. */
  folder(row: unknown, timestampMs: number): string | RowProblem;
}

/**
 * `owner` names the folder's team and app where the row has no such column. Throws `SluiceError`
 * `schema-invalid`.
 */
export function tableRows(
  schema: JsonSchema,
  partitionBy: readonly PartitionColumn[],
  owner: PartitionOwner,
): TableRows {
  const { columns, read } = rowReader(schema, partitionBy);
  const folderOf = partitioner(partitionBy);
  const own = new Set(columnsOf(schema).map(({ name }) => name));
  const [rowTeam, rowApp] = [own.has('team'), own.has('app')];
  return {
    columns,
    cells: read,
    folder(row, timestampMs) {
      const { team, app } = row as { readonly team?: unknown; readonly app?: unknown };
      return folderOf(
        timestampMs,
        rowTeam && typeof team === 'string' ? team : owner.team,
        rowApp && typeof app === 'string' ? app : owner.app,
      );
    },
  };
}

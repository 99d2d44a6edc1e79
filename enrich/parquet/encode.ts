/**
 * Columns to the bytes of a Parquet file (Snappy), through hyparquet-writer. Synchronous and heavy: for worker threads, or few rows.
 */
import { parquetWriteBuffer } from 'hyparquet-writer';
import { limits } from '../../schemas/limits.ts';
import type { Cell, Column } from './columns.ts';

/** `cells[c][r]` is row r of column c. */
export function encodeParquet(columns: readonly Column[], cells: readonly (readonly Cell[])[]): Uint8Array {
  const bytes = parquetWriteBuffer({
    columnData: columns.map((column, index) => ({
      name: column.name,
      data: (cells[index] ?? []).map((cell) => parquetValue(cell, column)),
      // JSON text stays text: hyparquet-writer's JSON type would serialise it again, and the bytes are the sender's.
      type: column.type === 'JSON_TEXT' ? ('STRING' as const) : column.type,
      nullable: column.nullable,
    })),
    codec: 'SNAPPY',
    rowGroupSize: limits.parquetRowGroupRows,
    createdBy: 'sluice',
  });
  return new Uint8Array(bytes);
}

function parquetValue(cell: Cell, column: Column): unknown {
  if (cell === null) return undefined;
  if (column.type === 'INT64') return BigInt(cell as number);
  return column.type === 'TIMESTAMP' ? new Date(cell as number) : cell;
}

/**
 * Columns to the bytes of a Parquet file (Snappy), through hyparquet-writer. Synchronous and heavy:
 * for worker threads, or few rows.
 */
import type { SchemaElement } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import type { Cell, Column, ColumnType } from '../../schemas/columns.ts';

/** Rows of one row group. */
export const parquetRowGroupRows = 50_000;

type PhysicalType = Omit<SchemaElement, 'name' | 'repetition_type'>;

const text: PhysicalType = { type: 'BYTE_ARRAY', converted_type: 'UTF8' };

/**
 * JSON text stays text: hyparquet-writer's JSON type would serialise it again, and the bytes are
 * the sender's.
 */
const physicalTypes: Readonly<Record<ColumnType, PhysicalType>> = {
  STRING: text,
  JSON_TEXT: text,
  INT64: { type: 'INT64' },
  DOUBLE: { type: 'DOUBLE' },
  BOOLEAN: { type: 'BOOLEAN' },
  TIMESTAMP: {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MILLIS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' },
  },
};

/** `cells[c][r]` is row r of column c. */
export function encodeParquet(
  columns: readonly Column[],
  cells: readonly (readonly Cell[])[],
): Uint8Array {
  const bytes = parquetWriteBuffer({
    columnData: columns.map((column, index) => ({
      name: column.name,
      data: (cells[index] ?? []).map((cell) => parquetValue(cell, column)),
    })),
    schema: [
      { name: 'root', num_children: columns.length },
      ...columns.map(
        (column): SchemaElement => ({
          ...physicalTypes[column.type],
          name: column.name,
          repetition_type: column.nullable ? 'OPTIONAL' : 'REQUIRED',
        }),
      ),
    ],
    codec: 'SNAPPY',
    rowGroupSize: parquetRowGroupRows,
    createdBy: 'sluice',
  });
  return new Uint8Array(bytes);
}

function parquetValue(cell: Cell, column: Column): unknown {
  if (cell === null) return undefined;
  if (column.type === 'INT64') return BigInt(cell as number);
  return column.type === 'TIMESTAMP' ? new Date(cell as number) : cell;
}

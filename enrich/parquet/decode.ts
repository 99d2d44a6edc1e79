/**
 * A Parquet file that `encode.ts` wrote, back to cells by column. Heavy: for worker threads.
 */
import type { SchemaElement } from 'hyparquet';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import type { Cell, Column } from '../../schemas/columns.ts';
import { knownColumnOf } from './footer-columns.ts';

/**
 * Undefined when the file has other columns, in another order or otherwise nullable, or is no
 * Parquet.
 */
export async function decodeCells(
  bytes: Uint8Array,
  columns: readonly Column[],
): Promise<readonly (readonly Cell[])[] | undefined> {
  const file = bytes.buffer.slice(
    bytes.byteOffset,
    bytes.byteOffset + bytes.byteLength,
  ) as ArrayBuffer;
  let metadata: ReturnType<typeof parquetMetadata>;
  try {
    metadata = parquetMetadata(file);
  } catch {
    return undefined;
  }
  const [, ...elements] = metadata.schema;
  if (
    elements.length !== columns.length ||
    !columns.every((column, index) => isColumn(elements[index] as SchemaElement, column))
  )
    return undefined;
  const rows = await parquetReadObjects({ file, metadata });
  return columns.map(({ name }) => rows.map((row) => cellOf(row[name])));
}

function isColumn(element: SchemaElement, { name, type, nullable }: Column): boolean {
  const known = knownColumnOf(element);
  const isText = known === 'TEXT' && (type === 'STRING' || type === 'JSON_TEXT');
  return (
    element.name === name &&
    (known === type || isText) &&
    (element.repetition_type === 'OPTIONAL') === nullable
  );
}

function cellOf(value: unknown): Cell {
  if (value === undefined || value === null) return null;
  if (typeof value === 'bigint') return Number(value);
  return value instanceof Date ? value.getTime() : (value as Cell);
}

/**
 * The columns of Parquet files of a local folder, by their footers: read from the end, nothing else
 * of a file.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { SchemaElement } from 'hyparquet';
import { parquetMetadata } from 'hyparquet';
import type { KnownColumn, KnownColumns } from '../../schemas/columns.ts';

/**
 * The last bytes: the length of the footer, and `PAR1`
 * (https://parquet.apache.org/docs/file-format/).
 */
const endBytes = 8;

/** Of the files `paths`, the last one's type of a column. A file that is no Parquet has none. */
export function footerColumns(paths: readonly string[]): KnownColumns {
  const columns: Record<string, KnownColumn> = {};
  for (const path of paths) {
    for (const element of footerOf(path)) {
      const type = knownColumnOf(element);
      if (type !== undefined) columns[element.name] = type;
    }
  }
  return columns;
}

function footerOf(path: string): readonly SchemaElement[] {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const end = readEnd(file, size, endBytes);
    if (end === undefined || end.toString('latin1', 4) !== 'PAR1') return [];
    const tail = readEnd(file, size, end.readUInt32LE(0) + endBytes);
    return tail === undefined
      ? []
      : parquetMetadata(
          tail.buffer.slice(tail.byteOffset, tail.byteOffset + tail.length) as ArrayBuffer,
        ).schema;
  } finally {
    closeSync(file);
  }
}

function readEnd(file: number, size: number, bytes: number): Buffer | undefined {
  if (bytes > size) return undefined;
  const read = Buffer.alloc(bytes);
  return readSync(file, read, 0, bytes, size - bytes) === bytes ? read : undefined;
}

/** Of a column as `encode.ts` writes them; undefined for any other element. */
export function knownColumnOf({
  type,
  logical_type: logical,
}: SchemaElement): KnownColumn | undefined {
  switch (type) {
    case 'BYTE_ARRAY':
      return 'TEXT';
    case 'INT64':
      return logical?.type === 'TIMESTAMP' ? 'TIMESTAMP' : 'INT64';
    case 'DOUBLE':
    case 'BOOLEAN':
      return type;
    default:
      return undefined;
  }
}

/**
 * Which columns a table can have beside the files that it has: all of them are read as one table,
 * each column under one type. Pure.
 *
 * | in the files | may become | read as |
 * |---|---|---|
 * | any type | the same; nullable or not | the same |
 * | nothing, or the column comes again as what it was | any | null where it is not |
 *
 * Everything else is a mismatch: readers refuse such files together, or change what the older rows
 * say. So is INT64 that becomes DOUBLE: DuckDB and pyarrow read both, Spark neither. STRING and
 * JSON text are told apart, though both are text in the files.
 */
import type { Column, ColumnType, KnownColumn, KnownColumns } from '../../schemas/columns.ts';

/** The file without rows (table-file.ts). No topology's name has a `~` before its ending. */
export const columnsName = 'columns~.parquet';

/** What no reader could unify, in words. */
export function columnMisfits(
  table: string,
  known: KnownColumns,
  columns: readonly Column[],
): readonly string[] {
  return columns.flatMap(({ name, type }) => {
    const was = Object.hasOwn(known, name) ? known[name] : undefined;
    if (was === undefined || takes(was, type)) return [];
    return [
      `its column '${name}' was ${typeText[was]} in the table '${table}', now it is ${typeText[type]}: readers cannot unify them`,
    ];
  });
}

function takes(was: KnownColumn, is: ColumnType): boolean {
  if (was === 'TEXT') return is === 'STRING' || is === 'JSON_TEXT';
  return was === is;
}

/** The columns that there are once rows of `columns` come to `known`. */
export function grownColumns(known: KnownColumns, columns: readonly Column[]): KnownColumns {
  return { ...known, ...Object.fromEntries(columns.map(({ name, type }) => [name, type])) };
}

const typeText: Readonly<Record<KnownColumn, string>> = {
  TEXT: 'text',
  STRING: 'text',
  TIMESTAMP: 'a time',
  INT64: 'an integer',
  DOUBLE: 'a number',
  BOOLEAN: 'a boolean',
  JSON_TEXT: 'JSON text',
};

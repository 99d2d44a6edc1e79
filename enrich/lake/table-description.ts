/**
 * What is said of a table beside its files, and what may come to it: what `table-file.ts` reads and
 * writes here, and a job on Flink there. Pure.
 */
import type { Column, KnownColumns } from '../../schemas/columns.ts';
import { storedColumns } from '../../schemas/columns.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import { columnMisfits, columnsName, grownColumns } from './table-columns.ts';

export interface TableFile {
  readonly table: string;
  /** The row's schema; its properties are the columns. */
  readonly schema: JsonSchema;
  readonly partitionBy: readonly string[];
  /**
   * Of all columns that its files may have, also those that rows no longer have. Not there in
   * descriptions of earlier versions.
   */
  readonly columns?: KnownColumns;
  /** Of a table by key: the latest row of a key is the one with the largest `order`. */
  readonly upsert?: { readonly key: readonly string[]; readonly order: string };
}

/** Below the lake, as all paths here. */
export const descriptionPath = (table: string): string => `.tables/${table}.json`;

/** Text and times that no reader takes for something else, before all that there are. */
const columnsFolders: Readonly<Record<string, string>> = {
  date: '1970-01-01',
  hour: '00',
  team: 'none',
  app: 'none',
};

/** The file without rows. */
export function columnsPath(table: string, partitionBy: readonly string[]): string {
  const folders = partitionBy.map((column) => `${column}=${columnsFolders[column]}`);
  return [table, ...folders, columnsName].join('/');
}

/** Undefined when it is none that can be read. */
export function parsedDescription(text: string | undefined): TableFile | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as TableFile;
  } catch {
    return undefined;
  }
}

/** The text of a description, where the files have had the columns `known`. */
export function descriptionText(table: TableFile, known: KnownColumns): string {
  const columns = grownColumns(known, columnsIn(table));
  return `${JSON.stringify({ ...table, columns }, null, 2)}\n`;
}

export function columnsIn({ schema, partitionBy }: TableFile): readonly Column[] {
  return storedColumns(schema, partitionBy);
}

/** Of the file without rows: those of the schema first. A file of the table may lack any of them. */
export function allColumns(known: KnownColumns, table: TableFile): readonly Column[] {
  const now = columnsIn(table);
  const gone = Object.entries(known).filter(
    ([name]) => !table.partitionBy.includes(name) && !now.some((column) => column.name === name),
  );
  const more = gone.map(
    ([name, type]) => ({ name, type: type === 'TEXT' ? 'STRING' : type, description: '' }) as const,
  );
  return [...now, ...more].map((column) => ({ ...column, nullable: true }));
}

/** Why the rows of `table` cannot come beside those that files have, in words. */
export function misfitsOf(
  before: TableFile,
  known: KnownColumns,
  table: TableFile,
): readonly string[] {
  const [was, is] = [before.partitionBy.join(', '), table.partitionBy.join(', ')];
  const partitions =
    was === is ? [] : [`table '${table.table}' is partitioned by ${was}, not by ${is}`];
  return [...partitions, ...columnMisfits(table.table, known, columnsIn(table))];
}

export function misfitFix(table: string): string {
  return `rename what changed, or the table; or move '${table}' out of the lake`;
}

/**
 * Whether the description says something else than `table` is, or not which columns its files have:
 * then the files matter.
 */
export function isOther(before: TableFile, table: TableFile): boolean {
  return (
    before.columns === undefined ||
    before.partitionBy.join() !== table.partitionBy.join() ||
    JSON.stringify(before.schema) !== JSON.stringify(table.schema)
  );
}

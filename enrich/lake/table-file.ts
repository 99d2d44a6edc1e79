/**
 * `<lake>/<table>/_table.json`: what a table's columns mean, also while it has no rows.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { columnsOf } from '../../schemas/columns.ts';
import { SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import type { LakeFiles } from './lake-files.ts';
import type { KnownColumns } from './table-columns.ts';
import { columnMisfits, grownColumns } from './table-columns.ts';

export interface TableFile {
  readonly table: string;
  /** The row's schema; its properties are the columns. */
  readonly schema: JsonSchema;
  readonly partitionBy: readonly string[];
  /** Of all columns that its files may have, also those that rows have no more. Not there in descriptions of earlier versions. */
  readonly columns?: KnownColumns;
}

const pathOf = (table: string): string => join(table, '_table.json');

/** Writes the description where it is new. Throws `table-mismatch` when the table has rows that no reader could read beside new ones. */
export async function describeTable(files: LakeFiles, table: TableFile): Promise<void> {
  const found = await readText(files, table.table);
  const before = parsed(found);
  let known: KnownColumns = {};
  if (before !== undefined && (before.columns === undefined || isOther(before, table)) && (await hasRows(files, table.table))) {
    known = await knownColumns(files, before);
    const misfits = misfitsOf(before, known, table);
    if (misfits.length > 0) throw new SluiceError('table-mismatch', misfits.join('; '), { fix: misfitFix(table.table) });
  } else if (before !== undefined && !isOther(before, table)) known = before.columns ?? {};
  const text = `${JSON.stringify({ ...table, columns: grownColumns(known, columnsOf(table.schema)) }, null, 2)}\n`;
  if (found !== text) await files.replace(pathOf(table.table), Buffer.from(text));
}

/** Why rows of `table` cannot come to the rows that it has, in words. Writes nothing. */
export async function tableMisfits(files: LakeFiles, table: TableFile): Promise<readonly string[]> {
  const before = parsed(await readText(files, table.table));
  if (before === undefined || (before.columns !== undefined && !isOther(before, table))) return [];
  const misfits = misfitsOf(before, await knownColumns(files, before), table);
  return misfits.length > 0 && (await hasRows(files, table.table)) ? misfits : [];
}

function misfitFix(table: string): string {
  return `give what changed another name, or the table; or move '${table}' out of the lake`;
}

function misfitsOf(before: TableFile, known: KnownColumns, table: TableFile): readonly string[] {
  const [was, is] = [before.partitionBy.join(', '), table.partitionBy.join(', ')];
  const partitions = was === is ? [] : [`table '${table.table}' is partitioned by ${was}, not by ${is}`];
  return [...partitions, ...columnMisfits(table.table, known, columnsOf(table.schema))];
}

function isOther(before: TableFile, table: TableFile): boolean {
  return before.partitionBy.join() !== table.partitionBy.join() || JSON.stringify(before.schema) !== JSON.stringify(table.schema);
}

/** A description of before columns were kept says only which there were last; what others there are, files on disk say. */
async function knownColumns(files: LakeFiles, { table, columns, schema }: TableFile): Promise<KnownColumns> {
  return columns ?? grownColumns((await files.columns?.(table)) ?? {}, columnsOf(schema));
}

async function readText(files: LakeFiles, table: string): Promise<string | undefined> {
  const bytes = await files.read(pathOf(table));
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}

/** Of a local lake. Undefined when there is none, or none that can be read. */
export function readTableFile(lake: string, table: string): TableFile | undefined {
  return parsed(readLocal(lake, table));
}

function parsed(text: string | undefined): TableFile | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as TableFile;
  } catch {
    return undefined;
  }
}

/** The published files of a table of a local lake, sorted. A link is none: it may lead out of the lake. */
export function publishedFiles(lake: string, table: string): readonly string[] {
  return readdirSync(join(lake, table), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.parquet'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(
      (path) =>
        !relative(lake, path)
          .split(sep)
          .some((part) => part.startsWith('.')),
    )
    .sort();
}

async function hasRows(files: LakeFiles, table: string): Promise<boolean> {
  const published = await files.list(table);
  return published.some((path) => path.endsWith('.parquet')) || (await files.list(join('.staging', table))).length > 0;
}

function readLocal(lake: string, table: string): string | undefined {
  try {
    return readFileSync(join(lake, pathOf(table)), 'utf8');
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT' || systemCodeOf(thrown) === 'ENOTDIR') return undefined;
    throw thrown;
  }
}

/**
 * The two files that describe a table.
 *
 * - `<lake>/.tables/<table>.json`: what its columns mean, and every column that its files ever had.
 *   It is not in the table's folder, because polars reads every file there as Parquet.
 * - `<lake>/<table>/date=1970-01-01/hour=00/team=none/app=none/columns~.parquet`: no rows and all
 *   of those columns. It makes a table without rows readable, and readers that use the columns of
 *   the first file see all of them.
 *
 * Invariant: the file of columns is written before the description that relies on it.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, sep } from 'node:path';
import type { Column, KnownColumns } from '../../schemas/columns.ts';
import { storedColumns } from '../../schemas/columns.ts';
import { SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { LakeFiles } from '../../schemas/ports/lake-files.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import { encodeParquet } from '../parquet/encode.ts';
import { columnMisfits, grownColumns } from './table-columns.ts';

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

const pathOf = (table: string): string => join('.tables', `${table}.json`);
/** Where earlier versions wrote it. */
const formerPathOf = (table: string): string => join(table, '_table.json');

/** No topology's name has a `~` before its ending. */
const columnsName = 'columns~.parquet';
/** Text and times that no reader takes for something else, before all that there are. */
const columnsFolders: Readonly<Record<string, string>> = {
  date: '1970-01-01',
  hour: '00',
  team: 'none',
  app: 'none',
};

/** The file without rows. */
function columnsPathOf(table: string, partitionBy: readonly string[]): string {
  return join(
    table,
    ...partitionBy.map((column) => `${column}=${columnsFolders[column]}`),
    columnsName,
  );
}

/**
 * Writes the description where it is new. Throws `table-mismatch` when the table has rows that no
 * reader could read beside new ones.
 */
export async function describeTable(files: LakeFiles, table: TableFile): Promise<void> {
  const found = await readText(files, pathOf(table.table));
  const former = found === undefined ? await readText(files, formerPathOf(table.table)) : undefined;
  const before = parsed(found ?? former);
  let known: KnownColumns = {};
  if (
    before !== undefined &&
    (before.columns === undefined || isOther(before, table)) &&
    (await hasRows(files, table.table))
  ) {
    known = await knownColumns(files, before);
    const misfits = misfitsOf(before, known, table);
    if (misfits.length > 0)
      throw new SluiceError('table-mismatch', misfits.join('; '), { fix: misfitFix(table.table) });
  } else if (before !== undefined && !isOther(before, table)) known = before.columns ?? {};
  const columns = grownColumns(known, columnsIn(table));
  const text = `${JSON.stringify({ ...table, columns }, null, 2)}\n`;
  if (found === text) return;
  const path = columnsPathOf(table.table, table.partitionBy);
  await files.makeFolder(dirname(path));
  await files.replace(path, encodeParquet(allColumns(columns, table), []));
  await files.makeFolder(dirname(pathOf(table.table)));
  await files.replace(pathOf(table.table), Buffer.from(text));
  if (former !== undefined) await files.remove(formerPathOf(table.table));
}

function columnsIn({ schema, partitionBy }: TableFile): readonly Column[] {
  return storedColumns(schema, partitionBy);
}

/** Those of the schema first. A file of the table may lack any of them. */
function allColumns(known: KnownColumns, table: TableFile): readonly Column[] {
  const now = columnsIn(table);
  const gone = Object.entries(known).filter(
    ([name]) => !table.partitionBy.includes(name) && !now.some((column) => column.name === name),
  );
  const more = gone.map(
    ([name, type]) => ({ name, type: type === 'TEXT' ? 'STRING' : type, description: '' }) as const,
  );
  return [...now, ...more].map((column) => ({ ...column, nullable: true }));
}

/** Why rows of `table` cannot come to the rows that it has, in words. Writes nothing. */
export async function tableMisfits(files: LakeFiles, table: TableFile): Promise<readonly string[]> {
  const before = parsed(
    (await readText(files, pathOf(table.table))) ??
      (await readText(files, formerPathOf(table.table))),
  );
  if (before === undefined || (before.columns !== undefined && !isOther(before, table))) return [];
  const misfits = misfitsOf(before, await knownColumns(files, before), table);
  return misfits.length > 0 && (await hasRows(files, table.table)) ? misfits : [];
}

function misfitFix(table: string): string {
  return `rename what changed, or the table; or move '${table}' out of the lake`;
}

function misfitsOf(before: TableFile, known: KnownColumns, table: TableFile): readonly string[] {
  const [was, is] = [before.partitionBy.join(', '), table.partitionBy.join(', ')];
  const partitions =
    was === is ? [] : [`table '${table.table}' is partitioned by ${was}, not by ${is}`];
  return [...partitions, ...columnMisfits(table.table, known, columnsIn(table))];
}

function isOther(before: TableFile, table: TableFile): boolean {
  return (
    before.partitionBy.join() !== table.partitionBy.join() ||
    JSON.stringify(before.schema) !== JSON.stringify(table.schema)
  );
}

/**
 * A description of before columns were kept says only which there were last; what others there are,
 * files on disk say.
 */
async function knownColumns(files: LakeFiles, described: TableFile): Promise<KnownColumns> {
  return (
    described.columns ??
    grownColumns((await files.columns?.(described.table)) ?? {}, columnsIn(described))
  );
}

async function readText(files: LakeFiles, path: string): Promise<string | undefined> {
  const bytes = await files.read(path);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}

/** Of a local lake. Undefined when there is none, or none that can be read. */
export function readTableFile(lake: string, table: string): TableFile | undefined {
  return parsed(readLocal(join(lake, pathOf(table))) ?? readLocal(join(lake, formerPathOf(table))));
}

function parsed(text: string | undefined): TableFile | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as TableFile;
  } catch {
    return undefined;
  }
}

/** The file without rows of a table of a local lake, where it has one. */
export function columnsFile(lake: string, { table, partitionBy }: TableFile): string | undefined {
  const path = join(lake, columnsPathOf(table, partitionBy));
  return existsSync(path) ? path : undefined;
}

/**
 * The published files with rows of a table of a local lake, sorted. A link is none: it may lead out
 * of the lake.
 */
export function publishedFiles(lake: string, table: string): readonly string[] {
  return readdirSync(join(lake, table), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && hasRowsName(entry.name))
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
  return (
    published.some((path) => hasRowsName(basename(path))) ||
    (await files.list(join('.staging', table))).length > 0
  );
}

const hasRowsName = (name: string): boolean => name.endsWith('.parquet') && name !== columnsName;

function readLocal(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT' || systemCodeOf(thrown) === 'ENOTDIR') return undefined;
    throw thrown;
  }
}

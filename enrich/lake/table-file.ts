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
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { KnownColumns } from '../../schemas/columns.ts';
import { SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { LakeFiles } from '../../schemas/ports/lake-files.ts';
import { encodeParquet } from '../parquet/encode.ts';
import { hasRowsName } from './published-files.ts';
import { grownColumns } from './table-columns.ts';
import type { TableFile } from './table-description.ts';
import {
  allColumns,
  columnsIn,
  columnsPath,
  descriptionPath,
  descriptionText,
  isOther,
  misfitFix,
  misfitsOf,
  parsedDescription,
} from './table-description.ts';

/** Where earlier versions wrote the description. */
const formerPathOf = (table: string): string => join(table, '_table.json');

/**
 * Writes the description where it is new. Throws `table-mismatch` when the table has rows that no
 * reader could read beside new ones.
 */
export async function describeTable(files: LakeFiles, table: TableFile): Promise<void> {
  const found = await readText(files, descriptionPath(table.table));
  const former = found === undefined ? await readText(files, formerPathOf(table.table)) : undefined;
  const before = parsedDescription(found ?? former);
  let known: KnownColumns = {};
  if (before !== undefined && isOther(before, table) && (await hasRows(files, table.table))) {
    known = await knownColumns(files, before);
    const misfits = misfitsOf(before, known, table);
    if (misfits.length > 0)
      throw new SluiceError('table-mismatch', misfits.join('; '), { fix: misfitFix(table.table) });
  } else if (before !== undefined && !isOther(before, table)) known = before.columns ?? {};
  const text = descriptionText(table, known);
  if (found === text) return;
  const path = columnsPath(table.table, table.partitionBy);
  await files.makeFolder(dirname(path));
  await files.replace(path, encodeParquet(allColumns(known, table), []));
  await files.makeFolder(dirname(descriptionPath(table.table)));
  await files.replace(descriptionPath(table.table), Buffer.from(text));
  if (former !== undefined) await files.remove(formerPathOf(table.table));
}

/** Why rows of `table` cannot come to the rows that it has, in words. Writes nothing. */
export async function tableMisfits(files: LakeFiles, table: TableFile): Promise<readonly string[]> {
  const before = parsedDescription(
    (await readText(files, descriptionPath(table.table))) ??
      (await readText(files, formerPathOf(table.table))),
  );
  if (before === undefined || !isOther(before, table)) return [];
  const misfits = misfitsOf(before, await knownColumns(files, before), table);
  return misfits.length > 0 && (await hasRows(files, table.table)) ? misfits : [];
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
  return parsedDescription(
    readLocal(join(lake, descriptionPath(table))) ?? readLocal(join(lake, formerPathOf(table))),
  );
}

/** The file without rows of a table of a local lake, where it has one. */
export function columnsFile(lake: string, { table, partitionBy }: TableFile): string | undefined {
  const path = join(lake, columnsPath(table, partitionBy));
  return existsSync(path) ? path : undefined;
}

async function hasRows(files: LakeFiles, table: string): Promise<boolean> {
  const published = await files.list(table);
  return (
    published.some((path) => hasRowsName(basename(path))) ||
    (await files.list(join('.staging', table))).length > 0
  );
}

function readLocal(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT' || systemCodeOf(thrown) === 'ENOTDIR') return undefined;
    throw thrown;
  }
}

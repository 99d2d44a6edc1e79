/**
 * `<lake>/<table>/_table.json`: what a table's columns mean, also while it has no rows.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import type { LakeFiles } from './lake-files.ts';

export interface TableFile {
  readonly table: string;
  /** The row's schema; its properties are the columns. */
  readonly schema: JsonSchema;
  readonly partitionBy: readonly string[];
}

const pathOf = (table: string): string => join(table, '_table.json');

/** Writes the description where it is new. Throws `table-mismatch` when the table has rows in folders of another kind: no reader could read both. */
export async function describeTable(files: LakeFiles, table: TableFile): Promise<void> {
  const text = `${JSON.stringify(table, null, 2)}\n`;
  const bytes = await files.read(pathOf(table.table));
  const found = bytes === undefined ? undefined : Buffer.from(bytes).toString();
  if (found === text) return;
  const before = parsed(found);
  if (before !== undefined && before.partitionBy.join() !== table.partitionBy.join() && (await hasRows(files, table.table))) {
    const is = before.partitionBy.join(', ');
    throw new SluiceError('table-mismatch', `table '${table.table}' is partitioned by ${is}, not by ${table.partitionBy.join(', ')}`, {
      fix: `give the new table another name, or move '${table.table}' out of the lake`,
    });
  }
  await files.replace(pathOf(table.table), Buffer.from(text));
}

/** Of a local lake. Undefined when there is none, or none that can be read. */
export function readTableFile(lake: string, table: string): TableFile | undefined {
  return parsed(readText(lake, table));
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

function readText(lake: string, table: string): string | undefined {
  try {
    return readFileSync(join(lake, pathOf(table)), 'utf8');
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT' || systemCodeOf(thrown) === 'ENOTDIR') return undefined;
    throw thrown;
  }
}

/**
 * `<lake>/<table>/_table.json`: what a table's columns mean, also while it has no rows.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import { replaceFile } from '../durable-file.ts';

export interface TableFile {
  readonly table: string;
  /** The row's schema; its properties are the columns. */
  readonly schema: JsonSchema;
  readonly partitionBy: readonly string[];
}

const pathOf = (lake: string, table: string): string => join(lake, table, '_table.json');

/** Writes the description where it is new. Throws `table-mismatch` when the table has rows in folders of another kind: no reader could read both. */
export function describeTable(lake: string, table: TableFile): void {
  const text = `${JSON.stringify(table, null, 2)}\n`;
  if (readText(lake, table.table) === text) return;
  const before = readTableFile(lake, table.table);
  if (before !== undefined && before.partitionBy.join() !== table.partitionBy.join() && hasRows(lake, table.table)) {
    const is = before.partitionBy.join(', ');
    throw new SluiceError('table-mismatch', `table '${table.table}' is partitioned by ${is}, not by ${table.partitionBy.join(', ')}`, {
      fix: `give the new table another name, or move ${join(lake, table.table)} away`,
    });
  }
  replaceFile(pathOf(lake, table.table), Buffer.from(text));
}

/** Undefined when there is none, or none that can be read. */
export function readTableFile(lake: string, table: string): TableFile | undefined {
  const text = readText(lake, table);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as TableFile;
  } catch {
    return undefined;
  }
}

/** Whether the table has a published file. */
export function hasFiles(lake: string, table: string): boolean {
  return readdirSync(join(lake, table), { recursive: true, encoding: 'utf8' }).some((path) => path.endsWith('.parquet'));
}

function hasRows(lake: string, table: string): boolean {
  const staging = join(lake, '.staging', table);
  return hasFiles(lake, table) || (existsSync(staging) && readdirSync(staging, { recursive: true }).length > 0);
}

function readText(lake: string, table: string): string | undefined {
  try {
    return readFileSync(pathOf(lake, table), 'utf8');
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT' || systemCodeOf(thrown) === 'ENOTDIR') return undefined;
    throw thrown;
  }
}

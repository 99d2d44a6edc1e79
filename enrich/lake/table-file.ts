/**
 * `<lake>/<table>/_table.json`: what a table's columns mean, also while it has no rows.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonSchema } from '../../schemas/registry.ts';
import { replaceFile } from '../durable-file.ts';

export interface TableFile {
  readonly table: string;
  /** The row's schema; its properties are the columns. */
  readonly schema: JsonSchema;
  readonly partitionBy: readonly string[];
}

const pathOf = (lake: string, table: string): string => join(lake, table, '_table.json');

export function describeTable(lake: string, table: TableFile): void {
  const text = `${JSON.stringify(table, null, 2)}\n`;
  if (readText(lake, table.table) !== text) replaceFile(pathOf(lake, table.table), Buffer.from(text));
}

export function readTableFile(lake: string, table: string): TableFile | undefined {
  const text = readText(lake, table);
  return text === undefined ? undefined : (JSON.parse(text) as TableFile);
}

function readText(lake: string, table: string): string | undefined {
  try {
    return readFileSync(pathOf(lake, table), 'utf8');
  } catch {
    return undefined;
  }
}

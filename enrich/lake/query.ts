/**
 * SQL over the lake, by an in-memory DuckDB with one view a table. Reads published files only; needs no running instance.
 *
 * Views: a table's columns, and of its folders `date` (DATE), `hour` (VARCHAR, '00' to '23'), `team` and `app` (VARCHAR).
 * A statement has the rights of whoever runs it: DuckDB's own readers and `COPY ... TO` work too.
 *
 * Invariant: a table whose files cannot be read fails only the statements that name it.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { ColumnType } from '../parquet/columns.ts';
import { columnsOf } from '../parquet/columns.ts';
import type { TableFile } from './table-file.ts';
import { hasFiles, readTableFile } from './table-file.ts';

export interface QueryResult {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** JSON-safe values: integers beyond 2^53 and decimals as text, times as ISO 8601 in UTC. */
  readonly rows: readonly (readonly unknown[])[];
}

const sqlTypes: Readonly<Record<ColumnType, string>> = {
  STRING: 'VARCHAR',
  TIMESTAMP: 'TIMESTAMP WITH TIME ZONE',
  INT64: 'BIGINT',
  DOUBLE: 'DOUBLE',
  BOOLEAN: 'BOOLEAN',
  JSON_TEXT: 'VARCHAR',
};
/** A file that was replaced between the listing and the reading. */
const vanished = /No files found|Cannot open file|No such file|could not be opened|Invalid Input Error.*(?:footer|magic)/i;
const triesMax = 3;
/** A statement that asks which tables there are. */
const asksForTables = /\bshow\b|\bdescribe\b|information_schema|duckdb_|sqlite_master|pg_catalog|query_table/i;

/** The tables there are, sorted. */
export function tablesOf(lake: string): readonly string[] {
  if (!existsSync(lake)) return [];
  return readdirSync(lake, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.') && readTableFile(lake, entry.name) !== undefined)
    .map((entry) => entry.name)
    .sort();
}

/** Throws `SluiceError` `query-failed` with what DuckDB says, `duckdb-missing`. */
export async function queryLake(lake: string, sql: string): Promise<QueryResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await runQuery(lake, sql);
    } catch (thrown) {
      if (thrown instanceof SluiceError) throw thrown;
      if (attempt < triesMax && vanished.test(messageOf(thrown))) continue;
      const tables = tablesOf(lake);
      const fix = tables.length === 0 ? `there is no table in ${lake} yet` : `tables: ${tables.join(', ')}`;
      throw new SluiceError('query-failed', messageOf(thrown), { cause: thrown, fix });
    }
  }
}

async function runQuery(lake: string, sql: string): Promise<QueryResult> {
  const { DuckDBInstance } = await import('@duckdb/node-api').catch((cause: unknown) => {
    throw new SluiceError('duckdb-missing', 'DuckDB cannot be loaded on this machine', {
      cause,
      fix: 'run `npm ci` again with optional dependencies, or read the Parquet files with another tool',
    });
  });
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    await createViews(connection, lake, sql);
    const reader = await connection.runAndReadAll(sql);
    const names = reader.deduplicatedColumnNames();
    const columns = reader.columnTypes().map((type, index) => ({ name: names[index] ?? '', type: String(type) }));
    return {
      columns,
      rows: (reader.getRowsJson() as unknown[][]).map((row) => row.map((value, index) => jsonValue(value, columns[index]?.type ?? ''))),
    };
  } finally {
    instance.closeSync();
  }
}

/** Making a view reads the footers of all its files: only what the statement may be about gets one. */
async function createViews(connection: DuckDBConnection, lake: string, sql: string): Promise<void> {
  const words = sql.toLowerCase();
  const all = asksForTables.test(sql);
  for (const table of tablesOf(lake)) {
    const named = words.includes(table.toLowerCase());
    const described = named || all ? readTableFile(lake, table) : undefined;
    if (described === undefined) continue;
    try {
      await connection.run(viewOf(lake, table, described));
    } catch (thrown) {
      if (named) throw thrown;
    }
  }
}

function viewOf(lake: string, table: string, { schema, partitionBy }: TableFile): string {
  const hive = partitionBy.map((column) => [column, column === 'date' ? 'DATE' : 'VARCHAR'] as const);
  if (hasFiles(lake, table)) {
    const types = hive.map(([column, type]) => `'${column}': ${type}`).join(', ');
    const options = hive.length === 0 ? '' : `, hive_partitioning = true, hive_types = {${types}}`;
    return `CREATE VIEW ${quoted(table)} AS SELECT * FROM read_parquet('${globOf(join(lake, table))}', union_by_name = true${options})`;
  }
  const columns = columnsOf(schema).map((column) => [column.name, sqlTypes[column.type]] as const);
  const extra = hive.filter(([column]) => !columns.some(([own]) => own === column));
  const empty = [...columns, ...extra].map(([column, type]) => `CAST(NULL AS ${type}) AS ${quoted(column)}`).join(', ');
  return `CREATE VIEW ${quoted(table)} AS SELECT ${empty} WHERE false`;
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** All Parquet files below `folder`, whose own name may have characters that mean something in a pattern. */
function globOf(folder: string): string {
  return join(folder.replaceAll(/[*?[]/g, '[$&]'), '**', '*.parquet').replaceAll("'", "''");
}

function jsonValue(value: unknown, type: string): unknown {
  if (typeof value !== 'string') return value;
  if (/^(?:U?BIGINT|U?HUGEINT)$/.test(type)) return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (type.startsWith('TIMESTAMP')) {
    const iso = value.replace(' ', 'T').replace(/\+00(?::00)?$/, 'Z');
    const ms = Date.parse(iso.endsWith('Z') ? iso : `${iso}Z`);
    return Number.isNaN(ms) ? value : new Date(ms).toISOString();
  }
  return value;
}

const cellMaxChars = 60;

/** A table for people: aligned, long cells cut, the number of rows last. */
export function renderTable({ columns, rows }: QueryResult): string {
  const cut = (value: unknown): string => {
    const text = value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
    const line = text.replaceAll(/\s/g, ' ');
    return line.length > cellMaxChars ? `${line.slice(0, cellMaxChars - 3)}...` : line;
  };
  const cells = rows.map((row) => row.map(cut));
  const widths = columns.map((column, index) => Math.max(column.name.length, ...cells.map((row) => row[index]?.length ?? 0)));
  const numeric = columns.map((column) => /INT|DOUBLE|FLOAT|DECIMAL/.test(column.type));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, index) => (numeric[index] ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd();
  const head = [line(columns.map((column) => column.name)), widths.map((width) => '-'.repeat(width)).join('  ')];
  return [...head, ...cells.map(line), `(${rows.length} ${rows.length === 1 ? 'row' : 'rows'})`, ''].join('\n');
}

/**
 * SQL over the lake, by an in-memory DuckDB with one view a table. Reads published files only;
 * needs no running instance.
 *
 * Views: a table's columns, and of its folders `date` (DATE), `hour` (VARCHAR, '00' to '23'),
 * `team` and `app` (VARCHAR). Of a table by key also `<table>_latest`, the latest row of each key,
 * without its order.
 *
 * Invariants:
 * 1. A table whose files cannot be read fails only the statements that name it.
 * 2. DuckDB is locked before it sees the statement: it opens the published files of the tables that
 *    the statement names, and no other file, folder, network address, extension or setting. Only
 *    what `readSql` lets pass is run, so those files are not written either.
 * 3. What was read while one of its files was replaced, or removed, is read again: DuckDB may have
 *    had the end of one file and the rows of another.
 * 4. Memory is DuckDB's to bound only in part (1.5 exceeds its limit for single values): whoever
 *    asks for others does it in a process of its own.
 */
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import type { DuckDBConnection, DuckDBResult } from '@duckdb/node-api';
import type { ColumnType } from '../../schemas/columns.ts';
import { columnsOf } from '../../schemas/columns.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { printable } from '../../schemas/kernel/printable.ts';
import { limits } from '../../schemas/limits.ts';
import { latestOf } from '../../schemas/table-rows.ts';
import type { Answer, AnswerBounds } from '../answer.ts';
import { collectRows } from '../answer.ts';
import { lockedDuckDb, patternOf, sqlText } from './locked-duckdb.ts';
import { publishedFiles } from './published-files.ts';
import { explainedSql, readSql } from './read-sql.ts';
import type { TableFile } from './table-description.ts';
import { columnsFile, readTableFile } from './table-file.ts';

const sqlTypes: Readonly<Record<ColumnType, string>> = {
  STRING: 'VARCHAR',
  TIMESTAMP: 'TIMESTAMP WITH TIME ZONE',
  INT64: 'BIGINT',
  DOUBLE: 'DOUBLE',
  BOOLEAN: 'BOOLEAN',
  JSON_TEXT: 'VARCHAR',
};
const triesMax = 3;
/** A statement that asks which tables there are. */
const asksForTables =
  /\bshow\b|\bdescribe\b|information_schema|duckdb_|sqlite_master|pg_catalog|query_table/i;

/** The tables there are, sorted. */
export function tablesOf(lake: string): readonly string[] {
  if (!existsSync(lake)) return [];
  return readdirSync(lake, { withFileTypes: true })
    .filter(
      (entry) =>
        entry.isDirectory() &&
        !entry.name.startsWith('.') &&
        readTableFile(lake, entry.name) !== undefined,
    )
    .map((entry) => entry.name)
    .sort();
}

const defaultBounds: AnswerBounds = {
  maxRows: limits.queryDefaultRows,
  maxBytes: limits.queryMaxBytes,
};

/** Throws `SluiceError` `query-failed` with what DuckDB says, `duckdb-missing`. */
export async function queryLake(
  lake: string,
  sql: string,
  bounds: AnswerBounds = defaultBounds,
): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const stamps = new Map<string, string>();
    const isToRepeat = (): boolean =>
      attempt < triesMax && [...stamps].some(([file, stamp]) => stampOf(file) !== stamp);
    try {
      const answer = await runQuery(lake, sql, bounds, stamps);
      if (!isToRepeat()) return answer;
    } catch (thrown) {
      if (isToRepeat()) continue;
      if (thrown instanceof SluiceError) throw thrown;
      const tables = tablesOf(lake);
      const fix =
        tables.length === 0 ? `no tables found in ${lake}` : `tables: ${tables.join(', ')}`;
      throw new SluiceError('query-failed', messageOf(thrown), {
        cause: thrown,
        fix,
        details: { tables },
      });
    }
  }
}

/** What tells a file from another one in its place. */
function stampOf(file: string): string {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? '' : `${found.ino} ${found.size} ${found.mtimeNs}`;
}

/** `stamps`: gets those of the files that are read, from before that. */
async function runQuery(
  lake: string,
  sql: string,
  bounds: AnswerBounds,
  stamps: Map<string, string>,
): Promise<Answer> {
  if (Buffer.byteLength(sql) > limits.questionTextMaxBytes)
    throw new Error(
      `a statement has at most ${limits.questionTextMaxBytes.toLocaleString('en')} bytes`,
    );
  // What C takes for the end of a text.
  if (sql.includes('\0')) throw new Error('a statement has no character U+0000');
  const tables = tablesAsked(lake, sql);
  const files = tables.flatMap((table) => table.files);
  for (const file of files) stamps.set(file, stampOf(file));
  const { connection, close } = await lockedDuckDb(files);
  try {
    await requireQuestion(connection, sql);
    for (const table of tables) await createView(connection, table);
    const result = await run(connection, sql);
    const names = result.deduplicatedColumnNames();
    const columns = result
      .columnTypes()
      .map((type, index) => ({ name: names[index] ?? '', type: String(type) }));
    return { columns, ...(await collectRows(rowsOf(result, columns), bounds)) };
  } finally {
    close();
  }
}

async function requireQuestion(connection: DuckDBConnection, sql: string): Promise<void> {
  const parsing = await connection.prepare(
    'SELECT json_serialize_sql($1::VARCHAR, skip_null := true, skip_empty := true)',
  );
  parsing.bindVarchar(1, explainedSql(sql));
  const [row] = (await parsing.runAndReadAll()).getRows();
  const read = readSql(String(row?.[0]));
  if (read.kind === 'refused') throw new Error(read.reason);
}

async function run(connection: DuckDBConnection, sql: string): Promise<DuckDBResult> {
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1) throw new Error('only one statement is allowed');
  const statement = await statements.prepare(0);
  return statement.stream();
}

async function* rowsOf(
  result: DuckDBResult,
  columns: Answer['columns'],
): AsyncGenerator<readonly unknown[]> {
  for await (const rows of result.yieldRowsJson())
    for (const row of rows)
      yield row.map((value, index) => jsonValue(value, columns[index]?.type ?? ''));
}

interface AskedTable {
  readonly table: string;
  readonly described: TableFile;
  /** The one without rows, then published ones, as they are. */
  readonly files: readonly string[];
  /** Whether the statement has its name. */
  readonly named: boolean;
  /** Whether there is a table that is called as its latest rows would be. */
  readonly isLatestTaken: boolean;
}

/**
 * Making a view reads the footers of all its files: only what the statement may be about gets one.
 */
function tablesAsked(lake: string, sql: string): readonly AskedTable[] {
  if (!existsSync(lake)) return [];
  const words = sql.toLowerCase();
  const all = asksForTables.test(sql);
  const root = realpathSync(lake);
  const tables = tablesOf(root);
  return tables.flatMap((table) => {
    const named = words.includes(table.toLowerCase());
    const described = named || all ? readTableFile(root, table) : undefined;
    if (described === undefined) return [];
    const files = [columnsFile(root, described), ...publishedFiles(root, table)].filter(
      (file) => file !== undefined,
    );
    return [{ table, described, named, files, isLatestTaken: tables.includes(latestOf(table)) }];
  });
}

async function createView(connection: DuckDBConnection, table: AskedTable): Promise<void> {
  try {
    await connection.run(viewOf(table));
    const latest = latestViewOf(table);
    if (latest !== undefined) await connection.run(latest);
  } catch (thrown) {
    if (table.named) throw thrown;
  }
}

function viewOf({ table, described: { schema, partitionBy }, files }: AskedTable): string {
  const hive = partitionBy.map(
    (column) => [column, column === 'date' ? 'DATE' : 'VARCHAR'] as const,
  );
  if (files.length > 0) {
    const types = hive.map(([column, type]) => `'${column}': ${type}`).join(', ');
    const options = hive.length === 0 ? '' : `, hive_partitioning = true, hive_types = {${types}}`;
    const list = files.map((file) => sqlText(patternOf(file))).join(', ');
    return `CREATE VIEW ${quoted(table)} AS SELECT * FROM read_parquet([${list}], union_by_name = true${options})`;
  }
  const columns = columnsOf(schema).map((column) => [column.name, sqlTypes[column.type]] as const);
  const extra = hive.filter(([column]) => !columns.some(([own]) => own === column));
  const empty = [...columns, ...extra]
    .map(([column, type]) => `CAST(NULL AS ${type}) AS ${quoted(column)}`)
    .join(', ');
  return `CREATE VIEW ${quoted(table)} AS SELECT ${empty} WHERE false`;
}

function latestViewOf({
  table,
  described: { upsert },
  isLatestTaken,
}: AskedTable): string | undefined {
  if (upsert === undefined || isLatestTaken) return undefined;
  const key = upsert.key.map(quoted).join(', ');
  const order = quoted(upsert.order);
  const latest = `row_number() OVER (PARTITION BY ${key} ORDER BY ${order} DESC NULLS LAST) = 1`;
  return `CREATE VIEW ${quoted(latestOf(table))} AS SELECT * EXCLUDE (${order}) FROM ${quoted(table)} QUALIFY ${latest}`;
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

function jsonValue(value: unknown, type: string): unknown {
  if (typeof value !== 'string') return value;
  if (/^(?:U?BIGINT|U?HUGEINT)$/.test(type))
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (type.startsWith('TIMESTAMP')) {
    const iso = value.replace(' ', 'T').replace(/\+00(?::00)?$/, 'Z');
    const ms = Date.parse(iso.endsWith('Z') ? iso : `${iso}Z`);
    return Number.isNaN(ms) ? value : new Date(ms).toISOString();
  }
  return value;
}

const cellMaxChars = 60;

/**
 * A table for people: aligned, long cells cut, control characters as escapes, the number of rows
 * last.
 */
export function renderTable({ columns, rows }: Pick<Answer, 'columns' | 'rows'>): string {
  const cut = (value: unknown): string => {
    const text = value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value);
    const line = printable(text.replaceAll(/\s/g, ' '));
    return line.length > cellMaxChars ? `${line.slice(0, cellMaxChars - 3)}...` : line;
  };
  const cells = rows.map((row) => row.map(cut));
  const names = columns.map(({ name }) => printable(name.replaceAll(/\s/g, ' ')));
  const widths = names.map((name, index) =>
    Math.max(name.length, ...cells.map((row) => row[index]?.length ?? 0)),
  );
  const numeric = columns.map((column) => /INT|DOUBLE|FLOAT|DECIMAL/.test(column.type));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, index) =>
        numeric[index] ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0),
      )
      .join('  ')
      .trimEnd();
  const head = [line(names), widths.map((width) => '-'.repeat(width)).join('  ')];
  return [
    ...head,
    ...cells.map(line),
    `(${rows.length} ${rows.length === 1 ? 'row' : 'rows'})`,
    '',
  ].join('\n');
}

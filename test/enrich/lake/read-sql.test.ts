/**
 * What `sluice query` lets DuckDB do: read the published files of the tables that a statement
 * names. Every other file, folder, address, extension and setting is closed, twice: by what is let
 * through, and by how DuckDB is locked.
 */
import {
  cpSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { DuckDBInstance } from '@duckdb/node-api';
import { beforeAll, describe, expect, it } from 'vitest';
import { lockedDuckDb } from '../../../enrich/lake/locked-duckdb.ts';
import { publishedFiles } from '../../../enrich/lake/published-files.ts';
import { queryLake } from '../../../enrich/lake/query.ts';
import { tableFunctions } from '../../../enrich/lake/read-sql.ts';
import { messageOf } from '../../../schemas/kernel/errors.ts';
import { lakeWithRow } from '../parquet/support.ts';
import { temporaryFolders } from '../support.ts';

const newFolder = temporaryFolders('sql');
const secret = 'secret-of-the-host';
let host = '';
let lake = '';

beforeAll(async () => {
  host = newFolder();
  lake = join(host, 'lake');
  await lakeWithRow(lake);
  writeFileSync(join(host, 'secret.txt'), secret);
  writeFileSync(join(host, 'secret.csv'), `a,b\n1,${secret}\n`);
  writeFileSync(join(host, 'secret.json'), JSON.stringify([{ a: secret }]));
  const [file = ''] = publishedFiles(lake, 'typed');
  cpSync(file, join(host, 'secret.parquet'));
  mkdirSync(join(lake, '.staging', 'typed'), { recursive: true });
  cpSync(file, join(lake, '.staging', 'typed', '1-1.parquet'));
  mkdirSync(join(lake, 'typed', '.hidden'));
  cpSync(file, join(lake, 'typed', '.hidden', 'x.parquet'));
  symlinkSync(join(host, 'secret.parquet'), join(lake, 'typed', 'link.parquet'));
  symlinkSync(host, join(lake, 'typed', 'folder'));
});

/** `@` is the host's folder, `#` a published file. */
const attacks = [
  "SELECT * FROM read_text('@/secret.txt')",
  "SELECT * FROM read_blob('@/secret.txt')",
  "SELECT * FROM read_csv('@/secret.csv')",
  "SELECT * FROM read_csv_auto('@/secret.csv')",
  "SELECT * FROM read_json('@/secret.json')",
  "SELECT * FROM read_json_objects('@/secret.json')",
  "SELECT * FROM read_ndjson('@/secret.json')",
  "SELECT * FROM read_parquet('@/secret.parquet')",
  "SELECT * FROM parquet_scan('@/secret.parquet')",
  "SELECT * FROM parquet_metadata('@/secret.parquet')",
  "SELECT * FROM parquet_schema('@/secret.parquet')",
  "SELECT * FROM parquet_kv_metadata('@/secret.parquet')",
  "SELECT * FROM sniff_csv('@/secret.csv')",
  "SELECT * FROM read_duckdb('@/x.db')",
  "SELECT * FROM glob('@/*')",
  "SELECT * FROM '@/secret.csv'",
  "SELECT * FROM '@/secret.parquet'",
  "SELECT * FROM '@/*.parquet'",
  "SELECT n, (SELECT content FROM read_text('@/secret.txt')) FROM typed",
  "SELECT n FROM typed ORDER BY (SELECT count(*) FROM glob('@/*'))",
  "WITH s AS (SELECT * FROM read_text('@/secret.txt')) SELECT * FROM s",
  "SELECT * FROM typed WHERE EXISTS (SELECT 1 FROM read_text('@/secret.txt'))",
  "FROM typed, LATERAL (SELECT * FROM read_text('@/secret.txt'))",
  "SELECT * FROM query('SELECT * FROM read_text(''@/secret.txt'')')",
  "SELECT * FROM query_table('@/secret.csv')",
  "SELECT * FROM query_table(['typed', '@/secret.parquet'])",
  "DESCRIBE SELECT * FROM read_text('@/secret.txt')",
  "SUMMARIZE '@/secret.csv'",
  "EXPLAIN ANALYZE SELECT * FROM read_text('@/secret.txt')",
  "SELECT * FROM read_text('@/lake/../secret.txt')",
  "SELECT * FROM read_parquet('@/lake/typed/link.parquet'), typed",
  "SELECT * FROM '@/lake/typed/link.parquet', typed",
  "SELECT * FROM '@/lake/typed/folder/secret.csv', typed",
  "SELECT * FROM '@/lake/typed/.hidden/x.parquet', typed",
  "SELECT * FROM '@/lake/.staging/typed/1-1.parquet', typed",
  "SELECT * FROM read_text('@/lake/typed/_table.json'), typed",
  "SELECT * FROM '@/lake/typed/**/*.parquet', typed",
  "SELECT * FROM read_text('/proc/self/environ')",
  "SELECT * FROM read_csv('/dev/stdin')",
  "SELECT * FROM 'http://127.0.0.1:1/x.parquet'",
  "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
  "SELECT * FROM read_csv('https://127.0.0.1:1/x.csv')",
  "COPY typed TO '@/out.csv'",
  "COPY (SELECT 1) TO '@/out.parquet'",
  "COPY (SELECT 1 AS n) TO '#'",
  "COPY (SELECT 1 AS n) TO '@/lake/typed/new.parquet'",
  "EXPLAIN COPY (SELECT 1 AS n) TO '#'",
  "EXPLAIN ANALYZE COPY (SELECT 1 AS n) TO '#'",
  "EXPLAIN (ANALYZE) COPY (SELECT 1 AS n) TO '#'",
  "EXPLAIN (ANALYZE, FORMAT json) COPY (SELECT 1 AS n FROM typed) TO '#'",
  "/**/EXPLAIN/**/ANALYZE/**/COPY (SELECT 1 AS n FROM typed) TO '#' (USE_TMP_FILE false)",
  "EXPLAIN\u00a0ANALYZE\u2003COPY (SELECT 1 AS n FROM typed) TO '#' (USE_TMP_FILE false)",
  "COPY (SELECT 1 AS n FROM typed) TO '#' (USE_TMP_FILE false)",
  "EXPORT DATABASE '@/out'",
  "IMPORT DATABASE '@/out'",
  "ATTACH '@/out.db'",
  "ATTACH '@/out.db' AS x (READ_ONLY)",
  "ATTACH 'postgres:host=127.0.0.1' AS p (TYPE postgres)",
  'DETACH memory',
  'USE memory',
  'INSTALL httpfs',
  "INSTALL '@/x.duckdb_extension'",
  'LOAD httpfs',
  "LOAD '@/x.duckdb_extension'",
  'UPDATE EXTENSIONS',
  'SET threads = 8',
  "SET memory_limit = '100GB'",
  'SET enable_external_access = true',
  'SET lock_configuration = false',
  "SET allowed_directories = ['/']",
  'RESET memory_limit',
  'SET VARIABLE a = 1',
  'PRAGMA database_list',
  'PRAGMA threads = 8',
  "PRAGMA enable_profiling = 'json'",
  "PRAGMA profiling_output = '@/out.json'",
  "SELECT * FROM enable_profiling(save_location = '@/out.json')",
  "SELECT * FROM enable_logging(storage = 'file', storage_config = {'path': '@/out'})",
  "CALL enable_logging(storage = 'file', storage_config = {'path': '@/out'})",
  "SELECT write_log('x')",
  'SELECT * FROM duckdb_settings()',
  'SELECT * FROM pg_settings',
  "SELECT current_setting('secret_directory')",
  'SELECT * FROM duckdb_secrets()',
  "SELECT * FROM which_secret('s3://x', 's3')",
  "CREATE SECRET s (TYPE s3, KEY_ID 'x')",
  "SELECT getenv('HOME')",
  "SELECT getvariable('x')",
  'SELECT * FROM arrow_scan(1::UBIGINT, 2::UBIGINT, 3::UBIGINT)',
  "SELECT * FROM json_execute_serialized_sql('{}')",
  'CREATE TABLE x (a INT)',
  'CREATE TEMP TABLE x AS SELECT * FROM typed',
  "CREATE MACRO m() AS TABLE SELECT * FROM read_text('@/secret.txt')",
  "CREATE VIEW v AS SELECT * FROM read_text('@/secret.txt')",
  'INSERT INTO typed VALUES (1)',
  'DELETE FROM typed',
  'UPDATE typed SET n = 2',
  'DROP VIEW typed',
  'ALTER VIEW typed RENAME TO x',
  'BEGIN',
  'CHECKPOINT',
  'VACUUM',
  "PREPARE p AS SELECT * FROM read_text('@/secret.txt')",
  'EXECUTE p',
  "SELECT 1; COPY (SELECT 1 AS n FROM typed) TO '#'",
  "SELECT 1; SELECT * FROM read_text('@/secret.txt')",
  "SELECT 1\0; COPY (SELECT 1) TO '@/out.csv'",
  '',
];

/** All files with their sizes and times. */
function listing(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => `${path} ${lstatSync(path).size} ${lstatSync(path).mtimeMs}`)
    .sort();
}

const filled = (attack: string): string =>
  attack.replaceAll('@', host).replaceAll('#', publishedFiles(lake, 'typed')[0] ?? '');

describe('a statement that reaches beyond the tables', () => {
  it.each(attacks)('is refused: %s', async (attack) => {
    const before = listing(host);
    const told = await queryLake(lake, filled(attack)).then(
      (answer) => expect.fail(`answered: ${JSON.stringify(answer)}`),
      (thrown: unknown) => thrown,
    );
    expect(told).toMatchObject({ code: 'query-failed' });
    expect(messageOf(told)).not.toContain(secret);
    expect(listing(host)).toEqual(before);
  });

  it('finds DuckDB locked as well, were it let through', async () => {
    const { connection, close } = await lockedDuckDb(publishedFiles(lake, 'typed'));
    try {
      // enable_logging ends the process of DuckDB 1.5 when its folder is closed, and profiles are
      // printed.
      const run = attacks.filter(
        (attack) => /@|:\/\/|^SET /.test(attack) && !/logging|profiling/.test(attack),
      );
      const before = listing(host);
      for (const attack of run) {
        const answer = await answerTo(connection, filled(attack));
        expect(JSON.stringify(answer), attack).not.toContain(secret);
      }
      expect(listing(host)).toEqual(before);
    } finally {
      close();
    }
  });
});

async function answerTo(connection: DuckDBConnection, sql: string): Promise<unknown> {
  return connection.runAndReadAll(sql).then(
    (reader) => reader.getRowsJson(),
    () => 'refused',
  );
}

it('counts as published neither hidden files nor links', () => {
  expect(publishedFiles(lake, 'typed').map((path) => path.replace(/^.*date=/, 'date='))).toEqual([
    expect.stringMatching(/^date=.*\.parquet$/),
  ]);
});

describe('a statement that asks the tables', () => {
  it.each([
    'FROM typed',
    'EXPLAIN SELECT n FROM typed',
    'explain analyze SELECT n FROM typed',
    'DESCRIBE typed',
    'SUMMARIZE typed',
    'SHOW TABLES',
    'SHOW ALL TABLES',
    'VALUES (1), (2)',
    '-- why\nSELECT n /* that */ FROM typed;',
    'PIVOT (SELECT 1 AS a, 2 AS b) ON a IN (1, 2) USING sum(b)',
    'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT * FROM r',
    "SELECT * FROM range(3), unnest(['read_text', 'COPY']) u(x), json_each('{\"a\": 1}')",
    'SELECT table_name FROM information_schema.tables',
    "SELECT * FROM pragma_table_info('typed')",
    "SELECT * FROM query_table('typed')",
    "SELECT * FROM histogram('typed', 'n')",
  ])('is answered: %s', async (sql) => {
    expect((await queryLake(lake, sql)).rows.length).toBeGreaterThan(0);
  });

  it('is cut at the bounds of rows and bytes, and says which', async () => {
    const rows = (sql: string, maxRows: number, maxBytes: number): Promise<unknown> =>
      queryLake(lake, sql, { maxRows, maxBytes }).then((answer) => [
        answer.rows.length,
        answer.cut,
      ]);
    expect(await rows('FROM range(10)', 10, 1e6)).toEqual([10, false]);
    expect(await rows('FROM range(1000000000000)', 10, 1e6)).toEqual([10, 'rows']);
    expect(await rows("SELECT repeat('x', 1000) FROM range(1000000000000)", 1_000, 5_500)).toEqual([
      5,
      'bytes',
    ]);
  });
});

it('every table function of the installed DuckDB has been judged', async () => {
  const refused = [
    ...[
      'arrow_scan',
      'arrow_scan_dumb',
      'check_peg_parser',
      'checkpoint',
      'disable_logging',
      'disable_peg_parser',
      'disable_profiling',
    ],
    ...[
      'duckdb_approx_database_count',
      'duckdb_connection_count',
      'duckdb_constraints',
      'duckdb_coordinate_systems',
      'duckdb_databases',
    ],
    ...[
      'duckdb_dependencies',
      'duckdb_extensions',
      'duckdb_external_file_cache',
      'duckdb_indexes',
      'duckdb_log_contexts',
      'duckdb_logs',
    ],
    ...[
      'duckdb_logs_parsed',
      'duckdb_memory',
      'duckdb_optimizers',
      'duckdb_prepared_statements',
      'duckdb_profiling_settings',
    ],
    ...[
      'duckdb_schemas',
      'duckdb_secret_types',
      'duckdb_secrets',
      'duckdb_sequences',
      'duckdb_settings',
      'duckdb_table_sample',
    ],
    ...[
      'duckdb_temporary_files',
      'duckdb_variables',
      'enable_logging',
      'enable_peg_parser',
      'enable_profiling',
      'force_checkpoint',
      'glob',
    ],
    ...[
      'json_execute_serialized_sql',
      'parquet_bloom_probe',
      'parquet_file_metadata',
      'parquet_full_metadata',
      'parquet_kv_metadata',
    ],
    ...[
      'parquet_metadata',
      'parquet_scan',
      'parquet_schema',
      'pragma_collations',
      'pragma_database_size',
      'pragma_metadata_info',
    ],
    ...[
      'pragma_platform',
      'pragma_show',
      'pragma_storage_info',
      'pragma_user_agent',
      'pragma_version',
      'query',
      'read_blob',
      'read_csv',
    ],
    ...[
      'read_csv_auto',
      'read_duckdb',
      'read_json',
      'read_json_auto',
      'read_json_objects',
      'read_json_objects_auto',
      'read_ndjson',
    ],
    ...[
      'read_ndjson_auto',
      'read_ndjson_objects',
      'read_parquet',
      'read_text',
      'seq_scan',
      'sniff_csv',
      'sql_auto_complete',
    ],
    ...['test_all_types', 'test_vector_types', 'truncate_duckdb_logs', 'which_secret'],
  ];
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const found = await connection.runAndReadAll(
    "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ('table', 'table_macro')",
  );
  const names = found.getRowsJson().map(([name]) => name as string);
  instance.closeSync();
  expect(names.sort()).toEqual([...refused, ...tableFunctions].sort());
});

it('reads nothing of the tables that a statement does not name', async () => {
  const [file = ''] = publishedFiles(lake, 'typed');
  expect(readFileSync(file).length).toBeGreaterThan(0);
  await expect(queryLake(lake, `SELECT * FROM read_parquet('${file}')`)).rejects.toMatchObject({
    code: 'query-failed',
  });
});

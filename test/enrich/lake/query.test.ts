/**
 * SQL over a lake as analysts use it: tables with and without rows, one that is damaged, folders
 * with odd names, and text for people.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { lakeFiles } from '../../../deploy/stores/local/local-lake-files.ts';
import { queryLake, renderTable, tablesOf } from '../../../enrich/lake/query.ts';
import { describeTable } from '../../../enrich/lake/table-file.ts';
import { saying } from '../../said.ts';
import { lakeWithRow, tableRig, typedRow, typedSchema } from '../parquet/support.ts';
import { batchOf, filesOf, temporaryFolders } from '../support.ts';

const folder = temporaryFolders('query');

describe('SQL over the lake', () => {
  it('gives a table without rows the same columns and types as one with rows', async () => {
    const empty = folder();
    await describeTable(lakeFiles(empty), {
      table: 'typed',
      schema: typedSchema,
      partitionBy: ['date', 'hour', 'team', 'app'],
    });
    const full = folder();
    await lakeWithRow(full);
    expect(tablesOf(empty)).toEqual(['typed']);
    const [of, without] = [
      await queryLake(full, 'SELECT * FROM typed'),
      await queryLake(empty, 'SELECT * FROM typed'),
    ];
    const typeOf = (columns: typeof of.columns): object =>
      Object.fromEntries(columns.map(({ name, type }) => [name, type]));
    expect(typeOf(without.columns)).toEqual(typeOf(of.columns));
    expect(typeOf(of.columns)).toMatchObject({
      n: 'BIGINT',
      at: 'TIMESTAMP WITH TIME ZONE',
      date: 'DATE',
      hour: 'VARCHAR',
      team: 'VARCHAR',
    });
    expect([of.rows.length, without.rows.length]).toEqual([1, 0]);
  });

  it('says what is wrong with a statement in the words of DuckDB, and names the tables there are', async () => {
    const lake = folder();
    await lakeWithRow(lake);
    await expect(queryLake(lake, 'SELECT * FROM nope')).rejects.toMatchObject({
      code: 'query-failed',
      message: expect.stringContaining('nope') as string,
      details: { tables: ['typed'] },
      fix: saying({ end: ' typed' }),
    });
    await expect(queryLake(lake, 'SELEC 1')).rejects.toMatchObject({
      code: 'query-failed',
      message: expect.stringMatching(/\bsyntax\b[^]*"SELEC"/) as string,
    });
    await expect(queryLake(folder(), 'SELECT * FROM nope')).rejects.toMatchObject({
      code: 'query-failed',
      details: { tables: [] },
    });
  });

  it('lists the tables, whatever their state, and lets a damaged one fail only what names it', async () => {
    const lake = folder();
    await lakeWithRow(lake);
    await describeTable(lakeFiles(lake), {
      table: 'empty',
      schema: typedSchema,
      partitionBy: [],
    });
    await describeTable(lakeFiles(lake), {
      table: 'damaged',
      schema: typedSchema,
      partitionBy: [],
    });
    writeFileSync(join(lake, 'damaged', 'x.parquet'), 'no Parquet');
    mkdirSync(join(lake, 'no-table'));
    expect(tablesOf(lake)).toEqual(['damaged', 'empty', 'typed']);
    expect((await queryLake(lake, 'SELECT count(*) AS rows FROM typed')).rows).toEqual([[1]]);
    expect((await queryLake(lake, 'SHOW TABLES')).rows).toEqual([['empty'], ['typed']]);
    expect((await queryLake(lake, 'SELECT n FROM TYPED')).rows).toEqual([[1]]);
    await expect(queryLake(lake, 'SELECT * FROM damaged')).rejects.toMatchObject({
      code: 'query-failed',
    });
  });

  it('reads again what was replaced while it was read', async () => {
    const lake = folder();
    await lakeWithRow(lake);
    const more = folder();
    const sink = tableRig(more, 0).sink(1);
    await sink.open(undefined);
    await sink.write(
      batchOf(
        Array.from({ length: 3_000 }, (_, n) => typedRow(n)),
        () => 0,
      ),
    );
    await sink.prepare(1, false);
    await sink.commit(1);
    await sink.close();
    const [file = '', other = ''] = [...filesOf(lake, 'typed'), ...filesOf(more, 'typed')];
    const contents = [
      readFileSync(join(lake, 'typed', file)),
      readFileSync(join(more, 'typed', other)),
    ];
    const counts = new Set<unknown>();
    for (let n = 0; n < 60; n++) {
      const asked = queryLake(lake, 'SELECT count(n) FROM typed');
      // Once in each question, sooner or later.
      await sleep(n % 20);
      writeFileSync(join(lake, 'next'), contents[n % 2] as Buffer);
      renameSync(join(lake, 'next'), join(lake, 'typed', file));
      counts.add((await asked).rows[0]?.[0]);
    }
    for (const count of counts) expect([1, 3_000]).toContain(count);
  });

  it('reads a lake whose own path means something in a pattern or in SQL', async () => {
    const lake = join(folder(), "it's [a-z] * lake?");
    await lakeWithRow(lake);
    expect((await queryLake(lake, 'SELECT n FROM typed')).rows).toEqual([[1]]);
    expect(filesOf(lake, 'typed')).toHaveLength(1);
  });

  it('gives values that JSON holds: exact integers, decimals as text, times in UTC', async () => {
    const sql = `SELECT 1 AS n, sum(x)::HUGEINT AS total, 9007199254740993 AS big, 1.10::DECIMAL(4, 2) AS price, TIMESTAMP '2013-01-01 10:00:00' AS at,
      TIMESTAMPTZ '2013-01-01 10:00:00+02' AS zoned, DATE '2013-01-01' AS day, NULL AS none, [1, 2] AS list FROM range(3) t(x)`;
    const { rows } = await queryLake(folder(), sql);
    expect(rows).toEqual([
      [
        1,
        3,
        '9007199254740993',
        '1.10',
        '2013-01-01T10:00:00.000Z',
        '2013-01-01T08:00:00.000Z',
        '2013-01-01',
        null,
        expect.anything(),
      ],
    ]);
    expect(JSON.parse(JSON.stringify(rows))).toEqual(rows);
  });

  it('prints a table that a person can read', async () => {
    const result = await queryLake(
      folder(),
      `SELECT 1 AS n, 'a\nb' AS text, 9007199254740993 AS big, NULL AS none UNION ALL SELECT 20, repeat('x', 70), 5, NULL ORDER BY n`,
    );
    expect(renderTable(result)).toBe(
      [
        ' n  text                                                                       big  none',
        `--  ${'-'.repeat(60)}  ${'-'.repeat(16)}  ----`,
        ` 1  a b${' '.repeat(57)}  9007199254740993`,
        `20  ${'x'.repeat(57)}...  ${' '.repeat(15)}5`,
        '(2 rows)',
        '',
      ].join('\n'),
    );
  });
});

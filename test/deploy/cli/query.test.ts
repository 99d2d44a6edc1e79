/**
 * `sluice query` as a person has it: bounded answers, and nothing but the tables.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ran } from '../support.ts';
import { sluice } from '../support.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-query-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeAll(() => {
  mkdirSync(join(root, 'lake'));
  writeFileSync(join(root, 'secret.csv'), 'a,b\n1,secret\n');
});

const query = (sql: string, ...options: readonly string[]): Promise<Ran> =>
  sluice(['--dir', root, ...options, 'query', sql]);

describe('sluice query', () => {
  it('gives 1,000 rows unless it is told otherwise, and says when there are more', async () => {
    const cut = await query('FROM range(5000)');
    expect([cut.code, cut.out.split('\n').length, cut.err]).toEqual([
      0,
      1_004,
      expect.stringMatching(/^there are more: these are the first 1000 rows; .*--max-rows/),
    ]);
    const forProgram = await query('FROM range(5000)', '--json');
    expect([(JSON.parse(forProgram.out) as unknown[]).length, forProgram.err]).toEqual([5_000, '']);
    const whole = await sluice(['--dir', root, 'query', 'FROM range(5000)', '--max-rows', '6000']);
    expect([whole.out.split('\n').length, whole.err]).toEqual([5_004, '']);
    expect(
      await sluice(['--dir', root, 'query', 'FROM range(5)', '--max-rows', '0']),
    ).toMatchObject({
      code: 1,
      err: expect.stringContaining("invalid --max-rows '0'") as string,
    });
  });

  it('reads no file beside the tables, and says so', async () => {
    const { code, out, err } = await query(`FROM read_csv('${root}/secret.csv')`);
    expect([code, out, err]).toEqual([
      1,
      '',
      expect.stringContaining("the table function 'read_csv' is not allowed") as string,
    ]);
  });

  it('gives all rows as CSV, and refuses what does not fit', async () => {
    const csv = await sluice([
      ...['--dir', root, 'query', '--format', 'csv'],
      `SELECT range AS n, NULL AS none, [1, 2] AS list, {'k': 'v'} AS struct, '=\u001b' AS text,
         9007199254740993 AS large, TIMESTAMP '2026-01-02 03:04:05' AS time FROM range(2000)`,
    ]);
    const [head, first, ...more] = csv.out.split('\r\n');
    expect([csv.code, csv.err, head, first, more.length]).toEqual([
      0,
      '',
      'n,none,list,struct,text,large,time',
      `0,,"[1,2]","{""k"":""v""}",'=\u001b,9007199254740993,2026-01-02T03:04:05.000Z`,
      2_000,
    ]);
    for (const [options, more, says] of [
      [[], ['--format', 'xml'], 'expected table, json, csv'],
      [[], ['--exact'], 'add --format csv'],
      [['--json'], ['--format', 'csv'], '--json is there too'],
    ] as const) {
      const ran = await sluice(['--dir', root, ...options, 'query', 'SELECT 1', ...more]);
      expect([ran.code, `${ran.out}${ran.err}`]).toEqual([1, expect.stringContaining(says)]);
    }
  });
});

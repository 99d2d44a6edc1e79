/**
 * `sluice query`: SQL over the lake, as a table, JSON rows or CSV. The statement runs in a process of
 * its own, which reads only the files of the tables.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { renderTable } from '../../../../enrich/lake/query.ts';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import { limits } from '../../../../schemas/limits.ts';
import { lakeDir } from '../../../host/layout.ts';
import { askInChild } from '../../../host/question-process.ts';
import { cutNote, jsonRows } from '../../answer.ts';
import { csvOf } from '../../csv.ts';
import type { Output } from '../../output.ts';

export interface QueryCommand {
  readonly sql: string;
  readonly dir: string;
  /** As it was written; undefined where it was not. */
  readonly maxRows: string | undefined;
  readonly format: string | undefined;
  /** Of CSV: texts that look like formulas stay as they are. */
  readonly exact: boolean;
  readonly clock: Clock;
}

/** Throws `SluiceError` `lake-missing`, `option-invalid`, `query-failed`, `duckdb-missing`. */
export async function queryCommand(
  { sql, dir, maxRows, format: asked, exact, clock }: QueryCommand,
  output: Output,
): Promise<number> {
  const format = formatOf(asked, output);
  if (exact && format !== 'csv')
    throw new SluiceError('option-invalid', '--exact is of CSV', { fix: 'add --format csv' });
  // A program does not read the note that says that there are more.
  const rows =
    maxRows === undefined
      ? format === 'table'
        ? limits.queryDefaultRows
        : limits.queryMaxRows
      : rowsOf(maxRows);
  const lake = resolve(lakeDir(dir));
  if (!existsSync(lake))
    throw new SluiceError('lake-missing', `no tables found in ${dir}`, {
      fix: 'run `sluice start` there first, or pass --dir',
    });
  const answer = await askInChild({ kind: 'lake', lake, sql, maxRows: rows }, { clock });
  if (format === 'json') output.line(jsonRows(answer));
  else if (format === 'csv') output.data(`${csvOf(answer, { isExact: exact })}\r\n`);
  else output.line(renderTable(answer).trimEnd());
  const cut = cutNote(answer, 'LIMIT and OFFSET choose others, --max-rows raises the bound');
  if (cut !== undefined) output.note(cut);
  return 0;
}

const formats = ['table', 'json', 'csv'] as const;

function formatOf(asked: string | undefined, { json }: Output): (typeof formats)[number] {
  if (asked === undefined) return json ? 'json' : 'table';
  const format = formats.find((known) => known === asked);
  if (format === undefined || (json && format !== 'json'))
    throw new SluiceError('option-invalid', `invalid --format '${asked}'`, {
      fix: json ? 'expected json, as --json is there too' : `expected ${formats.join(', ')}`,
    });
  return format;
}

function rowsOf(text: string): number {
  const rows = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0;
  if (rows >= 1 && rows <= limits.queryMaxRows) return rows;
  throw new SluiceError('option-invalid', `invalid --max-rows '${text}'`, {
    fix: `expected a whole number from 1 to ${limits.queryMaxRows.toLocaleString('en')}`,
  });
}

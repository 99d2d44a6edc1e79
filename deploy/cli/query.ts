/**
 * `sluice query`: SQL over the lake, as a table or as JSON rows.
 */
import { existsSync } from 'node:fs';
import { queryLake, renderTable } from '../../enrich/lake/query.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { lakeDir } from '../host/layout.ts';
import type { Output } from './output.ts';

export async function queryCommand(sql: string, dir: string, output: Output): Promise<number> {
  const lake = lakeDir(dir);
  if (!existsSync(lake))
    throw new SluiceError('lake-missing', `there is no lake in ${dir}`, {
      fix: 'run `sluice start` there first, or name another with --dir',
    });
  const result = await queryLake(lake, sql);
  if (output.json)
    output.line(
      JSON.stringify(result.rows.map((row) => Object.fromEntries(row.map((value, index) => [result.columns[index]?.name ?? '', value])))),
    );
  else output.line(renderTable(result).trimEnd());
  return 0;
}

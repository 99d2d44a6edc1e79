import { join } from 'node:path';
import { expect, it } from 'vitest';
import { askInChild } from '../../../deploy/host/question-process.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { lakeWithRow } from '../../enrich/parquet/support.ts';
import { temporaryFolder } from '../../repo/support.ts';

it('a question is read whole, whatever separates lines in its text', async () => {
  const lake = join(temporaryFolder('question-text'), 'lake');
  await lakeWithRow(lake);
  const text = 'a\u2028b\u2029c\u0085d\r\ne';
  const question = { kind: 'lake', lake, sql: `SELECT '${text}' AS t`, maxRows: 1 } as const;
  expect((await askInChild(question, { clock: systemClock })).rows).toEqual([[text]]);
});

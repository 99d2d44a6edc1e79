/**
 * What a job on Flink says of a table is what the engine says of it: the description of a lake, the
 * columns of the file without rows, and why rows cannot come to those that are there.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Table } from '../../../deploy/flink/runtime/table.ts';
import { lakeFiles } from '../../../deploy/stores/local/local-lake-files.ts';
import { describedTable } from '../../../enrich/lake/described-table.ts';
import { queryLake } from '../../../enrich/lake/query.ts';
import { describeTable } from '../../../enrich/lake/table-file.ts';
import type { JsonSchema } from '../../../schemas/registry.ts';
import { lakeWithRow, typedSchema } from '../../enrich/parquet/support.ts';
import { temporaryFolders } from '../../enrich/support.ts';

interface Told {
  readonly changed: boolean;
  readonly problem: string | null;
  readonly text: string;
  readonly columns: readonly { readonly name: string }[];
}

const newFolder = temporaryFolders('flink-table');
const partitionBy = ['date', 'hour', 'team', 'app'] as const;
const upsert = ['id'];
const tableOf = (schema: JsonSchema, more: object = {}) =>
  describedTable({ table: 'typed', schema, partitionBy, ...more });
const { note: _, ...fewer } = typedSchema['properties'] as Record<string, JsonSchema>;
const withoutNote = { ...typedSchema, properties: { ...fewer, more: { type: 'integer' } } };
const otherNumber = { ...typedSchema, properties: { ...fewer, n: { type: 'string' } } };

const readText = (lake: string): string => {
  const path = join(lake, '.tables/typed.json');
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
};
const told = (schema: JsonSchema, before: string, hasRows: boolean, more: object = {}): Told =>
  JSON.parse(new Table(tableOf(schema, more), 't').describe(before, hasRows)) as Told;

describe("a table's description on Flink", () => {
  it.each([
    ['of a table that is new', typedSchema, {}],
    ['of a table by key with ids', typedSchema, { upsert, rowId: true }],
    ['of a table whose columns came and went', withoutNote, {}],
  ])('is that of the engine: %s', async (_name, schema, more) => {
    const lake = newFolder();
    if (schema === withoutNote) await lakeWithRow(lake);
    const found = told(schema, readText(lake), schema === withoutNote, more);
    await describeTable(lakeFiles(lake), tableOf(schema, more));
    expect([found.problem, found.text]).toEqual([null, readText(lake)]);
    const { columns } = await queryLake(lake, 'SELECT * FROM typed LIMIT 0');
    const named = [...found.columns.map(({ name }) => name), ...partitionBy];
    expect(named.toSorted()).toEqual(columns.map(({ name }) => name).toSorted());
    expect(told(schema, readText(lake), true, more)).toMatchObject({ changed: false });
  });

  it('refuses rows that no reader could read beside those that are there, and only then', async () => {
    const lake = newFolder();
    await lakeWithRow(lake);
    const before = readText(lake);
    expect(told(otherNumber, before, true)).toMatchObject({
      changed: true,
      problem: expect.stringMatching(/^its column 'n' was an integer .*: rename what changed/),
    });
    expect(told(otherNumber, before, false)).toMatchObject({ changed: true, problem: null });
  });
});

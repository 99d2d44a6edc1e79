/**
 * A table in the lake.
 */
import type { PartitionColumn } from '../../../schemas/partition.ts';
import type { Check } from '../../../schemas/shape.ts';
import { anything, flag, listOf, mapOf, objectOf, oneOf, text } from '../../../schemas/shape.ts';
import { tableRows } from '../../../schemas/table-rows.ts';
import type { SinkKind } from './sink-kind.ts';
import type { TableDefinition } from './table-definition.ts';
import { tableDocs } from './table-docs.ts';
import { isTableName, tableProblems } from './table-problems.ts';

const folders: readonly unknown[] = ['date', 'hour', 'team', 'app'] satisfies PartitionColumn[];

const schemaShape: Check = (value, at) =>
  typeof value === 'boolean' ? undefined : mapOf(anything)(value, at);

const shape: Check = objectOf(
  {
    table: oneOf("a table's name", isTableName),
    schema: objectOf({ properties: mapOf(schemaShape) }),
    partitionBy: listOf(oneOf(`one of ${folders.join(', ')}`, (value) => folders.includes(value))),
  },
  { rowId: flag, upsert: listOf(text) },
);

export const tableKind: SinkKind<TableDefinition> = {
  kind: 'table',
  docs: tableDocs,
  summary: ({ table, upsert }) =>
    `table ${table}${upsert === undefined ? '' : `, latest by ${upsert.join(', ')}`}`,
  schemas: ({ schema }) => [schema],
  shape,
  problems: tableProblems,
  target: ({ table }) => `table ${table}`,
  table: (definition) => definition,
  misfitFix: ({ table }) => `rename what changed, or the table; or move '${table}' out of the lake`,
  check: ({ schema, partitionBy }, owner) => {
    const table = tableRows(schema, partitionBy, owner);
    return (row, timestamp) => {
      const cells = table.cells(row);
      const folder = 'message' in cells ? cells : table.folder(row, timestamp);
      return typeof folder === 'string' ? undefined : folder;
    };
  },
};

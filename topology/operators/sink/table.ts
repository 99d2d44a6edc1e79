/**
 * A table in the lake.
 */
import { tableRows } from '../../../schemas/table-rows.ts';
import type { SinkKind } from './sink-kind.ts';
import type { TableDefinition } from './table-definition.ts';
import { tableDocs } from './table-docs.ts';
import { tableProblems } from './table-problems.ts';

export const tableKind: SinkKind<TableDefinition> = {
  kind: 'table',
  docs: tableDocs,
  summary: ({ table, upsert }) =>
    `table ${table}${upsert === undefined ? '' : `, latest by ${upsert.join(', ')}`}`,
  schemas: ({ schema }) => [schema],
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

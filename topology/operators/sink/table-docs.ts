/**
 * What the reference says of `table`.
 */
import type { TableOptions } from '../../dsl/sinks.ts';
import type { DocsOf, SinkDocs } from '../kind-docs.ts';

export const tableDocs: SinkDocs = {
  call: 'table(name, schema, options)',
  summary:
    "A table in the lake. Columns come from the row's schema. `date` and `hour` are UTC of the element's time; `team` and `app` are the row's columns where it has them, else the topology's owner. A row that does not fit is rejected.",
  options: {
    partitionBy: {
      value: "a list of `'date'`, `'hour'`, `'team'`, `'app'`",
      byDefault: 'all four',
      summary: 'Folders of the table, outermost first',
    },
    rowId: {
      value: '`true` or `false`',
      byDefault: '`false`',
      summary:
        'A column `row_id` tells each row from all others, and is the same when the row is made again of the same events. It costs about 36 bytes a row; tables by Firehose always have it',
    },
    upsert: {
      value: 'a list of columns',
      byDefault: 'none',
      summary:
        "The columns that are a row's key: `<table>_latest` has the latest row of each key, by the column `row_order`. For windows that fire more than once; each row stays in the table",
    },
  } satisfies DocsOf<TableOptions>,
  example: `
import { schemaOf, table } from 'sluice';

const row = schemaOf<{ user: string; page: string }>({
  $id: 'click-row',
  type: 'object',
  required: ['user', 'page'],
  properties: { user: { type: 'string' }, page: { type: 'string' } },
});
clicks
  .map(({ user, page }) => ({ user, page }))
  .sinkTo('rows', table('clicks', row, { partitionBy: ['date'], rowId: true }));
`,
};

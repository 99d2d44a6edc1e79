/**
 * The description of a sink's table. Separate from `table-file.ts`, because the process of a
 * question reads descriptions without loading the engine. Pure.
 */
import type { SinkDefinitionData } from '../../topology/index.ts';
import { withRowId } from '../row-id.ts';
import { rowOrderColumn, withRowOrder } from '../row-order.ts';
import type { TableFile } from './table-description.ts';

type TableDefinition = Extract<SinkDefinitionData, { readonly kind: 'table' }>;
type Defined = Pick<TableDefinition, 'table' | 'schema' | 'partitionBy'> & {
  readonly rowId?: boolean | undefined;
  readonly upsert?: readonly string[] | undefined;
};

/** A sink's table, with the columns that are added to its rows. */
export function describedTable({
  table,
  schema: own,
  partitionBy,
  rowId,
  upsert: key,
}: Defined): TableFile {
  const schema = rowId === true ? withRowId(own) : own;
  if (key === undefined) return { table, schema, partitionBy };
  return {
    table,
    schema: withRowOrder(schema),
    partitionBy,
    upsert: { key, order: rowOrderColumn },
  };
}

/**
 * A table in the lake, as data.
 */
import type { PartitionColumn } from '../../../schemas/partition.ts';
import type { JsonSchema } from '../../../schemas/registry.ts';

export interface TableDefinition {
  readonly kind: 'table';
  readonly table: string;
  /** The row's schema: an object; its properties are the columns. */
  readonly schema: JsonSchema;
  readonly partitionBy: readonly PartitionColumn[];
  /** Whether its files have the column `row_id`. */
  readonly rowId?: true;
  /**
   * The columns that are a row's key: a later row of a key stands in place of those before.
   * Without, rows are only added.
   */
  readonly upsert?: readonly string[];
}

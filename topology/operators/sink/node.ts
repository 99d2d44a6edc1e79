/**
 * Where a stream ends, as data. Which adapter carries it out is decided where the job runs.
 */
import type { PartitionColumn } from '../../../schemas/partition.ts';
import type { JsonSchema } from '../../../schemas/registry.ts';
import type { GraphModel } from '../../graph/graph-model.ts';
import type { NodeBase } from '../../graph/node.ts';

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

/** Elements of a side output that belong with the refused ones. */
export interface RejectedDefinition {
  readonly kind: 'rejected';
}

/** Elements are kept for the test driver to read. */
export interface CollectDefinition {
  readonly kind: 'collect';
}

/** A property graph. */
export interface GraphDefinition {
  readonly kind: 'graph';
  readonly model: GraphModel;
}

export type SinkDefinitionData =
  | TableDefinition
  | RejectedDefinition
  | CollectDefinition
  | GraphDefinition;

export interface SinkNode extends NodeBase {
  readonly kind: 'sink';
  readonly sink: SinkDefinitionData;
}

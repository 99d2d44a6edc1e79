/**
 * Whether a table as it stands can take the rows of a sink: looked at before a job takes over, and
 * nothing is written.
 */
import { storedColumns } from '../../schemas/columns.ts';
import type { LakeStore } from '../../schemas/ports/lake-files.ts';
import { openLake } from '../../schemas/ports/lake-files.ts';
import { nobody } from '../../schemas/run-id.ts';
import type { SinkDefinitionData } from '../../topology/index.ts';
import { describedTable } from './described-table.ts';
import { columnMisfits, grownColumns } from './table-columns.ts';
import { tableMisfits } from './table-file.ts';

type Table = Extract<SinkDefinitionData, { readonly kind: 'table' }>;

export interface TableMisfitsOptions {
  readonly lake: LakeStore;
  readonly sink: Table;
  /** What the last checkpoint says of the sink that wrote to the table. */
  readonly was: Table | undefined;
  /**
   * Whether its rows are delivered to where nobody can look: then only the checkpoint says what
   * they were.
   */
  readonly isDelivered: boolean;
}

/** In words. */
export async function sinkMisfits({
  lake,
  sink,
  was,
  isDelivered,
}: TableMisfitsOptions): Promise<readonly string[]> {
  const { table, partitionBy } = sink;
  const described = describedTable(sink);
  if (isDelivered) {
    if (was === undefined) return [];
    return columnMisfits(
      table,
      grownColumns({}, storedColumns(was.schema, was.partitionBy)),
      storedColumns(described.schema, partitionBy),
    );
  }
  // It writes nothing, so it needs no run.
  const files = await openLake(lake, nobody);
  try {
    return await tableMisfits(files, described);
  } finally {
    await files.close();
  }
}

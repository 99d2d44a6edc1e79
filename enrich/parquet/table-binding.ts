/**
 * A table where a job runs: Parquet files in the lake, or rows by a delivery stream, with files for
 * those that it cannot take.
 */
import { mebi } from '../../schemas/kernel/bytes.ts';
import { sinkMisfits } from '../lake/table-misfits.ts';
import { RowOrder } from '../row-order.ts';
import type { SinkBinding } from '../sink-binding.ts';
import { tableSink } from './table-sink.ts';

/** A Parquet file is published when it has this many bytes (before compression). */
export const parquetFileMaxBytes = 64 * mebi;

export const tableBinding: SinkBinding<'table'> = {
  kind: 'table',
  create: ({ definition, topology, owner, run }, place) => {
    const { table, schema, partitionBy, upsert } = definition;
    const { lake, fileMaxAgeMs, clock, countEarly } = place;
    const deliver = place.deliveryOf(table);
    const parquet = tableSink({
      lake,
      table,
      schema,
      partitionBy,
      owner,
      rowId: definition.rowId === true || deliver !== undefined,
      upsert,
      topology,
      run,
      fileMaxBytes: parquetFileMaxBytes,
      fileMaxAgeMs,
      clock,
      countEarly,
    });
    if (deliver === undefined) return parquet;
    return deliver({
      schema,
      partitionBy,
      owner,
      order: upsert === undefined ? undefined : new RowOrder(clock),
      // By the table: rows that come again under another id of the sink are the same rows.
      sink: `${topology}/${table}`,
      fallback: parquet,
    });
  },
  misfits: (sink, was, { lake, deliveryOf }) =>
    sinkMisfits({ lake, sink, was, isDelivered: deliveryOf(sink.table) !== undefined }),
};

/**
 * A table in the lake: rows become columns here and Parquet files in a worker thread, published by
 * checkpoints.
 *
 * Files: `<lake>/<table>/date=.../hour=.../team=.../app=.../<topology>-<checkpoint>-<run>.parquet`;
 * what waits: `<lake>/.staging/`. Rows stay open across checkpoints, in a durable log, until there
 * are enough, they are old enough, or too many partitions are open. A published file that is small
 * grows (growing-files.ts): it is replaced by one that has its rows and those that came later.
 *
 * Invariants:
 * 1. A row that the table cannot hold is handed back, and never stops the others.
 * 2. A state names all that is staged and not published, also of checkpoints whose commit was lost.
 * 3. What the thread has not taken yet is bounded, in rows and in bytes: `write` waits.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { fileFault } from '../../schemas/kernel/file-fault.ts';
import { limits } from '../../schemas/limits.ts';
import type { PartitionOwner } from '../../schemas/partition.ts';
import type { LakeStore } from '../../schemas/ports/lake-files.ts';
import { openLake } from '../../schemas/ports/lake-files.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import type { RunId } from '../../schemas/run-id.ts';
import type { PartitionColumn, Sink } from '../../topology/index.ts';
import { describedTable } from '../lake/described-table.ts';
import { describeTable } from '../lake/table-file.ts';
import { RowOrder } from '../row-order.ts';
import { batchReader } from './batch-columns.ts';
import type { ParquetThread } from './parquet-thread.ts';
import { parquetThread } from './parquet-thread.ts';
import type { StagedFile, TableState } from './worker-protocol.ts';
import { tableStateOf } from './worker-protocol.ts';

export interface TableSinkOptions {
  readonly lake: LakeStore;
  readonly table: string;
  /** The row's schema. */
  readonly schema: JsonSchema;
  readonly partitionBy: readonly PartitionColumn[];
  /** The partition's team and app where the row has no such column. */
  readonly owner: PartitionOwner;
  /** Whether rows have their `row_id`. Default false. */
  readonly rowId?: boolean;
  /**
   * The columns that are a row's key, of which a later row stands in place of those before.
   * Default: rows are added.
   */
  readonly upsert?: readonly string[] | undefined;
  readonly topology: string;
  readonly run: RunId;
  /** In memory, before compression. */
  readonly fileMaxBytes: number;
  /** 0: every checkpoint publishes. */
  readonly fileMaxAgeMs: number;
  /**
   * Open at once; past it the oldest are published with the next checkpoint. Default
   * `limits.openPartitionsMax`.
   */
  readonly partitionsMax?: number;
  readonly clock: Clock;
  /** Partitions that are published early, because more than may be were open. */
  readonly countEarly?: (partitions: number) => void;
}

/**
 * Faults: `disk-full`, `lake-write-failed`, `sink-ended`, `staged-file-missing`, `table-mismatch`;
 * after one only a new sink goes on.
 */
export function tableSink(options: TableSinkOptions): Sink {
  const { clock, lake, table, topology, run } = options;
  const partitionsMax = options.partitionsMax ?? limits.openPartitionsMax;
  const { partitionBy, rowId = false, upsert } = options;
  const description = describedTable({ table, schema: options.schema, partitionBy, rowId, upsert });
  const order = upsert === undefined ? undefined : new RowOrder(clock);
  const idsOf = rowId ? `${topology}/${table}` : undefined;
  const reader = batchReader(options.schema, partitionBy, options.owner, { idsOf, order });
  let worker: ParquetThread | undefined;
  let openRows = 0;
  let since = 0;
  let staged: readonly StagedFile[] = [];
  let rowsAhead = 0;
  let bytesAhead = 0;

  const thread = (): ParquetThread => {
    assert(worker !== undefined, `the table sink '${table}' is open`);
    return worker;
  };

  return {
    async open(restored) {
      try {
        const files = await openLake(lake, run);
        try {
          await files.makeFolder('');
          await describeTable(files, description);
        } finally {
          await files.close();
        }
      } catch (thrown) {
        throw fileFault('lake-write-failed', `table '${table}'`, thrown);
      }
      worker = parquetThread({
        lake,
        table,
        topology,
        run,
        columns: reader.columns,
        fileMaxBytes: options.fileMaxBytes,
        partitionsMax,
      });
      const { state } = await worker.ask({ kind: 'open', state: tableStateOf(restored) ?? null });
      if (order !== undefined) order.last = state?.order ?? 0;
      openRows = state?.log?.rows ?? 0;
      since = state?.log?.since ?? 0;
    },
    async write(batch) {
      const { partitions, cells, bytes, refused } = reader.read(batch);
      const rows = partitions.length;
      if (rows === 0) return refused;
      if (openRows === 0) since = clock.now();
      openRows += rows;
      rowsAhead += rows;
      bytesAhead += bytes;
      const taken = thread()
        .ask({ kind: 'rows', partitions, cells })
        .then(({ early = 0 }) => {
          if (early > 0) options.countEarly?.(early);
          rowsAhead -= rows;
          bytesAhead -= bytes;
        });
      if (rowsAhead >= limits.sinkPendingMaxRows || bytesAhead >= limits.sinkPendingMaxBytes)
        await taken;
      // A failure that nobody waited for is the answer to the next request.
      else taken.catch(() => undefined);
      return refused;
    },
    async prepare(checkpoint, last): Promise<TableState> {
      const now = clock.now();
      const roll = openRows > 0 && (last || now - since >= options.fileMaxAgeMs);
      const { state } = await thread().ask({ kind: 'stage', checkpoint, roll, since, now });
      assert(state !== undefined, 'staging returns a state');
      staged = [...staged, ...state.staged];
      openRows = state.log?.rows ?? 0;
      since = state.log?.since ?? 0;
      return { ...state, staged, ...(order === undefined ? {} : { order: order.last }) };
    },
    async commit() {
      if (staged.length === 0) return;
      await thread().ask({ kind: 'publish', files: staged });
      staged = [];
    },
    pendingRows: () => openRows + staged.reduce((sum, file) => sum + file.rows, 0),
    async close() {
      await worker?.end();
      worker = undefined;
    },
  };
}

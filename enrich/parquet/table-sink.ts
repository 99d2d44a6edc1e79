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
import { mebi } from '../../schemas/kernel/bytes.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { fileFault } from '../../schemas/kernel/file-fault.ts';
import type { PartitionOwner } from '../../schemas/partition.ts';
import type { LakeStore } from '../../schemas/ports/lake-files.ts';
import { openLake } from '../../schemas/ports/lake-files.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import type { RunId } from '../../schemas/run-id.ts';
import type {
  ElementBatch,
  PartitionColumn,
  RejectedRow,
  Sink,
  SinkState,
} from '../../topology/index.ts';
import { describedTable } from '../lake/described-table.ts';
import { describeTable } from '../lake/table-file.ts';
import { RowOrder } from '../row-order.ts';
import { batchReader } from './batch-columns.ts';
import type { ParquetThread } from './parquet-thread.ts';
import { parquetThread } from './parquet-thread.ts';
import { tableStateOf } from './table-state.ts';
import type { StagedFile, TableState } from './worker-protocol.ts';

/**
 * Rows on their way to a table's writer thread, and their bytes; past either the engine waits.
 */
const sinkPendingMaxRows = 65_536;
export const sinkPendingMaxBytes = 64 * mebi;
/**
 * Partitions (folders) of one table that have open rows; past it the oldest become files with the
 * next checkpoint.
 */
const openPartitionsMax = 1_024;

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
   * `openPartitionsMax`.
   */
  readonly partitionsMax?: number;
  readonly clock: Clock;
  /** Partitions that are published early, because more than may be were open. */
  readonly countEarly?: (partitions: number) => void;
}

/**
 * Faults: `checkpoint-corrupt`, `disk-full`, `lake-write-failed`, `sink-ended`,
 * `staged-file-missing`, `table-mismatch`; after one only a new sink continues.
 */
export function tableSink(options: TableSinkOptions): Sink {
  return new TableSink(options);
}

class TableSink implements Sink {
  readonly #options: TableSinkOptions;
  readonly #order: RowOrder | undefined;
  readonly #reader: ReturnType<typeof batchReader>;
  #worker: ParquetThread | undefined;
  #openRows = 0;
  #since = 0;
  #staged: readonly StagedFile[] = [];
  #rowsAhead = 0;
  #bytesAhead = 0;

  constructor(options: TableSinkOptions) {
    const { topology, table, schema, partitionBy, owner } = options;
    const order = options.upsert === undefined ? undefined : new RowOrder(options.clock);
    const idsOf = options.rowId === true ? `${topology}/${table}` : undefined;
    this.#options = options;
    this.#order = order;
    this.#reader = batchReader(schema, partitionBy, owner, { idsOf, order });
  }

  async open(restored: SinkState | undefined): Promise<void> {
    const { lake, table, topology, run, fileMaxBytes } = this.#options;
    const known = tableStateOf(restored, this.#options);
    await this.#describe();
    this.#worker = parquetThread({
      lake,
      table,
      topology,
      run,
      columns: this.#reader.columns,
      fileMaxBytes,
      partitionsMax: this.#options.partitionsMax ?? openPartitionsMax,
    });
    const { state } = await this.#worker.ask({ kind: 'open', state: known ?? null });
    if (this.#order !== undefined) this.#order.last = state?.order ?? 0;
    this.#openRows = state?.log?.rows ?? 0;
    this.#since = state?.log?.since ?? 0;
  }

  async write(batch: ElementBatch): Promise<readonly RejectedRow[]> {
    const { partitions, cells, bytes, rejected } = this.#reader.read(batch);
    const rows = partitions.length;
    if (rows === 0) return rejected;
    if (this.#openRows === 0) this.#since = this.#options.clock.now();
    this.#openRows += rows;
    this.#rowsAhead += rows;
    this.#bytesAhead += bytes;
    const taken = this.#thread()
      .ask({ kind: 'rows', partitions, cells })
      .then(({ early = 0 }) => {
        if (early > 0) this.#options.countEarly?.(early);
        this.#rowsAhead -= rows;
        this.#bytesAhead -= bytes;
      });
    if (this.#rowsAhead >= sinkPendingMaxRows || this.#bytesAhead >= sinkPendingMaxBytes)
      await taken;
    // A failure that nobody waited for is the answer to the next request.
    else taken.catch(() => undefined);
    return rejected;
  }

  async prepare(checkpoint: number, last: boolean): Promise<TableState> {
    const now = this.#options.clock.now();
    const since = this.#since;
    const roll = this.#openRows > 0 && (last || now - since >= this.#options.fileMaxAgeMs);
    const { state } = await this.#thread().ask({ kind: 'stage', checkpoint, roll, since, now });
    assert(state !== undefined, 'staging returns a state');
    this.#staged = [...this.#staged, ...state.staged];
    this.#openRows = state.log?.rows ?? 0;
    this.#since = state.log?.since ?? 0;
    const order = this.#order === undefined ? {} : { order: this.#order.last };
    return { ...state, staged: this.#staged, ...order };
  }

  async commit(): Promise<void> {
    if (this.#staged.length === 0) return;
    await this.#thread().ask({ kind: 'publish', files: this.#staged });
    this.#staged = [];
  }

  pendingRows(): number {
    return this.#openRows + this.#staged.reduce((sum, file) => sum + file.rows, 0);
  }

  async close(): Promise<void> {
    await this.#worker?.end();
    this.#worker = undefined;
  }

  #thread(): ParquetThread {
    assert(this.#worker !== undefined, `the table sink '${this.#options.table}' is open`);
    return this.#worker;
  }

  async #describe(): Promise<void> {
    const { lake, run, table } = this.#options;
    try {
      const files = await openLake(lake, run);
      try {
        await files.makeFolder('');
        await describeTable(files, describedTable(this.#options));
      } finally {
        await files.close();
      }
    } catch (thrown) {
      throw fileFault('lake-write-failed', `table '${table}'`, thrown);
    }
  }
}

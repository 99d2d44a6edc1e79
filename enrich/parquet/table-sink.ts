/**
 * A table in the lake: rows become columns here and Parquet files in a worker thread, published by checkpoints.
 *
 * Files: `<lake>/<table>/date=.../hour=.../team=.../app=.../<topology>-<checkpoint>-<attempt>.parquet`; what waits: `<lake>/.staging/`.
 * A file stays open across checkpoints, its rows in a durable log, until it is large or old enough.
 */
import { mkdirSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { assert } from '../../schemas/kernel/assert.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import type { PartitionColumn, RefusedRow, Sink } from '../../topology/index.ts';
import { describeTable } from '../lake/table-file.ts';
import type { Cell } from './columns.ts';
import { rowReader } from './columns.ts';
import type { PartitionOwner } from './partition.ts';
import { partitioner } from './partition.ts';
import type { ParquetReply, ParquetRequest, ParquetWorkerInput, StagedFile, TableState } from './worker-protocol.ts';

export interface TableSinkOptions {
  /** The lake's folder. */
  readonly dir: string;
  readonly table: string;
  /** The row's schema. */
  readonly schema: JsonSchema;
  readonly partitionBy: readonly PartitionColumn[];
  readonly owner: PartitionOwner;
  readonly topology: string;
  readonly attempt: number;
  readonly fileMaxBytes: number;
  /** 0: every checkpoint publishes. */
  readonly fileMaxAgeMs: number;
  readonly clock: Clock;
}

export function tableSink(options: TableSinkOptions): Sink {
  const { clock, owner } = options;
  const reader = rowReader(options.schema);
  const folderOf = partitioner(options.partitionBy);
  const rowTeam = reader.columns.some((column) => column.name === 'team');
  const rowApp = reader.columns.some((column) => column.name === 'app');
  let worker: ParquetThread | undefined;
  let openRows = 0;
  let openBytes = 0;
  let since = 0;
  let staged: readonly StagedFile[] = [];
  let unacknowledged = 0;

  const thread = (): ParquetThread => {
    assert(worker !== undefined, `the table sink '${options.table}' is open`);
    return worker;
  };

  return {
    async open(restored) {
      mkdirSync(options.dir, { recursive: true });
      describeTable(options.dir, { table: options.table, schema: options.schema, partitionBy: options.partitionBy });
      const { dir: lake, table, topology, attempt } = options;
      worker = parquetThread({ lake, table, topology, attempt, columns: reader.columns });
      const state = await worker.ask({ kind: 'open', state: (restored as TableState | undefined) ?? null });
      openRows = state?.log?.rows ?? 0;
      openBytes = state?.log?.bytes ?? 0;
      since = state?.log?.since ?? 0;
    },
    async write(batch) {
      const partitions: string[] = [];
      const cells: Cell[][] = reader.columns.map(() => []);
      const refused: RefusedRow[] = [];
      for (let index = 0; index < batch.length; index++) {
        const row = batch.values[index];
        const read = reader.read(row);
        if ('message' in read) {
          refused.push({ index, message: read.message, pointer: read.pointer });
          continue;
        }
        const named = row as { readonly team?: unknown; readonly app?: unknown };
        const team = rowTeam && typeof named.team === 'string' ? named.team : owner.team;
        const app = rowApp && typeof named.app === 'string' ? named.app : owner.app;
        partitions.push(folderOf(batch.timestamps[index] as number, team, app));
        for (let column = 0; column < read.length; column++) {
          const cell = read[column] as Cell;
          cells[column]?.push(cell);
          openBytes += typeof cell === 'string' ? cell.length : 8;
        }
      }
      if (partitions.length === 0) return refused;
      if (openRows === 0) since = clock.now();
      openRows += partitions.length;
      unacknowledged += partitions.length;
      const accepted = thread()
        .ask({ kind: 'rows', partitions, cells })
        .then(() => {
          unacknowledged -= partitions.length;
        });
      if (unacknowledged >= limits.sinkPendingMaxRows) await accepted;
      else accepted.catch(() => undefined);
      return refused;
    },
    async prepare(checkpoint) {
      const roll = openRows > 0 && (openBytes >= options.fileMaxBytes || clock.now() - since >= options.fileMaxAgeMs);
      const state = await thread().ask({ kind: 'stage', checkpoint, roll, since });
      assert(state !== undefined, 'staging returns a state');
      staged = state.staged;
      if (roll) {
        openRows = 0;
        openBytes = 0;
      }
      return state;
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

interface ParquetThread {
  ask(request: ParquetRequest): Promise<TableState | undefined>;
  end(): Promise<void>;
}

function parquetThread(input: ParquetWorkerInput): ParquetThread {
  const worker = new Worker(new URL('./parquet-worker.js', import.meta.url), { workerData: input });
  const asked: { readonly resolve: (state: TableState | undefined) => void; readonly reject: (fault: SluiceError) => void }[] = [];
  let fault: SluiceError | undefined;
  const failAll = (found: SluiceError): void => {
    fault ??= found;
    for (const { reject } of asked.splice(0)) reject(found);
  };
  worker.on('message', (reply: ParquetReply) => {
    const next = asked.shift();
    if (reply.ok) next?.resolve(reply.state);
    else {
      // After one failed request the thread's rows are no longer the engine's: the job goes back to its last checkpoint.
      const failed = new SluiceError(reply.code, `table '${input.table}': ${reply.message}`, { retryable: true });
      next?.reject(failed);
      failAll(failed);
    }
  });
  worker.on('error', (cause: unknown) =>
    failAll(new SluiceError('sink-ended', `the writer of table '${input.table}' failed`, { cause, retryable: true })),
  );
  worker.on('exit', () => failAll(new SluiceError('sink-ended', `the writer of table '${input.table}' ended`, { retryable: true })));
  return {
    ask(request) {
      if (fault !== undefined) return Promise.reject(fault);
      return new Promise((resolve, reject) => {
        asked.push({ resolve, reject });
        worker.postMessage(request);
      });
    },
    async end() {
      await worker.terminate();
    },
  };
}

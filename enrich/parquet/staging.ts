/**
 * The files of a table sink: open rows, their log, staged Parquet files, and their publication. Runs in the sink's worker thread.
 *
 * Invariants:
 * 1. A staged file lies outside the table's folder; only a rename makes it visible, so no reader sees half a file.
 * 2. Names carry checkpoint and attempt: a replay after a crash never meets the files of the run before.
 * 3. `open` brings back exactly the state of a checkpoint: named files are published, every other trace is removed.
 * 4. What a returned state names is kept until the publication after the next returned state: until then a restore may ask for it.
 * 5. Open rows never take more than `fileMaxBytes`: at that size they become files, named by the next state.
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { makeDirectory, syncDirectory, writeDurable } from '../durable-file.ts';
import type { Column } from './columns.ts';
import { encodeParquet } from './encode.ts';
import { OpenRows } from './open-rows.ts';
import { appendRowLog, readRowLog, sameColumns } from './row-log.ts';
import type { ParquetRequest, ParquetWorkerInput, RowLog, StagedFile, StageRequest, TableState } from './worker-protocol.ts';

type RowsRequest = Extract<ParquetRequest, { readonly kind: 'rows' }>;

interface WrittenFile {
  readonly staged: string;
  readonly partition: string;
  readonly rows: number;
}

const logPrefix = 'rows-';

export class TableStaging {
  readonly #input: ParquetWorkerInput;
  readonly #folder: string;
  #open: OpenRows;
  /** Files made of open rows since the last returned state. */
  #written: WrittenFile[] = [];
  #files = 0;
  /** The log of rows that are open now. */
  #log: RowLog | null = null;
  /** The log that the last returned state names. */
  #namedLog: RowLog | null = null;

  constructor(input: ParquetWorkerInput) {
    this.#input = input;
    this.#folder = join('.staging', input.table, input.topology);
    this.#open = new OpenRows(input.columns.length);
  }

  #path(relative: string): string {
    return join(this.#input.lake, relative);
  }

  /** Returns the state with the rows that are open again. */
  open(state: TableState | null): TableState {
    makeDirectory(this.#path(this.#folder));
    const log = state?.log ?? null;
    this.#log = log;
    this.#namedLog = log;
    this.publish(state?.staged ?? []);
    for (const name of readdirSync(this.#path(this.#folder))) {
      const file = join(this.#folder, name);
      if (file !== log?.file) rmSync(this.#path(file), { recursive: true });
    }
    this.#open = new OpenRows(this.#input.columns.length);
    this.#written = [];
    if (log !== null) this.#reopen(log);
    return { staged: [], log: log === null ? null : { ...log, rows: this.#open.rows } };
  }

  /**
   * Rows of another schema cannot stay open beside new ones: they are published at once. Their files' names derive from the log, so a restart
   * that comes back to the same checkpoint finds what is already visible.
   */
  #reopen(log: RowLog): void {
    if (!existsSync(this.#path(log.file))) throw lost(log.file);
    const logged = readRowLog(this.#path(log.file), log.bytes);
    const targetOf = (partition: string): string =>
      join(this.#input.table, partition, `${this.#input.topology}-${basename(log.file, '.ndjson')}-${log.bytes}.parquet`);
    const visible = new Set(
      [...new Set(logged.rows.map((row) => row.partition))].filter((partition) => existsSync(this.#path(targetOf(partition)))),
    );
    const same = sameColumns(logged.columns, this.#input.columns);
    const rows = same ? this.#open : new OpenRows(logged.columns.length);
    for (const { partition, cells } of logged.rows) if (!visible.has(partition)) rows.add(partition, cells);
    if (same && visible.size === 0) {
      this.#open.markLogged();
      return;
    }
    // What comes next goes to a log of its own: this one is not what is open.
    this.#log = null;
    if (same) return;
    const files = this.#write(rows, logged.columns);
    this.publish(files.map(({ staged, partition, rows: count }) => ({ staged, target: targetOf(partition), rows: count })));
  }

  add({ partitions, cells }: Pick<RowsRequest, 'partitions' | 'cells'>): void {
    for (let row = 0; row < partitions.length; row++) {
      this.#open.add(
        partitions[row] as string,
        cells.map((column) => column[row] ?? null),
      );
      if (this.#open.bytes >= this.#input.fileMaxBytes) this.#roll();
    }
  }

  #roll(): void {
    this.#written.push(...this.#write(this.#open, this.#input.columns));
    this.#log = null;
  }

  #write(rows: OpenRows, columns: readonly Column[]): readonly WrittenFile[] {
    return rows.takeAll().map(({ partition, cells, rows: count }) => {
      const staged = join(this.#folder, `${this.#input.attempt}-${this.#files++}.parquet`);
      writeDurable(this.#path(staged), encodeParquet(columns, cells));
      return { staged, partition, rows: count };
    });
  }

  /** Makes all rows durable, as Parquet files or in the row log, and names where they are. */
  stage({ checkpoint, roll, since, now }: Omit<StageRequest, 'kind'>): TableState {
    if (roll && this.#open.rows > 0) this.#roll();
    const { topology, attempt, table } = this.#input;
    const inPartition = new Map<string, number>();
    const staged = this.#written.map(({ staged: file, partition, rows }): StagedFile => {
      const nth = inPartition.get(partition) ?? 0;
      inPartition.set(partition, nth + 1);
      const name = `${topology}-${checkpoint}-${attempt}${nth === 0 ? '' : `.${nth}`}.parquet`;
      return { staged: file, target: join(table, partition, name), rows };
    });
    // After a roll in between, the rows that are open now came later than `since`.
    const log = this.#open.rows === 0 ? null : this.#appendLog(checkpoint, staged.length > 0 ? now : since);
    if (staged.length > 0 || log?.file !== this.#namedLog?.file) syncDirectory(this.#path(this.#folder));
    this.#written = [];
    this.#log = log;
    this.#namedLog = log;
    return { staged, log };
  }

  #appendLog(checkpoint: number, since: number): RowLog {
    const file = join(this.#folder, `${logPrefix}${checkpoint}-${this.#input.attempt}.ndjson`);
    const before = this.#log ?? { file, bytes: 0, rows: 0, since };
    const lines = this.#open.takeUnlogged();
    const bytes = appendRowLog(this.#path(before.file), before.bytes, this.#input.columns, lines);
    return { ...before, bytes, rows: before.rows + lines.length };
  }

  /** Renames staged files to where readers look. Doing it twice does nothing more. */
  publish(files: readonly StagedFile[]): void {
    const folders = new Set<string>();
    for (const { staged, target } of files) {
      const to = this.#path(target);
      if (existsSync(this.#path(staged))) {
        makeDirectory(dirname(to));
        renameSync(this.#path(staged), to);
        folders.add(dirname(to));
      } else if (!existsSync(to)) throw lost(staged);
    }
    for (const folder of folders) syncDirectory(folder);
    if (files.length > 0) this.#removeOldLogs();
  }

  #removeOldLogs(): void {
    const kept = [this.#log?.file, this.#namedLog?.file];
    for (const name of readdirSync(this.#path(this.#folder))) {
      const file = join(this.#folder, name);
      if (name.startsWith(logPrefix) && !kept.includes(file)) rmSync(this.#path(file));
    }
  }
}

function lost(file: string): SluiceError {
  return new SluiceError('staged-file-missing', `the last checkpoint names ${file}, and neither it nor its published file is there`, {
    fix: 'put the lake back from a copy, or start anew with `sluice reset`',
  });
}

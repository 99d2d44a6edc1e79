/**
 * The files of a table sink: open rows, their log, staged Parquet files, and their publication. Runs in the sink's worker thread.
 *
 * Invariants:
 * 1. A staged file lies outside the table's folder; only a rename makes it visible, so no reader sees half a file.
 * 2. Names carry checkpoint and attempt: a replay after a crash never meets the files of the run before.
 * 3. `open` brings back exactly the state of a checkpoint: named files are published, every other trace is removed.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { syncDirectory, writeDurable } from '../durable-file.ts';
import type { Cell } from './columns.ts';
import { encodeParquet } from './encode.ts';
import type { ParquetWorkerInput, RowLog, StagedFile, TableState } from './worker-protocol.ts';

interface OpenPartition {
  readonly cells: Cell[][];
  rows: number;
}

export class TableStaging {
  readonly #input: ParquetWorkerInput;
  readonly #folder: string;
  #partitions = new Map<string, OpenPartition>();
  #unlogged: string[] = [];
  #log: RowLog | null = null;

  constructor(input: ParquetWorkerInput) {
    this.#input = input;
    this.#folder = join('.staging', input.table, input.topology);
  }

  #path(relative: string): string {
    return join(this.#input.lake, relative);
  }

  /** Returns how many open rows came back. */
  open(state: TableState | null): TableState {
    mkdirSync(this.#path(this.#folder), { recursive: true });
    this.publish(state?.staged ?? []);
    const keep = state?.log ?? null;
    for (const name of readdirSync(this.#path(this.#folder))) {
      const file = join(this.#folder, name);
      if (file !== keep?.file) rmSync(this.#path(file), { recursive: true });
    }
    this.#partitions = new Map();
    this.#unlogged = [];
    this.#log = keep;
    if (keep !== null) this.#load(keep);
    return { staged: [], log: keep };
  }

  #load(log: RowLog): void {
    truncateSync(this.#path(log.file), log.bytes);
    for (const line of readFileSync(this.#path(log.file), 'utf8').split('\n')) {
      if (line === '') continue;
      const [partition, ...cells] = JSON.parse(line) as [string, ...Cell[]];
      this.#hold(partition, cells);
    }
  }

  #hold(partition: string, row: readonly Cell[]): void {
    let held = this.#partitions.get(partition);
    if (held === undefined) {
      held = { cells: this.#input.columns.map(() => []), rows: 0 };
      this.#partitions.set(partition, held);
    }
    for (let column = 0; column < row.length; column++) held.cells[column]?.push(row[column] as Cell);
    held.rows++;
  }

  add(partitions: readonly string[], cells: readonly (readonly Cell[])[]): void {
    for (let row = 0; row < partitions.length; row++) {
      const partition = partitions[row] as string;
      const values = cells.map((column) => column[row] as Cell);
      this.#hold(partition, values);
      this.#unlogged.push(JSON.stringify([partition, ...values]));
    }
  }

  /** Makes all rows durable: as Parquet files when `roll`, else in the row log. */
  stage(checkpoint: number, roll: boolean, since: number): TableState {
    if (this.#partitions.size === 0) return { staged: [], log: null };
    if (!roll) return { staged: [], log: this.#appendLog(checkpoint, since) };
    const staged: StagedFile[] = [];
    const { topology, attempt, table } = this.#input;
    for (const [partition, { cells, rows }] of this.#partitions) {
      const name = `${topology}-${checkpoint}-${attempt}`;
      const file = join(this.#folder, `${name}-${staged.length}.parquet`);
      writeDurable(this.#path(file), encodeParquet(this.#input.columns, cells));
      staged.push({ staged: file, target: join(table, partition, `${name}.parquet`), rows });
    }
    syncDirectory(this.#path(this.#folder));
    this.#partitions = new Map();
    this.#unlogged = [];
    // The log of these rows goes when the next run or the next generation begins: until the checkpoint is complete it may still be needed.
    this.#log = null;
    return { staged, log: null };
  }

  #appendLog(checkpoint: number, since: number): RowLog {
    const before = this.#log ?? { file: join(this.#folder, `rows-${checkpoint}-${this.#input.attempt}.ndjson`), bytes: 0, rows: 0, since };
    const text = Buffer.from(this.#unlogged.map((line) => `${line}\n`).join(''));
    const handle = openSync(this.#path(before.file), before.bytes === 0 ? 'w' : 'r+');
    try {
      for (let done = 0; done < text.length; ) done += writeSync(handle, text, done, text.length - done, before.bytes + done);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    if (before.bytes === 0) syncDirectory(this.#path(this.#folder));
    this.#log = { ...before, bytes: before.bytes + text.length, rows: before.rows + this.#unlogged.length };
    this.#unlogged = [];
    return this.#log;
  }

  /** Renames staged files to where readers look. Doing it twice does nothing more. */
  publish(files: readonly StagedFile[]): void {
    const folders = new Set<string>();
    for (const { staged, target } of files) {
      const to = this.#path(target);
      if (!existsSync(this.#path(staged)) && existsSync(to)) continue;
      mkdirSync(dirname(to), { recursive: true });
      renameSync(this.#path(staged), to);
      folders.add(dirname(to));
    }
    for (const folder of folders) syncDirectory(folder);
    if (files.length === 0) return;
    for (const name of readdirSync(this.#path(this.#folder))) {
      const file = join(this.#folder, name);
      if (name.startsWith('rows-') && file !== this.#log?.file) rmSync(this.#path(file));
    }
  }
}

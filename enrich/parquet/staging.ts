/**
 * The files of a table sink: open rows, their log, staged Parquet files, and their publication.
 * Runs in the sink's worker thread.
 *
 * Invariants:
 * 1. A staged file lies outside the table's folder; only its publication makes it visible, so no
 *    reader sees half a file.
 * 2. Names carry the run, and its checkpoint: a replay after a crash, or from the start, never
 *    meets the files of another run.
 * 3. `open` brings back exactly the state of a checkpoint: named files are published, every other
 *    trace of its lineage but a later run's is removed.
 * 4. What a returned state names is kept until the publication after the next returned state: until
 *    then a restore may ask for it.
 * 5. Open rows never take more than `fileMaxBytes`: at that size they become files, named by the
 *    next state. So do those of the oldest partitions, once more than `partitionsMax` are open.
 * 6. A file that replaces a published one has all its rows, and those that came after it.
 */
import { basename, join } from 'node:path';
import type { Column } from '../../schemas/columns.ts';
import { boundedEach } from '../../schemas/kernel/bounded-each.ts';
import { limits } from '../../schemas/limits.ts';
import { FolderNumbers } from '../../schemas/partition.ts';
import type { LakeFiles } from '../../schemas/ports/lake-files.ts';
import { stagedMissing } from '../../schemas/ports/lake-files.ts';
import { runName } from '../../schemas/run-id.ts';
import { mayRemove } from '../lake/staged-name.ts';
import { encodeParquet } from './encode.ts';
import { GrowingFiles } from './growing-files.ts';
import type { TakenRows } from './open-rows.ts';
import { OpenRows } from './open-rows.ts';
import { logBytes, parseRowLog, sameColumns } from './row-log.ts';
import type {
  GrowingFile,
  ParquetRequest,
  ParquetWorkerInput,
  RowLog,
  StagedFile,
  StageRequest,
  TableState,
} from './worker-protocol.ts';

type RowsRequest = Extract<ParquetRequest, { readonly kind: 'rows' }>;

interface WrittenFile {
  readonly staged: string;
  readonly partition: string;
  /** Of the file, and of these those that came since it was last published. */
  readonly rows: number;
  readonly newRows: number;
  readonly bytes: number;
  /** What it replaces; a new file has its name, and may grow, once it is staged. */
  readonly grown: Pick<GrowingFile, 'target' | 'sinceMs'> | undefined;
}

const logPrefix = 'rows-';
/** Of the name of the nth file of a folder that would have the same one. */
const suffixOf = (nth: number): string => (nth === 0 ? '' : `.${nth}`);
/**
 * A log that has so many times what a file may have: most of it is of partitions that are files.
 */
const logFilesMax = 4;

export class TableStaging {
  readonly #input: ParquetWorkerInput;
  readonly #lake: LakeFiles;
  readonly #folder: string;
  #open: OpenRows;
  /**
   * Files made of open rows since the last returned state, and whether all rows that were open were
   * made so.
   */
  #written: WrittenFile[] = [];
  #rolled = false;
  #files = 0;
  readonly #growing: GrowingFiles;
  /** Epoch ms, as the last request said. */
  #nowMs = 0;
  /** The log of rows that are open now. */
  #log: RowLog | null = null;
  /** The log that the last returned state names. */
  #namedLog: RowLog | null = null;
  /** Logs that are there, of this run and the one that it resumed from. */
  readonly #logs = new Set<string>();

  constructor(input: ParquetWorkerInput, lake: LakeFiles) {
    this.#input = input;
    this.#lake = lake;
    this.#folder = join('.staging', input.table, input.topology);
    this.#open = new OpenRows(input.columns.length);
    this.#growing = new GrowingFiles(lake, input.columns);
  }

  /** Returns the state with the rows that are open again. */
  async open(state: TableState | null): Promise<TableState> {
    await this.#lake.makeFolder(this.#folder);
    const log = state?.log ?? null;
    this.#log = log;
    this.#namedLog = log;
    if (log !== null) this.#logs.add(log.file);
    this.#growing.open(state?.growing);
    await this.publish(state?.staged ?? []);
    const left = (await this.#lake.names(this.#folder)).filter((name) =>
      mayRemove(name, this.#input.run),
    );
    const files = left.map((name) => join(this.#folder, name)).filter((file) => file !== log?.file);
    await boundedEach(files, limits.lakeCallsMax, (file) => this.#lake.remove(file));
    this.#open = new OpenRows(this.#input.columns.length);
    this.#written = [];
    if (log !== null) await this.#reopen(log);
    return { ...state, staged: [], log: log === null ? null : { ...log, rows: this.#open.rows } };
  }

  /**
   * Rows of another schema cannot stay open beside new ones: they are published at once. Their
   * files' names derive from the log, so a restart that comes back to the same checkpoint finds
   * what is already visible.
   */
  async #reopen(log: RowLog): Promise<void> {
    const bytes = await this.#lake.readLog(log.file, log.bytes);
    if (bytes === undefined) throw stagedMissing({ staged: log.file, target: 'a copy of it' });
    const logged = parseRowLog(bytes);
    const partitions = [...new Set(logged.rows.map((row) => row.partition))];
    const numbers = new FolderNumbers();
    const suffixes = new Map(partitions.map((name) => [name, suffixOf(numbers.next(name))]));
    const targetOf = (partition: string): string =>
      join(
        this.#input.table,
        partition,
        `${this.#input.topology}-${basename(log.file, '.ndjson')}-${log.bytes}${suffixes.get(partition) ?? ''}.parquet`,
      );
    const visible = new Set<string>();
    await boundedEach(partitions, limits.lakeCallsMax, async (partition) => {
      if (await this.#lake.exists(targetOf(partition))) visible.add(partition);
    });
    const same = sameColumns(logged.columns, this.#input.columns);
    const rows = same ? this.#open : new OpenRows(logged.columns.length);
    for (const { partition, cells } of logged.rows) {
      if (cells.length === 0) rows.drop(partition);
      else if (!visible.has(partition)) rows.add(partition, cells);
    }
    if (same && visible.size === 0 && this.#lake.continuesLogs) {
      this.#open.markLogged();
      return;
    }
    // What comes next goes to a log of its own: this one is not what is open, or another run may be
    // writing to it.
    this.#log = null;
    if (same) return;
    const files = await this.#write(rows.takeAll(), logged.columns);
    await this.publish(
      files.map(({ staged, partition, newRows }) => ({
        staged,
        target: targetOf(partition),
        rows: newRows,
      })),
    );
  }

  /** Says how many partitions became files because too many were open. */
  async add({ partitions, cells }: Pick<RowsRequest, 'partitions' | 'cells'>): Promise<number> {
    for (let row = 0; row < partitions.length; row++) {
      this.#open.add(
        partitions[row] as string,
        cells.map((column) => column[row] ?? null),
      );
      if (this.#open.bytes >= this.#input.fileMaxBytes) await this.#roll();
    }
    const early = this.#open.takeBeyond(this.#input.partitionsMax);
    if (early.length > 0) this.#written.push(...(await this.#write(early, this.#input.columns)));
    return early.length;
  }

  async #roll(): Promise<void> {
    for (const file of await this.#write(
      this.#open.takeAll(),
      this.#input.columns,
      this.#growing,
    )) {
      this.#written.push(file);
      const { partition, rows, bytes, grown, staged } = file;
      if (grown !== undefined) this.#growing.remember({ partition, rows, bytes, ...grown }, staged);
    }
    this.#log = null;
    this.#rolled = true;
  }

  async #write(
    rows: readonly TakenRows[],
    columns: readonly Column[],
    growing?: GrowingFiles,
  ): Promise<readonly WrittenFile[]> {
    const taken = rows.map((held, index) => ({ ...held, index, staged: this.#newName() }));
    const written: WrittenFile[] = [];
    await boundedEach(
      taken,
      limits.lakeCallsMax,
      async ({ index, partition, staged, cells, rows: newRows }) => {
        const grown = await growing?.grow(partition, cells, this.#nowMs);
        const content = encodeParquet(columns, grown?.cells ?? cells);
        await this.#lake.write(staged, content);
        const older =
          grown === undefined ? undefined : { target: grown.target, sinceMs: grown.sinceMs };
        const count = grown?.cells[0]?.length ?? newRows;
        written[index] = {
          staged,
          partition,
          rows: count,
          newRows,
          bytes: content.length,
          grown: older,
        };
      },
    );
    return written;
  }

  #newName(): string {
    return join(this.#folder, `${runName(this.#input.run)}-${this.#files++}.parquet`);
  }

  /** Makes all rows durable, as Parquet files or in the row log, and names where they are. */
  async stage({ checkpoint, roll, since, now }: Omit<StageRequest, 'kind'>): Promise<TableState> {
    this.#nowMs = now;
    const logIsLong = (this.#log?.bytes ?? 0) >= logFilesMax * this.#input.fileMaxBytes;
    if ((roll || logIsLong) && this.#open.rows > 0) await this.#roll();
    const staged = this.#nameWritten(checkpoint, now);
    // After a roll in between, the rows that are open now came later than `since`.
    const log =
      this.#open.rows === 0 ? null : await this.#appendLog(checkpoint, this.#rolled ? now : since);
    if (staged.length > 0 || log?.file !== this.#namedLog?.file)
      await this.#lake.settle(this.#folder);
    this.#written = [];
    this.#rolled = false;
    this.#log = log;
    this.#namedLog = log;
    const growing = this.#growing.state(now);
    return { staged, log, ...(growing === undefined ? {} : { growing }) };
  }

  #nameWritten(checkpoint: number, nowMs: number): readonly StagedFile[] {
    const { topology, run, table } = this.#input;
    const numbers = new FolderNumbers();
    return this.#written.map(({ staged, partition, rows, newRows, bytes, grown }): StagedFile => {
      if (grown !== undefined) return { staged, target: grown.target, rows: newRows };
      const name = `${topology}-${checkpoint}-${runName(run)}${suffixOf(numbers.next(partition))}.parquet`;
      const target = join(table, partition, name);
      this.#growing.remember({ partition, target, rows, bytes, sinceMs: nowMs }, staged);
      return { staged, target, rows: newRows };
    });
  }

  async #appendLog(checkpoint: number, since: number): Promise<RowLog> {
    const file = join(this.#folder, `${logPrefix}${checkpoint}-${runName(this.#input.run)}.ndjson`);
    const before = this.#log ?? { file, bytes: 0, rows: 0, since };
    const lines = this.#open.takeUnlogged();
    const added = logBytes(before.bytes, this.#input.columns, lines);
    this.#logs.add(before.file);
    // An append of nothing would be an object where the next one begins.
    if (added.length > 0) await this.#lake.append(before.file, before.bytes, added);
    return { ...before, bytes: before.bytes + added.length, rows: this.#open.rows };
  }

  /** Makes staged files visible where readers look. Doing it twice does nothing more. */
  async publish(files: readonly StagedFile[]): Promise<void> {
    await this.#lake.publish(files);
    if (files.length === 0) return;
    this.#growing.published(new Set(files.map(({ staged }) => staged)));
    const kept = [this.#log?.file, this.#namedLog?.file];
    const old = [...this.#logs].filter((file) => !kept.includes(file));
    for (const file of old) this.#logs.delete(file);
    this.#lake.letGo(old);
  }
}

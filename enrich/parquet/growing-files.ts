/**
 * The published files of a table that are still small: rows that come later are put behind theirs,
 * in a file that replaces them under the same name. So a quiet table has a file a partition and
 * hour, however often it is made visible, and a restart begins no new one.
 *
 * Invariants:
 * 1. A file is taken only as it was left: with as many rows and the columns that it had. One that
 *    somebody changed or removed stays as it is.
 * 2. Only few rows are put behind others: those that make a file of their own make one.
 * 3. What grows is what this lineage published, as its checkpoints say; they keep a bounded number,
 *    the youngest.
 */
import { createHash } from 'node:crypto';
import type { Cell, Column } from '../../schemas/columns.ts';
import { mebi } from '../../schemas/kernel/bytes.ts';
import type { LakeFiles } from '../../schemas/ports/lake-files.ts';
import { decodeCells } from './decode.ts';
import { columnShape } from './row-log.ts';
import type { GrowingFile, GrowingState } from './worker-protocol.ts';

/**
 * A published file of at most so many bytes, and so old, grows by what comes later for its
 * partition; files of one table that a checkpoint keeps as such.
 */
export const parquetGrowMaxBytes = mebi;
export const parquetGrowMaxMs = 3_600_000;
export const parquetGrowingMaxFiles = 256;
/**
 * Rows that make a file of about so many bytes by themselves do not grow another one: it would be
 * read and written again for nothing.
 */
export const parquetGrowByMaxBytes = mebi / 4;

interface Growing extends GrowingFile {
  /** Where its newest content is until that is published. */
  readonly staged: string | undefined;
}

export interface Grown extends Pick<GrowingFile, 'target' | 'sinceMs'> {
  /** With the rows that were there first. */
  readonly cells: readonly (readonly Cell[])[];
}

export class GrowingFiles {
  readonly #lake: LakeFiles;
  readonly #columns: readonly Column[];
  readonly #shape: string;
  /** By partition, the oldest first. */
  #files = new Map<string, Growing>();

  constructor(lake: LakeFiles, columns: readonly Column[]) {
    this.#lake = lake;
    this.#columns = columns;
    this.#shape = createHash('sha256')
      .update(columnShape(columns))
      .digest('hex')
      .slice(0, shapeDigits);
  }

  /** Everything that the state names is published. Files of other columns do not grow. */
  open(state: GrowingState | undefined): void {
    const files = state?.shape === this.#shape ? state.files : [];
    this.#files = new Map(files.map((file) => [file.partition, { ...file, staged: undefined }]));
  }

  /** What a partition's new rows make of its file; undefined where none grows. */
  async grow(
    partition: string,
    cells: readonly (readonly Cell[])[],
    nowMs: number,
  ): Promise<Grown | undefined> {
    const file = this.#files.get(partition);
    if (file === undefined || file.bytes >= parquetGrowMaxBytes || isOld(file, nowMs))
      return undefined;
    if (bytesOf(file, cells) >= parquetGrowByMaxBytes) return undefined;
    const staged = file.staged === undefined ? undefined : await this.#lake.read(file.staged);
    const bytes = staged ?? (await this.#lake.read(file.target));
    const before = bytes === undefined ? undefined : await decodeCells(bytes, this.#columns);
    if (before === undefined || (before[0]?.length ?? 0) !== file.rows) return undefined;
    return {
      target: file.target,
      sinceMs: file.sinceMs,
      cells: before.map((column, index) => column.concat(cells[index] ?? [])),
    };
  }

  /** A partition's newest file. */
  remember(file: GrowingFile, staged: string): void {
    this.#files.delete(file.partition);
    this.#files.set(file.partition, { ...file, staged });
  }

  published(staged: ReadonlySet<string>): void {
    for (const [partition, file] of this.#files)
      if (file.staged !== undefined && staged.has(file.staged))
        this.#files.set(partition, { ...file, staged: undefined });
  }

  /** What a checkpoint keeps. */
  state(nowMs: number): GrowingState | undefined {
    for (const [partition, file] of this.#files)
      if (file.bytes >= parquetGrowMaxBytes || isOld(file, nowMs)) this.#files.delete(partition);
    for (const partition of [...this.#files.keys()].slice(0, -parquetGrowingMaxFiles))
      this.#files.delete(partition);
    const files = [...this.#files.values()].map(({ partition, target, rows, bytes, sinceMs }) => ({
      partition,
      target,
      rows,
      bytes,
      sinceMs,
    }));
    return files.length === 0 ? undefined : { shape: this.#shape, files };
  }
}

const shapeDigits = 16;

/** Also one from a clock that was ahead. */
/** About what new rows make of a file, when they are as long as those that are there. */
function bytesOf({ bytes, rows }: GrowingFile, cells: readonly (readonly Cell[])[]): number {
  return (bytes / Math.max(1, rows)) * (cells[0]?.length ?? 0);
}

function isOld({ sinceMs }: GrowingFile, nowMs: number): boolean {
  return Math.abs(nowMs - sinceMs) >= parquetGrowMaxMs;
}

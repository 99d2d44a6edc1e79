/**
 * The rows that a table sink holds in memory, by partition and column, until they become a file or
 * are logged.
 *
 * Invariant: partitions are in the order in which their first row came, also once they are read
 * back from the log: the first is the oldest.
 */
import type { Cell } from '../../schemas/columns.ts';
import { closedLine, rowLine } from './row-log.ts';

interface OpenPartition {
  readonly partition: string;
  readonly cells: Cell[][];
  rows: number;
  bytes: number;
  /** How many of them are in the row log. */
  logged: number;
}

/** A partition's rows, to become a file. */
export type TakenRows = Pick<OpenPartition, 'partition' | 'cells' | 'rows'>;

/** What a cell that is not text counts for, in bytes. */
export const cellBytes = 8;

export class OpenRows {
  readonly #columns: number;
  #partitions = new Map<string, OpenPartition>();
  #rows = 0;
  #bytes = 0;
  /** Partitions that the log has rows of, and that are files since. */
  #closed: string[] = [];

  constructor(columns: number) {
    this.#columns = columns;
  }

  get rows(): number {
    return this.#rows;
  }

  get partitions(): number {
    return this.#partitions.size;
  }

  /** Text counts by its characters. */
  get bytes(): number {
    return this.#bytes;
  }

  add(partition: string, row: readonly Cell[]): void {
    let held = this.#partitions.get(partition);
    if (held === undefined) {
      held = {
        partition,
        cells: Array.from({ length: this.#columns }, () => []),
        rows: 0,
        bytes: 0,
        logged: 0,
      };
      this.#partitions.set(partition, held);
    }
    let bytes = 0;
    for (let column = 0; column < row.length; column++) {
      const cell = row[column] as Cell;
      held.cells[column]?.push(cell);
      bytes += typeof cell === 'string' ? cell.length : cellBytes;
    }
    held.bytes += bytes;
    this.#bytes += bytes;
    held.rows++;
    this.#rows++;
  }

  /**
   * What the log does not say yet, as its lines: which partitions are files, and rows, which count
   * as logged from here on.
   */
  takeUnlogged(): readonly string[] {
    // Before the rows: a partition may be open again.
    const lines = this.#closed.map(closedLine);
    this.#closed = [];
    for (const held of this.#partitions.values()) {
      for (; held.logged < held.rows; held.logged++) {
        lines.push(
          rowLine(
            held.partition,
            held.cells.map((column) => column[held.logged] as Cell),
          ),
        );
      }
    }
    return lines;
  }

  markLogged(): void {
    for (const held of this.#partitions.values()) held.logged = held.rows;
  }

  /** Everything, by partition; nothing is left, and the log no longer counts. */
  takeAll(): readonly TakenRows[] {
    const taken = [...this.#partitions.values()];
    this.#partitions = new Map();
    this.#rows = 0;
    this.#bytes = 0;
    this.#closed = [];
    return taken;
  }

  /** The oldest partitions, so that `max` are left. */
  takeBeyond(max: number): readonly TakenRows[] {
    const taken: TakenRows[] = [];
    for (const held of this.#partitions.values()) {
      if (this.#partitions.size <= max) break;
      this.drop(held.partition);
      if (held.logged > 0) this.#closed.push(held.partition);
      taken.push(held);
    }
    return taken;
  }

  /** Forgets a partition. */
  drop(partition: string): void {
    const held = this.#partitions.get(partition);
    if (held === undefined) return;
    this.#partitions.delete(partition);
    this.#rows -= held.rows;
    this.#bytes -= held.bytes;
  }
}

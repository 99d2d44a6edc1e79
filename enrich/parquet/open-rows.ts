/**
 * The rows that a table sink holds in memory, by partition and column, until they become a file or are logged.
 */
import type { Cell } from '../../schemas/columns.ts';
import { rowLine } from './row-log.ts';

interface OpenPartition {
  readonly partition: string;
  readonly cells: Cell[][];
  rows: number;
  /** How many of them are in the row log. */
  logged: number;
}

/** What a cell that is no text counts for, in bytes. */
export const cellBytes = 8;

export class OpenRows {
  readonly #columns: number;
  #partitions = new Map<string, OpenPartition>();
  #rows = 0;
  #bytes = 0;

  constructor(columns: number) {
    this.#columns = columns;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Text counts by its characters. */
  get bytes(): number {
    return this.#bytes;
  }

  add(partition: string, row: readonly Cell[]): void {
    let held = this.#partitions.get(partition);
    if (held === undefined) {
      held = { partition, cells: Array.from({ length: this.#columns }, () => []), rows: 0, logged: 0 };
      this.#partitions.set(partition, held);
    }
    for (let column = 0; column < row.length; column++) {
      const cell = row[column] as Cell;
      held.cells[column]?.push(cell);
      this.#bytes += typeof cell === 'string' ? cell.length : cellBytes;
    }
    held.rows++;
    this.#rows++;
  }

  /** The rows that are not in the log yet, as its lines; they count as logged from here on. */
  takeUnlogged(): readonly string[] {
    const lines: string[] = [];
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

  /** Everything, by partition; nothing is left. */
  takeAll(): readonly { readonly partition: string; readonly cells: readonly (readonly Cell[])[]; readonly rows: number }[] {
    const taken = [...this.#partitions.values()];
    this.#partitions = new Map();
    this.#rows = 0;
    this.#bytes = 0;
    return taken;
  }
}

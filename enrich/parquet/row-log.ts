/**
 * The open rows of a table sink as JSON lines: first the columns, then one line a row, its
 * partition and its cells. A line with nothing but a partition says that its rows so far are in a
 * file. A checkpoint names the log and how many of its bytes count; whatever follows is cut off
 * when that checkpoint is restored. Pure.
 */
import type { Cell, Column } from '../../schemas/columns.ts';
import { bufferOf } from '../../schemas/kernel/buffer-of.ts';

export interface LoggedRow {
  readonly partition: string;
  /** None where the partition's rows so far are in a file. */
  readonly cells: readonly Cell[];
}

export interface LoggedRows {
  /** The columns that the rows had when they were written. */
  readonly columns: readonly Column[];
  /** In order. */
  readonly rows: readonly LoggedRow[];
}

/** The bytes to append at `offset`: at 0 the log is begun with its columns. */
export function logBytes(
  offset: number,
  columns: readonly Column[],
  lines: readonly string[],
): Uint8Array {
  const head = offset === 0 ? `${JSON.stringify(columns)}\n` : '';
  return Buffer.from(head + lines.map((line) => `${line}\n`).join(''));
}

export const rowLine = (partition: string, cells: readonly Cell[]): string =>
  JSON.stringify([partition, ...cells]);

export const closedLine = (partition: string): string => JSON.stringify([partition]);

export function parseRowLog(bytes: Uint8Array): LoggedRows {
  const [head = '[]', ...lines] = bufferOf(bytes).toString().trimEnd().split('\n');
  return {
    columns: JSON.parse(head) as Column[],
    rows: lines.map((line) => {
      const [partition, ...cells] = JSON.parse(line) as [string, ...Cell[]];
      return { partition, cells };
    }),
  };
}

/** Whether rows written under `a` can be read as rows of `b`: descriptions may differ. */
export function sameColumns(a: readonly Column[], b: readonly Column[]): boolean {
  return columnShape(a) === columnShape(b);
}

export function columnShape(columns: readonly Column[]): string {
  return JSON.stringify(columns.map(({ name, type, nullable }) => [name, type, nullable]));
}

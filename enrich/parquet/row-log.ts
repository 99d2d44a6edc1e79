/**
 * The open rows of a table sink as a file of JSON lines: first the columns, then one line a row, its partition and its cells.
 * A checkpoint names the file and how many of its bytes count; whatever follows is cut off when that checkpoint is restored.
 */
import { closeSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs';
import type { Cell, Column } from './columns.ts';

export interface LoggedRow {
  readonly partition: string;
  readonly cells: readonly Cell[];
}

export interface LoggedRows {
  /** The columns that the rows had when they were written. */
  readonly columns: readonly Column[];
  readonly rows: readonly LoggedRow[];
}

/** Writes at `offset` and fsyncs; returns the file's size after it. At 0 the file is begun with its columns, and its name is not durable yet. */
export function appendRowLog(path: string, offset: number, columns: readonly Column[], lines: readonly string[]): number {
  const head = offset === 0 ? `${JSON.stringify(columns)}\n` : '';
  const bytes = Buffer.from(head + lines.map((line) => `${line}\n`).join(''));
  const file = openSync(path, offset === 0 ? 'w' : 'r+');
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, offset + done);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return offset + bytes.length;
}

export const rowLine = (partition: string, cells: readonly Cell[]): string => JSON.stringify([partition, ...cells]);

/** Cuts the file to `bytes` and reads it. */
export function readRowLog(path: string, bytes: number): LoggedRows {
  truncateSync(path, bytes);
  const [head = '[]', ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n');
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
  const shape = (columns: readonly Column[]): string => JSON.stringify(columns.map(({ name, type, nullable }) => [name, type, nullable]));
  return shape(a) === shape(b);
}

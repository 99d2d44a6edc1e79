/**
 * Answers of `sluice query` and `sluice graph` for programs, and what a person is told about one
 * that was cut. Pure.
 */
import type { Answer } from '../../enrich/answer.ts';

/** An array of objects by column name. */
export function jsonRows({ columns, rows }: Answer): string {
  return JSON.stringify(
    rows.map((row) =>
      Object.fromEntries(row.map((value, index) => [columns[index]?.name ?? '', value])),
    ),
  );
}

/** Undefined when the answer is whole. */
export function cutNote({ rows, cut }: Answer, fix: string): string | undefined {
  if (cut === false) return undefined;
  const bound = cut === 'bytes' ? ', which is as many bytes as an answer may have' : '';
  return `there are more: these are the first ${rows.length} rows${bound}; ${fix}`;
}

/**
 * Which files of a table have rows.
 *
 * The threads that write tables load this, so it needs no schemas.
 */
import { basename, join, relative, sep } from 'node:path';
import { filesBelow } from '../../schemas/kernel/files-below.ts';
import { columnsName } from './table-columns.ts';

/**
 * The published files with rows of a table of a local lake, sorted. A link is none: it may lead out
 * of the lake.
 */
export function publishedFiles(lake: string, table: string): readonly string[] {
  return filesBelow(join(lake, table))
    .filter((path) => hasRowsName(basename(path)))
    .filter(
      (path) =>
        !relative(lake, path)
          .split(sep)
          .some((part) => part.startsWith('.')),
    )
    .sort();
}

export const hasRowsName = (name: string): boolean =>
  name.endsWith('.parquet') && name !== columnsName;

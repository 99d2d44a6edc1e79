/**
 * DuckDB, pyarrow, polars and Spark, each reading tables as topology/README.md says
 * (read-tables.py). They are installed by pip, at exact versions, and kept for the next run.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pythonPackages } from '../../servers/cache.ts';

/** By table and reader. */
export type FoundTables = Readonly<
  Record<
    string,
    Readonly<
      Record<
        string,
        {
          /** Text where it could not be read: why. */
          readonly rows: readonly Readonly<Record<string, unknown>>[] | string;
          readonly columns: readonly string[];
        }
      >
    >
  >
>;

export const readers = ['duckdb', 'pyarrow', 'polars', 'spark'] as const;

const packages = ['duckdb==2.0.1', 'pyarrow==26.0.1', 'polars==2.1.0', 'pyspark==4.3.0'] as const;
const script = fileURLToPath(
  new URL('../../../../test/enrich/lake/read-tables.py', import.meta.url),
);
const answerMaxBytes = 1 << 26;

/** Reads tables of the lake in the folder `lake`. */
export async function readTables(lake: string, ...tables: readonly string[]): Promise<FoundTables> {
  const python = join(await pythonPackages(...packages), 'python');
  const { stdout } = await promisify(execFile)(python, [script, lake, ...tables], {
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
    maxBuffer: answerMaxBytes,
  });
  return JSON.parse(stdout) as FoundTables;
}

export function foundRows(
  found: FoundTables,
  table: string,
  reader: string,
): readonly Readonly<Record<string, unknown>>[] {
  const rows = found[table]?.[reader]?.rows;
  if (!Array.isArray(rows)) throw new Error(`${reader}: ${JSON.stringify(rows)}`);
  return rows as readonly Readonly<Record<string, unknown>>[];
}

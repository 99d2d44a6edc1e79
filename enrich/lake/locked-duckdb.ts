/**
 * An in-memory DuckDB that can open a list of files and nothing else,
 * https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview.
 *
 * Invariants:
 * 1. It cannot open files, folders or network addresses outside the list, load or fetch extensions,
 *    or spill to disk.
 * 2. Its settings are locked.
 * 3. COPY could write a file of the list, so callers must run nothing but questions.
 */
import type { DuckDBConnection } from '@duckdb/node-api';
import { assert } from '../../schemas/kernel/assert.ts';
import { mebi } from '../../schemas/kernel/bytes.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';

/** DuckDB's own bound: most statements that need more end with its words. */
const queryMemoryBytes = 768 * mebi;
assert(
  queryMemoryBytes < limits.questionMemoryMaxBytes,
  'DuckDB meets its own bound before its process does',
);

export interface LockedDuckDb {
  readonly connection: DuckDBConnection;
  readonly close: () => void;
}

const settings: Readonly<Record<string, string>> = {
  TimeZone: 'UTC',
  threads: '2',
  memory_limit: `${queryMemoryBytes}B`,
  temp_directory: '',
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  allow_community_extensions: 'false',
  allow_persistent_secrets: 'false',
};

/** Throws `SluiceError` `duckdb-missing`. */
export async function lockedDuckDb(files: readonly string[]): Promise<LockedDuckDb> {
  const { DuckDBInstance } = await import('@duckdb/node-api').catch((cause: unknown) => {
    throw new SluiceError('duckdb-missing', 'DuckDB cannot be loaded on this machine', {
      cause,
      fix: 'run `npm ci` again with optional dependencies, or read the Parquet files with another tool',
    });
  });
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    for (const [name, value] of Object.entries(settings))
      await connection.run(`SET ${name} = ${sqlText(value)}`);
    // The pattern is looked at as well when a file is named by one.
    const allowed = new Set(files.flatMap((file) => [file, patternOf(file)]));
    await connection.run(`SET allowed_paths = [${[...allowed].map(sqlText).join(', ')}]`);
    await connection.run('SET enable_external_access = false');
    await connection.run('SET lock_configuration = true');
    return { connection, close: () => instance.closeSync() };
  } catch (thrown) {
    instance.closeSync();
    throw thrown;
  }
}

export const sqlText = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Names one file, whose path may have characters that mean something in a pattern. */
export const patternOf = (file: string): string => file.replaceAll(/[*?[]/g, '[$&]');

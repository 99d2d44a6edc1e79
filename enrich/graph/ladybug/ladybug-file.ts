/**
 * Opening a file of the embedded graph database, https://ladybugdb.com. Its native part is loaded
 * here, and not before.
 */
import type { Connection, Database } from '@ladybugdb/core';
import { assert } from '../../../schemas/kernel/assert.ts';
import { mebi } from '../../../schemas/kernel/bytes.ts';
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';
import { limits } from '../../../schemas/limits.ts';

/** The page cache of the embedded graph. */
const graphBufferBytes = 256 * mebi;
assert(
  graphBufferBytes + limits.questionHeapMaxBytes < limits.questionMemoryMaxBytes,
  'a question to the graph has room for its pages and answer',
);

export interface LadybugFile {
  connect(): Connection;
  close(): Promise<void>;
}

export interface LadybugFileOptions {
  /** The file; it is made when it is not there, unless `readOnly`. */
  readonly path: string;
  readonly readOnly: boolean;
  /** The address space it reserves: a power of two that the file fits. */
  readonly addressBytes: number;
}

/** Threads of one statement: the process has other work. */
const statementThreads = 1;

/** Throws `SluiceError` `graph-native-missing`, `graph-in-use`, `graph-open-failed`. */
export async function openLadybugFile({
  path,
  readOnly,
  addressBytes,
}: LadybugFileOptions): Promise<LadybugFile> {
  const ladybug = await import('@ladybugdb/core').catch((cause: unknown) => {
    throw new SluiceError(
      'graph-native-missing',
      'the embedded graph database cannot be loaded on this machine',
      {
        cause,
        fix: 'run `npm ci` again with optional dependencies and install scripts allowed; without a graph sink everything else runs',
      },
    );
  });
  const database: Database = new ladybug.Database(
    path,
    graphBufferBytes,
    true,
    readOnly,
    addressBytes,
  );
  await database.init().catch((cause: unknown) => {
    const locked = messageOf(cause).includes('lock');
    throw new SluiceError(
      locked ? 'graph-in-use' : 'graph-open-failed',
      `${path} cannot be opened: ${firstLine(cause)}`,
      {
        cause,
        fix: locked
          ? 'another process has it open: stop that process'
          : 'restore it from a backup, or start over with `sluice reset`',
      },
    );
  });
  return {
    connect: () => new ladybug.Connection(database, statementThreads),
    close: () => database.close(),
  };
}

export const firstLine = (thrown: unknown): string => messageOf(thrown).split('\n')[0] ?? '';

/**
 * The embedded graph database as its one owner writes it: one file, one process. Questions go to
 * copies of it (`ask-ladybug.ts`).
 *
 * Invariants:
 * 1. One write transaction at a time, durable when it resolves: the database syncs its log.
 * 2. A transaction has a connection of its own: a failed one leaves nothing behind, and statements,
 *    which a connection keeps until it is closed, do not pile up. What updates keep in memory goes
 *    with a checkpoint every `graphCheckpointTransactions`.
 * 3. A copy is the file at a checkpoint: no transaction runs while it is made, and the file alone
 *    holds everything that was committed.
 */
import { constants } from 'node:fs';
import { copyFile, rm, stat } from 'node:fs/promises';
import type { Connection, LbugValue, QueryResult } from '@ladybugdb/core';
import { mebi } from '../../../schemas/kernel/bytes.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Row } from '../cypher.ts';
import type { CypherSession, RunStatement } from '../graph-database.ts';
import { serial } from '../serial.ts';
import { ladybugDialect } from './ladybug-dialect.ts';
import type { LadybugFile } from './ladybug-file.ts';
import { firstLine, openLadybugFile } from './ladybug-file.ts';

/**
 * The address space that the embedded graph reserves, of which each of its checkpoints takes some
 * MiB until it is closed.
 */
const graphAddressMaxBytes = 1_024 * 1_024 * mebi;
/**
 * Transactions between two checkpoints of the embedded graph: until then each one leaves some 8
 * KiB in memory for a column it updates.
 */
export const graphCheckpointTransactions = 256;

export interface LadybugDatabase {
  readonly session: CypherSession;
  /**
   * Writes what is committed to a file that does not exist yet. Throws `SluiceError`
   * `graph-copy-failed`.
   */
  copyTo(path: string): Promise<void>;
  close(): Promise<void>;
}

/** Throws `SluiceError` `graph-native-missing`, `graph-in-use`, `graph-open-failed`. */
export async function openLadybug(path: string): Promise<LadybugDatabase> {
  const addressBytes = graphAddressMaxBytes;
  return new OwnedLadybug(path, await openLadybugFile({ path, readOnly: false, addressBytes }));
}

class OwnedLadybug implements LadybugDatabase {
  readonly session: CypherSession;
  readonly #path: string;
  readonly #file: LadybugFile;
  readonly #writes = serial();
  #sinceCheckpoint = 0;

  constructor(path: string, file: LadybugFile) {
    this.#path = path;
    this.#file = file;
    this.session = {
      dialect: ladybugDialect,
      define: (statement) => this.#write(async (run) => void (await run(statement, []))),
      transaction: (work) => this.#write((run) => inTransaction(run, work)),
    };
  }

  copyTo(to: string): Promise<void> {
    return this.#writes(async () => {
      try {
        await this.#checkpoint();
        await requireEmpty(`${this.#path}.wal`);
        await copyFile(this.#path, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      } catch (cause) {
        await rm(to, { force: true });
        throw new SluiceError(
          'graph-copy-failed',
          `the graph cannot be copied to answer questions: ${firstLine(cause)}`,
          { cause, retryable: true },
        );
      }
    });
  }

  close(): Promise<void> {
    return this.#writes(() => this.#file.close());
  }

  #write<T>(work: (run: RunStatement) => Promise<T>): Promise<T> {
    return this.#writes(async () => {
      try {
        const result = await this.#connected(work);
        // One that fails is tried again after the next transaction.
        if (++this.#sinceCheckpoint >= graphCheckpointTransactions)
          await this.#checkpoint().catch(() => undefined);
        return result;
      } catch (cause) {
        if (cause instanceof SluiceError) throw cause;
        throw new SluiceError(
          'graph-write-failed',
          `the graph database fails: ${firstLine(cause)}`,
          { cause, retryable: true },
        );
      }
    });
  }

  async #checkpoint(): Promise<void> {
    await this.#connected((run) => run('CHECKPOINT', []));
    this.#sinceCheckpoint = 0;
  }

  async #connected<T>(work: (run: RunStatement) => Promise<T>): Promise<T> {
    const connection = this.#file.connect();
    try {
      return await work(runOn(connection));
    } finally {
      await connection.close();
    }
  }
}

async function inTransaction<T>(
  run: RunStatement,
  work: (run: RunStatement) => Promise<T>,
): Promise<T> {
  await run('BEGIN TRANSACTION', []);
  try {
    const result = await work(run);
    await run('COMMIT', []);
    return result;
  } catch (thrown) {
    // After some failures there is no transaction any more.
    await run('ROLLBACK', []).catch(() => undefined);
    throw thrown;
  }
}

async function requireEmpty(log: string): Promise<void> {
  const found = await stat(log).catch(() => undefined);
  if (found !== undefined && found.size > 0)
    throw new Error('its log is not empty after a checkpoint');
}

function runOn(connection: Connection): RunStatement {
  return async (text, rows) => {
    const result = await execute(connection, text, rows);
    try {
      return await result.getAll();
    } finally {
      result.close();
    }
  };
}

/** One statement; several in one text are refused by the database. */
async function execute(
  connection: Connection,
  text: string,
  rows?: readonly Row[],
): Promise<QueryResult> {
  const statement = await connection.prepare(text);
  if (!statement.isSuccess()) throw new Error(statement.getErrorMessage());
  const parameters =
    rows === undefined || rows.length === 0 ? {} : { rows: rows as unknown as LbugValue };
  const result = await connection.execute(statement, parameters);
  return Array.isArray(result) ? (result.at(-1) as QueryResult) : result;
}

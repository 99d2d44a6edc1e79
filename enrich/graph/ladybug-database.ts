/**
 * The embedded graph database, https://ladybugdb.com: one file, one owner. Its native part is loaded when a database is opened.
 *
 * Invariants:
 * 1. One write transaction at a time, durable when it resolves: the database syncs its log.
 * 2. Questions run beside them, one at a time, and end after `graphQueryMaxMs`; they see what was committed when they began.
 * 3. A transaction or question has a connection of its own: a failed one leaves nothing behind, and statements, which a connection keeps until
 *    it is closed, do not pile up. What updates keep in memory goes with a checkpoint every `graphCheckpointTransactions`.
 * 4. An answer is bounded in rows and bytes, and says when it was cut.
 */
import type { Connection, Database, LbugValue, QueryResult } from '@ladybugdb/core';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { Row } from './cypher.ts';
import type { CypherSession, RunStatement } from './graph-database.ts';
import { jsonValue } from './graph-value.ts';
import { readRefusal } from './read-statement.ts';
import { serial } from './serial.ts';

export interface GraphAnswer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** JSON-safe values. */
  readonly rows: readonly (readonly unknown[])[];
  /** Whether there were more rows. */
  readonly cut: boolean;
}

export interface LadybugDatabase {
  readonly session: CypherSession;
  /** Throws `SluiceError` `query-failed`. */
  query(statement: string): Promise<GraphAnswer>;
  close(): Promise<void>;
}

export interface LadybugOptions {
  /** The file; it is made when it is not there, unless `readOnly`. */
  readonly path: string;
  readonly readOnly: boolean;
}

/** Threads of one statement: the process has other work. */
const threads = 1;
/** A question that is let go of. */
const interrupted = /^Interrupted/;
const readOnlyRefusal = /read-only database/;
const onlyAsked = 'the graph is only asked here; topologies write it';

/** Throws `SluiceError` `graph-native-missing`, `graph-in-use`, `graph-open-failed`. */
export async function openLadybug({ path, readOnly }: LadybugOptions): Promise<LadybugDatabase> {
  const ladybug = await import('@ladybugdb/core').catch((cause: unknown) => {
    throw new SluiceError('graph-native-missing', 'the embedded graph database cannot be loaded on this machine', {
      cause,
      fix: 'run `npm ci` again with optional dependencies and install scripts allowed; without a graph sink everything else runs',
    });
  });
  const database: Database = new ladybug.Database(path, limits.graphBufferBytes, true, readOnly, limits.graphAddressMaxBytes);
  await database.init().catch((cause: unknown) => {
    const locked = messageOf(cause).includes('lock');
    throw new SluiceError(locked ? 'graph-in-use' : 'graph-open-failed', `${path} cannot be opened: ${firstLine(cause)}`, {
      cause,
      fix: locked ? 'another process has it open: stop that one' : 'put it back from a copy, or start anew with `sluice reset`',
    });
  });
  const writes = serial();
  const questions = serial();
  let sinceCheckpoint = 0;

  const connected = async <T>(work: (connection: Connection) => Promise<T>): Promise<T> => {
    const connection = new ladybug.Connection(database, threads);
    try {
      return await work(connection);
    } finally {
      await connection.close();
    }
  };

  const write = <T>(work: (run: RunStatement) => Promise<T>): Promise<T> =>
    writes(async () => {
      try {
        const result = await connected((connection) => work(runOn(connection)));
        if (++sinceCheckpoint >= limits.graphCheckpointTransactions && !readOnly) await checkpoint();
        return result;
      } catch (cause) {
        if (cause instanceof SluiceError) throw cause;
        throw new SluiceError('graph-write-failed', `the graph database fails: ${firstLine(cause)}`, { cause, retryable: true });
      }
    });

  /** It waits for questions to end, and gives up when one takes long; then it is tried again after the next transaction. */
  const checkpoint = async (): Promise<void> => {
    await connected((connection) => runOn(connection)('CHECKPOINT', [])).then(
      () => {
        sinceCheckpoint = 0;
      },
      () => undefined,
    );
  };

  return {
    session: {
      dialect: 'ladybug',
      define: (statement) => write(async (run) => void (await run(statement, []))),
      transaction: (work) =>
        write(async (run) => {
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
        }),
    },
    query: (statement) =>
      questions(() =>
        connected((connection) => {
          connection.setQueryTimeout(limits.graphQueryMaxMs);
          return ask(connection, statement);
        }),
      ),
    async close() {
      await questions(() => Promise.resolve());
      await writes(() => database.close());
    },
  };
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
async function execute(connection: Connection, text: string, rows?: readonly Row[], reads = false): Promise<QueryResult> {
  const statement = await connection.prepare(text);
  if (!statement.isSuccess()) throw new Error(statement.getErrorMessage());
  if (reads && !statement.isReadOnly()) throw new Error(onlyAsked);
  const parameters = rows === undefined || rows.length === 0 ? {} : { rows: rows as unknown as LbugValue };
  const result = await connection.execute(statement, parameters);
  return Array.isArray(result) ? (result.at(-1) as QueryResult) : result;
}

async function ask(connection: Connection, statement: string): Promise<GraphAnswer> {
  const refusal = readRefusal(statement);
  if (refusal !== undefined) throw queryFailed(refusal, undefined);
  const result = await execute(connection, statement, undefined, true).catch((cause: unknown) => {
    if (interrupted.test(messageOf(cause))) throw queryFailed(`the statement took more than ${limits.graphQueryMaxMs / 1_000} s`, cause);
    throw queryFailed(readOnlyRefusal.test(messageOf(cause)) ? onlyAsked : firstLine(cause), cause);
  });
  try {
    const names = await result.getColumnNames();
    const types = await result.getColumnDataTypes();
    const twice = names.find((name, index) => names.indexOf(name) !== index);
    if (twice !== undefined) throw queryFailed(`two columns are called '${twice}'; name one of them with AS`, undefined);
    const rows: unknown[][] = [];
    let bytes = 0;
    while (rows.length < limits.graphQueryMaxRows && bytes < limits.graphQueryMaxBytes && result.hasNext()) {
      const found = await result.getNext();
      const row = names.map((name) => jsonValue(found?.[name]));
      bytes += JSON.stringify(row).length;
      rows.push(row);
    }
    return { columns: names.map((name, index) => ({ name, type: types[index] ?? '' })), rows, cut: result.hasNext() };
  } finally {
    result.close();
  }
}

function queryFailed(message: string, cause: unknown): SluiceError {
  return new SluiceError('query-failed', message, {
    cause,
    fix: 'CALL SHOW_TABLES() RETURN * tells which labels and edge types there are',
  });
}

const firstLine = (thrown: unknown): string => messageOf(thrown).split('\n')[0] ?? '';

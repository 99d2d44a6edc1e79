/**
 * A question in Cypher to a file of the embedded graph, which is opened to be read. For a process
 * of its own: what a statement may take in time and memory, whoever runs the process has to bound,
 * and the database can end it (version 0.19.1 crashes on some statements).
 *
 * Invariant: the database sees only what `readStatement` lets pass, and runs only what it holds to
 * be reading as well.
 */
import { statSync } from 'node:fs';
import type { Connection, QueryResult } from '@ladybugdb/core';
import { assert } from '../../../schemas/kernel/assert.ts';
import { mebi } from '../../../schemas/kernel/bytes.ts';
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';
import { limits } from '../../../schemas/limits.ts';
import type { Answer } from '../../answer.ts';
import { collectRows } from '../../answer.ts';
import { jsonValue } from './graph-value.ts';
import { firstLine, openLadybugFile } from './ladybug-file.ts';
import { readStatement } from './read-statement.ts';

/** Answers of `sluice graph`: rows, and their bytes as JSON. */
export const graphQueryMaxRows = 1_000;
const graphQueryMaxBytes = 8 * mebi;
assert(graphQueryMaxBytes < limits.questionOutputMaxBytes, 'an answer is told whole');

const readOnlyRefusal = /read-only database/;
const onlyAsked = 'only statements that read are allowed here; topologies write the graph';
/** The database's least. */
const addressMinBytes = 8 * mebi;

/** What a file is given to be read: a power of two that holds it. */
export function readingAddressBytes(path: string): number {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return 2 ** Math.ceil(Math.log2(Math.max(addressMinBytes, 2 * bytes)));
}

/** Throws `SluiceError` `query-failed` with what the database says, and what opening throws. */
export async function askLadybug(path: string, statement: string): Promise<Answer> {
  const { text } = requireQuestion(statement);
  const file = await openLadybugFile({
    path,
    readOnly: true,
    addressBytes: readingAddressBytes(path),
  });
  try {
    return await answerOf(await execute(file.connect(), text));
  } finally {
    await file.close();
  }
}

async function answerOf(result: QueryResult): Promise<Answer> {
  const names = await result.getColumnNames();
  const types = await result.getColumnDataTypes();
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw queryFailed(`two columns are called '${twice}'; name one of them with AS`);
  const bounds = { maxRows: graphQueryMaxRows, maxBytes: graphQueryMaxBytes };
  const columns = names.map((name, index) => ({ name, type: types[index] ?? '' }));
  return { columns, ...(await collectRows(rowsOf(result, names), bounds)) };
}

/** Throws `SluiceError` `query-failed` where the statement does more than ask. */
export function requireQuestion(statement: string): { readonly text: string } {
  if (Buffer.byteLength(statement) > limits.questionTextMaxBytes)
    throw queryFailed(
      `a statement has at most ${limits.questionTextMaxBytes.toLocaleString('en')} bytes`,
    );
  const read = readStatement(statement);
  if (read.kind === 'refused') throw queryFailed(read.reason);
  return read;
}

async function execute(connection: Connection, text: string): Promise<QueryResult> {
  try {
    const statement = await connection.prepare(text);
    if (!statement.isSuccess()) throw new Error(statement.getErrorMessage());
    if (!statement.isReadOnly()) throw new Error(onlyAsked);
    const result = await connection.execute(statement, {});
    return Array.isArray(result) ? (result.at(-1) as QueryResult) : result;
  } catch (cause) {
    throw queryFailed(readOnlyRefusal.test(messageOf(cause)) ? onlyAsked : firstLine(cause), cause);
  }
}

async function* rowsOf(
  result: QueryResult,
  names: readonly string[],
): AsyncGenerator<readonly unknown[]> {
  while (result.hasNext()) {
    const found = await result.getNext();
    yield names.map((name) => jsonValue(found?.[name]));
  }
}

function queryFailed(message: string, cause?: unknown): SluiceError {
  return new SluiceError('query-failed', message, {
    cause,
    fix: 'CALL SHOW_TABLES() RETURN * lists the labels and edge types',
  });
}

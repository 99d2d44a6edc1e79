/**
 * A look-up's table from a file: a JSON array, or NDJSON (`.ndjson`, `.jsonl`), each also gzipped
 * (`.gz`). Read whole; the engine checks the rows against their schema.
 */
import { readFileSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { mebi } from '../../schemas/kernel/bytes.ts';
import type { SluiceErrorOptions } from '../../schemas/kernel/errors.ts';
import { messageOf, SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';

/** Rows of one table, and their bytes. */
export const lookupTableMaxRows = 1_000_000;
export const lookupTableMaxBytes = 256 * mebi;

/** Throws `SluiceError` `lookup-table-missing`, `lookup-table-invalid`. */
export function readFileTable(path: string): readonly unknown[] {
  const rows = /\.(ndjson|jsonl)(\.gz)?$/.test(path)
    ? parseLines(path, textOf(path))
    : parseArray(path, textOf(path));
  if (rows.length <= lookupTableMaxRows) return rows;
  throw invalid(
    path,
    `it has ${rows.length} rows; at most ${lookupTableMaxRows} are held in memory`,
    { details: { rows: rows.length, maxRows: lookupTableMaxRows } },
  );
}

function textOf(path: string): string {
  let bytes: Uint8Array;
  try {
    if (statSync(path).size > lookupTableMaxBytes) throw tooLarge(path);
    bytes = readFileSync(path);
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    const why = systemCodeOf(cause) === 'ENOENT' ? 'there is no such file' : messageOf(cause);
    throw new SluiceError('lookup-table-missing', `${path}: ${why}`, {
      cause,
      fix: 'write the path relative to the file of the topology',
    });
  }
  try {
    const plain = path.endsWith('.gz')
      ? gunzipSync(bytes, { maxOutputLength: lookupTableMaxBytes })
      : bytes;
    return new TextDecoder('utf-8', { fatal: true }).decode(plain);
  } catch (cause) {
    throw systemCodeOf(cause) === 'ERR_BUFFER_TOO_LARGE'
      ? tooLarge(path)
      : invalid(path, messageOf(cause), { cause });
  }
}

function tooLarge(path: string): SluiceError {
  return invalid(
    path,
    `it is larger than ${lookupTableMaxBytes} bytes, the most that is held in memory`,
    { details: { maxBytes: lookupTableMaxBytes } },
  );
}

function parseArray(path: string, text: string): readonly unknown[] {
  const value = parse(path, text);
  if (Array.isArray(value)) return value as unknown[];
  throw invalid(
    path,
    'a table is a JSON array of rows, or one row a line in a file that ends with .ndjson',
  );
}

function parseLines(path: string, text: string): readonly unknown[] {
  return text
    .split('\n')
    .map((text, index) => ({ text, line: index + 1 }))
    .filter(({ text }) => text.trim() !== '')
    .map(({ text, line }) => parse(path, text, line));
}

function parse(path: string, text: string, line?: number): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const at = line === undefined ? path : `${path}, line ${line}`;
    throw invalid(at, messageOf(cause), { cause, details: { line } });
  }
}

function invalid(at: string, why: string, options: SluiceErrorOptions = {}): SluiceError {
  return new SluiceError('lookup-table-invalid', `${at}: ${why}`, options);
}

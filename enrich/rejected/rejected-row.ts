/**
 * One row of the rejected table: made of the refusals of one identity, and to and from Parquet.
 */
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import type { Cell } from '../../schemas/columns.ts';
import { columnsOf, storedColumns } from '../../schemas/columns.ts';
import { folderValue } from '../../schemas/partition.ts';
import type { RejectedEvent } from '../../schemas/rejection.ts';
import { rejectionIdentityOf } from '../../schemas/rejection.ts';
import { encodeParquet } from '../parquet/encode.ts';
import { rejectedSchema } from './rejected-schema.ts';
import { rejectedPartitionBy } from './storable.ts';

/** Times are RFC 3339 text in UTC with milliseconds while in memory. */
export interface RejectedRow extends RejectedEvent {
  readonly seen: number;
  readonly first_seen: string;
  readonly last_seen: string;
}

/** Refusals of one identity that are not in a file yet. */
export interface PendingRejection {
  /** The first of them. */
  readonly event: RejectedEvent;
  readonly seen: number;
  readonly lastSeen: string;
}

const columns = columnsOf(rejectedSchema);
/** Team and app are in the path alone, as in every table. */
const stored = storedColumns(rejectedSchema, rejectedPartitionBy);
const identityColumns = ['team', 'app', 'source', 'id', 'element', 'topology', 'operator', 'code'];
/** What a row takes beside its text. */
const rowHeadBytes = 64;

export function addRejection(
  before: PendingRejection | undefined,
  event: RejectedEvent,
): PendingRejection {
  if (before === undefined) return { event, seen: 1, lastSeen: event.receivedtime };
  return {
    event: before.event,
    seen: before.seen + 1,
    lastSeen: later(before.lastSeen, event.receivedtime),
  };
}

export function mergedRow(
  before: RejectedRow | undefined,
  { event, seen, lastSeen }: PendingRejection,
): RejectedRow {
  if (before === undefined)
    return { ...event, seen, first_seen: event.receivedtime, last_seen: lastSeen };
  return { ...before, seen: before.seen + seen, last_seen: later(before.last_seen, lastSeen) };
}

function later(a: string, b: string): string {
  return Date.parse(b) > Date.parse(a) ? b : a;
}

/** About what an event takes in memory and in a file before compression. */
export function rejectionBytes(event: RejectedEvent): number {
  let bytes = rowHeadBytes;
  for (const name in event) {
    const value = event[name as keyof RejectedEvent];
    if (typeof value === 'string') bytes += value.length;
  }
  return bytes;
}

export function encodeRows(rows: readonly RejectedRow[]): Uint8Array {
  const cells = stored.map(({ name, type }) =>
    rows.map((row): Cell => {
      const value = row[name as keyof RejectedRow];
      return type === 'TIMESTAMP' ? Date.parse(value as string) : value;
    }),
  );
  return encodeParquet(stored, cells);
}

/** By identity. `path`: of the file, whose folders say its team and app. */
export async function decodeRows(
  bytes: Uint8Array,
  path: string,
): Promise<Map<string, RejectedRow>> {
  const records = await parquetReadObjects({ file: arrayBufferOf(bytes) });
  const folders = foldersOf(path);
  return new Map(
    records
      .map((record) => rowOf({ ...folders, ...record }))
      .map((row) => [rejectionIdentityOf(row), row]),
  );
}

/** The identities in a file, in its order. */
export async function decodeIdentities(
  bytes: Uint8Array,
  path: string,
): Promise<readonly string[]> {
  const file = arrayBufferOf(bytes);
  const metadata = parquetMetadata(file);
  // Files of older versions have no `element`, but `team` and `app`.
  const names = new Set(metadata.schema.map(({ name }) => name));
  const records = await parquetReadObjects({
    file,
    metadata,
    columns: identityColumns.filter((name) => names.has(name)),
  });
  const folders = foldersOf(path);
  return records.map((record) =>
    rejectionIdentityOf({ ...folders, ...record } as unknown as RejectedEvent),
  );
}

function foldersOf(path: string): Readonly<Record<string, string | undefined>> {
  return { team: folderValue(path, 'team'), app: folderValue(path, 'app') };
}

function rowOf(record: Readonly<Record<string, unknown>>): RejectedRow {
  const row: Record<string, unknown> = {};
  for (const { name, type } of columns) {
    const value = record[name];
    if (value instanceof Date) row[name] = value.toISOString();
    else row[name] = type === 'INT64' ? Number(value) : (value ?? null);
  }
  return row as unknown as RejectedRow;
}

function arrayBufferOf(bytes: Uint8Array): ArrayBuffer {
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}

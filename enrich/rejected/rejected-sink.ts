/**
 * The `rejected` table: one row for each rejection identity, with `seen`, however often the event is sent.
 *
 * Each partition (hour of the first receivedtime, team, app) of a topology is one file with the complete rows, replaced by a rename when a
 * checkpoint commits: a reader always finds each identity once.
 *
 * Invariants:
 * 1. What is staged for a checkpoint is absolute (rows with their counts, not increments), so publishing it twice changes nothing.
 * 2. The index says in which partition an identity lies; it is rebuilt from the published files, and bounded: the identities let go first
 *    are the oldest, and one that comes again after that gets a new row.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { RejectedEvent } from '../../schemas/rejection.ts';
import { rejectionIdentityOf } from '../../schemas/rejection.ts';
import type { Sink } from '../../topology/index.ts';
import { syncDirectory, writeDurable } from '../durable-file.ts';
import { describeTable } from '../lake/table-file.ts';
import type { Cell } from '../parquet/columns.ts';
import { columnsOf } from '../parquet/columns.ts';
import { encodeParquet } from '../parquet/encode.ts';
import { partitioner } from '../parquet/partition.ts';
import { rejectedSchema } from './rejected-schema.ts';

export interface RejectedSinkOptions {
  readonly dir: string;
  readonly topology: string;
  readonly attempt: number;
  readonly clock: Clock;
}

/** A row as it is stored; times as RFC 3339 text while in memory. */
interface RejectedRow extends RejectedEvent {
  readonly seen: number;
  readonly first_seen: string;
  readonly last_seen: string;
}

interface StagedPartition {
  readonly staged: string;
  readonly target: string;
}

interface RejectedState {
  readonly staged: readonly StagedPartition[];
}

interface PendingRejection {
  readonly event: RejectedEvent;
  readonly seen: number;
  readonly lastSeen: string;
}

const table = 'rejected';
const partitionBy = ['date', 'hour', 'team', 'app'] as const;
const columns = columnsOf(rejectedSchema);
const dayMs = 86_400_000;

export function rejectedSink(options: RejectedSinkOptions): Sink {
  const { dir, topology } = options;
  const folder = join('.staging', table, topology);
  const fileName = `${topology}.parquet`;
  const folderOf = partitioner(partitionBy);
  const index = new Map<string, string>();
  let pending = new Map<string, PendingRejection>();
  let pendingEvents = 0;
  let staged: readonly StagedPartition[] = [];
  let stagedEvents = 0;

  const remember = (identity: string, partition: string): void => {
    index.delete(identity);
    index.set(identity, partition);
    if (index.size <= limits.rejectedIndexMax) return;
    const oldest = index.keys().next();
    if (oldest.done !== true) index.delete(oldest.value);
  };

  const readPartition = async (partition: string): Promise<Map<string, RejectedRow>> => {
    const path = join(dir, table, partition, fileName);
    if (!existsSync(path)) return new Map();
    const bytes = readFileSync(path);
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
    const rows = (await parquetReadObjects({ file })).map(storedRow);
    return new Map(rows.map((row) => [rejectionIdentityOf(row), row]));
  };

  const publish = (files: readonly StagedPartition[]): void => {
    for (const { staged: from, target } of files) {
      const to = join(dir, target);
      if (!existsSync(join(dir, from))) continue;
      mkdirSync(dirname(to), { recursive: true });
      renameSync(join(dir, from), to);
      syncDirectory(dirname(to));
    }
  };

  const rebuildIndex = async (): Promise<void> => {
    index.clear();
    const root = join(dir, table);
    const oldestDate = new Date(options.clock.now() - limits.rejectedRetentionMs - dayMs).toISOString().slice(0, 10);
    const partitions = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith(`/${fileName}`) && path.slice('date='.length, 'date='.length + 10) >= oldestDate)
      .map((path) => dirname(path))
      .sort();
    for (const partition of partitions) for (const identity of (await readPartition(partition)).keys()) remember(identity, partition);
  };

  const stage = async (checkpoint: number): Promise<readonly StagedPartition[]> => {
    const byPartition = new Map<string, Map<string, PendingRejection>>();
    for (const [identity, rejection] of pending) {
      const partition =
        index.get(identity) ?? folderOf(Date.parse(rejection.event.receivedtime), rejection.event.team, rejection.event.app);
      const of = byPartition.get(partition) ?? new Map<string, PendingRejection>();
      of.set(identity, rejection);
      byPartition.set(partition, of);
      remember(identity, partition);
    }
    const files: StagedPartition[] = [];
    for (const [partition, rejections] of byPartition) {
      const rows = await readPartition(partition);
      for (const [identity, rejection] of rejections) rows.set(identity, mergedRow(rows.get(identity), rejection));
      const file = join(folder, `${checkpoint}-${options.attempt}-${files.length}.parquet`);
      writeDurable(join(dir, file), encodeRows([...rows.values()]));
      files.push({ staged: file, target: join(table, partition, fileName) });
    }
    if (files.length > 0) syncDirectory(join(dir, folder));
    return files;
  };

  return {
    async open(restored) {
      mkdirSync(join(dir, folder), { recursive: true });
      describeTable(dir, { table, schema: rejectedSchema, partitionBy });
      publish((restored as RejectedState | undefined)?.staged ?? []);
      for (const name of readdirSync(join(dir, folder))) rmSync(join(dir, folder, name));
      await rebuildIndex();
    },
    write(batch) {
      for (let i = 0; i < batch.length; i++) {
        const event = batch.values[i] as RejectedEvent;
        const identity = rejectionIdentityOf(event);
        const before = pending.get(identity);
        pending.set(identity, {
          event: before?.event ?? event,
          seen: (before?.seen ?? 0) + 1,
          lastSeen: later(before?.lastSeen, event.receivedtime),
        });
        pendingEvents++;
      }
      return Promise.resolve([]);
    },
    async prepare(checkpoint): Promise<RejectedState> {
      try {
        staged = await stage(checkpoint);
      } catch (cause) {
        const code = systemCodeOf(cause) === 'ENOSPC' ? 'disk-full' : 'lake-write-failed';
        throw new SluiceError(code, `table '${table}': ${messageOf(cause)}`, { cause, retryable: true });
      }
      stagedEvents = pendingEvents;
      pending = new Map();
      pendingEvents = 0;
      return { staged };
    },
    commit() {
      publish(staged);
      staged = [];
      stagedEvents = 0;
      return Promise.resolve();
    },
    pendingRows: () => pendingEvents + stagedEvents,
    close: () => Promise.resolve(),
  };
}

function later(a: string | undefined, b: string): string {
  return a === undefined || Date.parse(b) > Date.parse(a) ? b : a;
}

function mergedRow(before: RejectedRow | undefined, { event, seen, lastSeen }: PendingRejection): RejectedRow {
  if (before === undefined) return { ...event, seen, first_seen: event.receivedtime, last_seen: lastSeen };
  return { ...before, seen: before.seen + seen, last_seen: later(before.last_seen, lastSeen) };
}

function storedRow(record: Readonly<Record<string, unknown>>): RejectedRow {
  const row: Record<string, unknown> = {};
  for (const { name, type } of columns) {
    const value = record[name];
    if (value instanceof Date) row[name] = value.toISOString();
    else row[name] = type === 'INT64' ? Number(value) : (value ?? null);
  }
  return row as unknown as RejectedRow;
}

function encodeRows(rows: readonly RejectedRow[]): Uint8Array {
  const cells = columns.map(({ name, type }) =>
    rows.map((row): Cell => {
      const value = row[name as keyof RejectedRow];
      return type === 'TIMESTAMP' ? Date.parse(value as string) : value;
    }),
  );
  return encodeParquet(columns, cells);
}

/**
 * Records of one stream and path that are durable on this machine's disk and wait for the stream: a
 * queue on a segment log.
 *
 * Invariants:
 * 1. An append is acknowledged only once it is on the disk; records come out in the order in which
 *    they went in, byte for byte.
 * 2. What was drained is remembered after it reached the stream, never before: after a crash
 *    records may be handed out again, none is skipped.
 * 3. Bytes on the disk are bounded: past `maxBytes` appends are refused at once. Draining frees the
 *    disk, also of a spool that is full: segments that are wholly drained are deleted, the last one
 *    too.
 * 4. Bytes in memory are bounded for all spools of a process together (spool-memory.ts).
 * 5. What is damaged is told of when the spool is opened, before anything is taken.
 */
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../schemas/kernel/assert.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { OutgoingRecord } from '../../schemas/ports/record.ts';
import type { ReadBounds } from '../../schemas/ports/record-reader.ts';
import { sizeOf } from '../segment-log/frame.ts';
import type { OpenLogFile } from '../segment-log/log-file.ts';
import { syncDirectory } from '../segment-log/segment.ts';
import type { AppendOutcome as LogOutcome } from '../segment-log/segment-log.ts';
import { SegmentLog } from '../segment-log/segment-log.ts';
import { SegmentReader } from '../segment-log/segment-reader.ts';
import type { SpoolMemory } from './spool-memory.ts';

export type SpoolOutcome =
  | Exclude<LogOutcome, { kind: 'refused' }>
  | {
      readonly kind: 'refused';
      readonly code: 'spool-full' | 'disk-full' | 'io-error' | 'backlog-full' | 'closed';
      readonly message: string;
    };

export interface SpooledRecord {
  readonly offset: number;
  readonly record: OutgoingRecord;
  /** What it takes on the disk; a little more than in a batch. */
  readonly bytes: number;
}

export interface Spool {
  /** Appends all of `records`, in order, or none; durable when it resolves with `applied`. */
  append(records: readonly OutgoingRecord[]): Promise<SpoolOutcome>;
  /** True while records wait for the stream, or an append is under way. */
  readonly pending: boolean;
  /** On the disk, the drained beginning of a segment included; 0 when no record waits. */
  readonly bytes: number;
  readonly records: number;
  /** Age of the oldest record that waits, in ms; 0 when none does. */
  oldestAgeMs(nowMs: number): number;
  /**
   * The next records after those that were handed out, in order; none when there are no more. Reads
   * must not overlap.
   */
  read(bounds: ReadBounds): Promise<readonly SpooledRecord[]>;
  /**
   * What was handed out from `offset` on, which is not drained, is handed out again. Not while a
   * read is under way.
   */
  rewind(offset: number): void;
  /**
   * Everything up to `offset`, inclusive, is in the stream. When the disk does not take the mark it
   * rejects, and the next call tries again: until then a crash has those records handed out again.
   * Nothing happens after `close`.
   */
  drainedTo(offset: number): Promise<void>;
  close(): Promise<void>;
}

export interface SpoolOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly maxBytes: number;
  /** Default `limits.spoolSegmentMaxBytes`, less in a small spool. */
  readonly segmentMaxBytes?: number;
  readonly openFile?: OpenLogFile;
  /** Shared by the spools of a process. */
  readonly memory?: SpoolMemory;
}

const drainedName = 'drained';
const verifyBounds: ReadBounds = {
  maxRecords: Number.MAX_SAFE_INTEGER,
  maxBytes: 4 * 1_024 * 1_024,
};
/**
 * Of a spool's bound: a segment, so that a full spool frees its disk in pieces; and what a spool
 * that is empty may keep on it.
 */
const segmentsPerSpool = 8;
const emptyMaxBytes = 1_024 * 1_024;

/**
 * Opens or makes the spool in `dir`. Throws `SluiceError` `stream-corrupt` when a record that
 * waits, or the mark, is damaged; `folder-in-use`.
 */
export async function openSpool({
  dir,
  clock,
  maxBytes,
  segmentMaxBytes,
  openFile,
  memory,
}: SpoolOptions): Promise<Spool> {
  let durableEnd = 0;
  const log = await SegmentLog.open({
    dir,
    clock,
    segmentMaxBytes:
      segmentMaxBytes ??
      Math.min(limits.spoolSegmentMaxBytes, Math.ceil(maxBytes / segmentsPerSpool)),
    pendingMaxBytes: limits.logPendingMaxBytes,
    retentionMaxBytes: Number.POSITIVE_INFINITY,
    retentionMaxMs: Number.POSITIVE_INFINITY,
    publish: (end) => {
      durableEnd = end;
    },
    ...(openFile === undefined ? {} : { openFile }),
  }).catch((thrown: unknown) => {
    throw damaged(dir, thrown);
  });
  const reader = new SegmentReader(dir, () => durableEnd);
  let drained: number;
  let oldest: { readonly offset: number; readonly atMs: number } | undefined;
  try {
    // A mark that was not written in time is replaced by the beginning of what was not deleted.
    drained = Math.max(await readDrained(dir), log.start);
    if (drained > durableEnd) {
      const message = `the spool in ${dir} says that ${drained} records were drained, and has ${durableEnd}`;
      throw new SluiceError('stream-corrupt', message);
    }
    oldest = await verify(dir, drained, durableEnd);
  } catch (thrown) {
    await log.close();
    throw damaged(dir, thrown);
  }
  let handedOut = drained;
  let appending = 0;
  let closed = false;
  let marking: Promise<void> = Promise.resolve();

  const markDrained = async (offset: number): Promise<void> => {
    drained = offset + 1;
    if (oldest !== undefined && oldest.offset < drained)
      oldest = drained < durableEnd ? { offset: drained, atMs: oldest.atMs } : undefined;
    // First what frees the disk: a mark finds no room on a full one, and what is deleted needs
    // none.
    await log.dropBefore(drained);
    if (
      drained === durableEnd &&
      log.bytes > Math.min(emptyMaxBytes, maxBytes / segmentsPerSpool)
    ) {
      await log.startAfresh();
      await log.dropBefore(drained);
    }
    await writeDrained(dir, drained);
  };

  return {
    async append(records) {
      const bytes = records.reduce((sum, record) => sum + sizeOf(record).bytes, 0);
      if (log.bytes + log.pendingBytes + bytes > maxBytes) {
        const message = `the spool has ${log.bytes + log.pendingBytes} bytes; at most ${maxBytes} are allowed`;
        return { kind: 'refused', code: 'spool-full', message };
      }
      if (memory?.tryPend(bytes) === false) {
        return {
          kind: 'refused',
          code: 'backlog-full',
          message: 'the spools of this process have as much on its way to the disk as they may',
        };
      }
      appending++;
      try {
        const outcome = await log.append(records);
        if (outcome.kind === 'applied')
          oldest ??= { offset: outcome.firstOffset, atMs: clock.now() };
        return outcome;
      } finally {
        appending--;
        memory?.written(bytes);
      }
    },
    get pending() {
      return appending > 0 || drained < durableEnd;
    },
    get bytes() {
      return drained < durableEnd ? log.bytes : 0;
    },
    get records() {
      return durableEnd - drained;
    },
    oldestAgeMs: (nowMs) =>
      drained < durableEnd && oldest !== undefined ? Math.max(0, nowMs - oldest.atMs) : 0,
    async read(bounds) {
      const frames = await reader.read(handedOut, bounds);
      const [first] = frames;
      if (first !== undefined && first.offset === drained)
        oldest = { offset: first.offset, atMs: first.atMs };
      handedOut += frames.length;
      return frames.map(({ offset, key, value, headers }) => {
        const record: OutgoingRecord = {
          key,
          value: [value],
          ...(headers === undefined ? {} : { headers }),
        };
        return { offset, record, bytes: sizeOf(record).bytes };
      });
    },
    rewind(offset) {
      assert(
        offset >= drained && offset <= handedOut,
        'what is handed out again was, and is not drained',
      );
      handedOut = offset;
    },
    async drainedTo(offset) {
      if (closed) return;
      const marked = markDrained(offset);
      marking = marked.catch(() => undefined);
      await marked;
    },
    async close() {
      closed = true;
      // The lock ends with the log: a mark that came later would be one on somebody else's folder.
      await marking;
      await reader.close();
      await log.close();
    },
  };
}

/** Reads all that waits once, and gives its first. */
async function verify(
  dir: string,
  from: number,
  end: number,
): Promise<{ readonly offset: number; readonly atMs: number } | undefined> {
  const reader = new SegmentReader(dir, () => end);
  try {
    let first: { readonly offset: number; readonly atMs: number } | undefined;
    for (let offset = from; offset < end; ) {
      const frames = await reader.read(offset, verifyBounds);
      const [head] = frames;
      if (first === undefined && head !== undefined)
        first = { offset: head.offset, atMs: head.atMs };
      offset += frames.length;
    }
    return first;
  } finally {
    await reader.close();
  }
}

const damages: ReadonlySet<string> = new Set(['stream-corrupt', 'position-trimmed']);

function damaged(dir: string, thrown: unknown): unknown {
  if (!(thrown instanceof SluiceError) || !damages.has(thrown.code)) return thrown;
  return new SluiceError('stream-corrupt', thrown.message, {
    fix: `bring the file back from a copy, or move ${dir} away: what it holds was accepted, and nobody else sends it`,
    cause: thrown,
  });
}

async function readDrained(dir: string): Promise<number> {
  try {
    const offset = Number(await readFile(join(dir, drainedName), 'utf8'));
    return Number.isSafeInteger(offset) && offset >= 0 ? offset : 0;
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT') return 0;
    throw thrown;
  }
}

/** Written beside and renamed: a reader sees the old mark or the new one. */
async function writeDrained(dir: string, offset: number): Promise<void> {
  const temporary = join(dir, `${drainedName}.new`);
  const handle = await open(temporary, 'w');
  try {
    await handle.writeFile(String(offset));
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(temporary, join(dir, drainedName));
  await syncDirectory(dir);
}

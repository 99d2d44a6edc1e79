/**
 * Records of one stream and path that are durable on this machine's disk and wait for the stream: a queue on a segment log.
 *
 * Invariants:
 * 1. An append is acknowledged only once it is on the disk; records come out in the order in which they went in, byte for byte.
 * 2. What was drained is remembered after it reached the stream, never before: after a crash records may be handed out again, none is skipped.
 * 3. Bytes on the disk are bounded: past `maxBytes` appends are refused at once. Segments that are wholly drained are deleted.
 */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
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
  readonly bytes: number;
}

export interface Spool {
  /** Appends all of `records`, in order, or none; durable when it resolves with `applied`. */
  append(records: readonly OutgoingRecord[]): Promise<SpoolOutcome>;
  /** True while records wait for the stream, or an append is under way. */
  readonly pending: boolean;
  /** On the disk and not drained, the segments' drained beginnings included. */
  readonly bytes: number;
  readonly records: number;
  /** Age of the oldest record that waits, in ms; 0 when none does. */
  oldestAgeMs(nowMs: number): number;
  /** The next records after those that were handed out, in order; none when there are no more. */
  read(bounds: ReadBounds): Promise<readonly SpooledRecord[]>;
  /** Everything up to `offset`, inclusive, is in the stream. */
  drainedTo(offset: number): Promise<void>;
  close(): Promise<void>;
}

export interface SpoolOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly maxBytes: number;
  readonly segmentMaxBytes?: number;
  readonly openFile?: OpenLogFile;
}

const drainedName = 'drained';

/** Opens or makes the spool in `dir`. Throws `SluiceError` `stream-corrupt`. */
export async function openSpool({ dir, clock, maxBytes, segmentMaxBytes, openFile }: SpoolOptions): Promise<Spool> {
  let durableEnd = 0;
  const log = await SegmentLog.open({
    dir,
    clock,
    segmentMaxBytes: segmentMaxBytes ?? limits.spoolSegmentMaxBytes,
    pendingMaxBytes: limits.logPendingMaxBytes,
    retentionMaxBytes: Number.POSITIVE_INFINITY,
    retentionMaxMs: Number.POSITIVE_INFINITY,
    publish: (end) => {
      durableEnd = end;
    },
    ...(openFile === undefined ? {} : { openFile }),
  });
  const reader = new SegmentReader(dir, () => durableEnd);
  // Segments are deleted only once the mark behind them is on the disk; a mark that a crash took is replaced by their beginning.
  let drained = Math.max(await readDrained(dir), log.start);
  if (drained > durableEnd) {
    throw new SluiceError('stream-corrupt', `the spool in ${dir} says that ${drained} records were drained, and has ${durableEnd}`, {
      fix: 'restore the folder, or move it away: what it held is then to be sent by hand',
    });
  }
  let handedOut = drained;
  let appending = 0;
  let oldest: { readonly offset: number; readonly atMs: number } | undefined;

  return {
    async append(records) {
      const bytes = records.reduce((sum, record) => sum + sizeOf(record).bytes, 0);
      if (log.bytes + log.pendingBytes + bytes > maxBytes) {
        const message = `the spool has ${log.bytes + log.pendingBytes} bytes; at most ${maxBytes} are allowed`;
        return { kind: 'refused', code: 'spool-full', message };
      }
      appending++;
      try {
        const outcome = await log.append(records);
        if (outcome.kind === 'applied') oldest ??= { offset: outcome.firstOffset, atMs: clock.now() };
        return outcome;
      } finally {
        appending--;
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
    oldestAgeMs: (nowMs) => (drained < durableEnd && oldest !== undefined ? Math.max(0, nowMs - oldest.atMs) : 0),
    async read(bounds) {
      const frames = await reader.read(handedOut, bounds);
      const [first] = frames;
      if (first !== undefined && first.offset === drained) oldest = { offset: first.offset, atMs: first.atMs };
      handedOut += frames.length;
      return frames.map(({ offset, key, value, headers }) => ({
        offset,
        record: { key, value: [value], ...(headers === undefined ? {} : { headers }) },
        bytes: value.length + limits.recordHeadMaxBytes,
      }));
    },
    async drainedTo(offset) {
      drained = offset + 1;
      if (oldest !== undefined && oldest.offset < drained)
        oldest = drained < durableEnd ? { offset: drained, atMs: oldest.atMs } : undefined;
      await writeDrained(dir, drained);
      await log.dropBefore(drained);
    },
    async close() {
      await log.close();
      await reader.close();
    },
  };
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
  await mkdir(dir, { recursive: true });
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

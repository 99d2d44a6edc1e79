/**
 * Records of one stream and route that are durable on this machine's disk and wait for the stream:
 * a queue on a segment log.
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
 * 5. What is damaged is reported when the spool is opened, before anything is taken.
 */
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../schemas/kernel/assert.ts';
import { mebi } from '../../schemas/kernel/bytes.ts';
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

/** A segment of a spool is closed at this size. */
const spoolSegmentMaxBytes = 16 * mebi;
assert(
  limits.kafkaRecordMaxBytes + limits.recordHeadMaxBytes <= spoolSegmentMaxBytes,
  'the largest record fits a segment of a spool',
);

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

export interface SpoolOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly maxBytes: number;
  /** Default `spoolSegmentMaxBytes`, less in a small spool. */
  readonly segmentMaxBytes?: number;
  readonly openFile?: OpenLogFile;
  /** Shared by the spools of a process. */
  readonly memory?: SpoolMemory;
}

const drainedName = 'drained';
const verifyBounds: ReadBounds = {
  maxRecords: Number.MAX_SAFE_INTEGER,
  maxBytes: 4 * mebi,
};
/**
 * Of a spool's bound: a segment, so that a full spool frees its disk in pieces; and what a spool
 * that is empty may keep on it.
 */
const segmentsPerSpool = 8;
const emptyMaxBytes = mebi;

/** The oldest record that waits, and since when (epoch ms). */
interface Oldest {
  readonly offset: number;
  readonly atMs: number;
}

/** What a folder holds: its log, the end of what is durable in it, and what of that was drained. */
interface Opened {
  readonly log: SegmentLog;
  readonly end: DurableEnd;
  readonly drained: number;
  readonly oldest: Oldest | undefined;
}

/** The next offset after what is durable, as the log publishes it. */
interface DurableEnd {
  offset: number;
}

/**
 * Opens or makes the spool in `dir`. Throws `SluiceError` `stream-corrupt` when a record that
 * waits, or the mark, is damaged; `folder-in-use`.
 */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  return new Spool(options, await openFolder(options));
}

export class Spool {
  readonly #options: SpoolOptions;
  readonly #log: SegmentLog;
  readonly #reader: SegmentReader;
  readonly #end: DurableEnd;
  #drained: number;
  #oldest: Oldest | undefined;
  #handedOut: number;
  #appending = 0;
  #closed = false;
  #marking: Promise<void> = Promise.resolve();

  /** Through `openSpool`. */
  constructor(options: SpoolOptions, { log, end, drained, oldest }: Opened) {
    this.#options = options;
    this.#log = log;
    this.#end = end;
    this.#reader = new SegmentReader(options.dir, () => end.offset);
    this.#drained = drained;
    this.#handedOut = drained;
    this.#oldest = oldest;
  }

  /** Appends all of `records`, in order, or none; durable when it resolves with `applied`. */
  async append(records: readonly OutgoingRecord[]): Promise<SpoolOutcome> {
    const { clock, maxBytes, memory } = this.#options;
    const log = this.#log;
    const bytes = records.reduce((sum, record) => sum + sizeOf(record).bytes, 0);
    if (log.bytes + log.pendingBytes + bytes > maxBytes) {
      const message = `the spool has ${log.bytes + log.pendingBytes} bytes; at most ${maxBytes} are allowed`;
      return { kind: 'refused', code: 'spool-full', message };
    }
    if (memory?.tryPend(bytes) === false) {
      return {
        kind: 'refused',
        code: 'backlog-full',
        message:
          'the spools of this process have as much data on its way to the disk as is allowed',
      };
    }
    this.#appending++;
    try {
      const outcome = await log.append(records);
      if (outcome.kind === 'applied')
        this.#oldest ??= { offset: outcome.firstOffset, atMs: clock.now() };
      return outcome;
    } finally {
      this.#appending--;
      memory?.written(bytes);
    }
  }

  /** True while records wait for the stream, or an append is in flight. */
  get pending(): boolean {
    return this.#appending > 0 || this.#drained < this.#end.offset;
  }

  /** On the disk, the drained beginning of a segment included; 0 when no record waits. */
  get bytes(): number {
    return this.#drained < this.#end.offset ? this.#log.bytes : 0;
  }

  get records(): number {
    return this.#end.offset - this.#drained;
  }

  /** Age of the oldest record that waits, in ms; 0 when none does. */
  oldestAgeMs(nowMs: number): number {
    return this.#drained < this.#end.offset && this.#oldest !== undefined
      ? Math.max(0, nowMs - this.#oldest.atMs)
      : 0;
  }

  /**
   * The next records after those that were handed out, in order; none when there are no more. Reads
   * must not overlap.
   */
  async read(bounds: ReadBounds): Promise<readonly SpooledRecord[]> {
    const frames = await this.#reader.read(this.#handedOut, bounds);
    const [first] = frames;
    if (first !== undefined && first.offset === this.#drained)
      this.#oldest = { offset: first.offset, atMs: first.atMs };
    this.#handedOut += frames.length;
    return frames.map(({ offset, key, value, headers }) => {
      const record: OutgoingRecord = {
        key,
        value: [value],
        ...(headers === undefined ? {} : { headers }),
      };
      return { offset, record, bytes: sizeOf(record).bytes };
    });
  }

  /**
   * What was handed out from `offset` on, which is not drained, is handed out again. Not while a
   * read is in flight.
   */
  rewind(offset: number): void {
    assert(
      offset >= this.#drained && offset <= this.#handedOut,
      'what is handed out again was, and is not drained',
    );
    this.#handedOut = offset;
  }

  /**
   * Everything up to `offset`, inclusive, is in the stream. When the disk does not take the mark it
   * rejects, and the next call tries again: until then a crash has those records handed out again.
   * Nothing happens after `close`.
   */
  async drainedTo(offset: number): Promise<void> {
    if (this.#closed) return;
    const marked = this.#mark(offset);
    this.#marking = marked.catch(() => undefined);
    await marked;
  }

  async close(): Promise<void> {
    this.#closed = true;
    // The lock ends with the log: a mark that came later would be one on somebody else's folder.
    await this.#marking;
    await this.#reader.close();
    await this.#log.close();
  }

  async #mark(offset: number): Promise<void> {
    const { dir, maxBytes } = this.#options;
    const log = this.#log;
    const drained = offset + 1;
    const isEmpty = (): boolean => drained === this.#end.offset;
    this.#drained = drained;
    if (this.#oldest !== undefined && this.#oldest.offset < drained)
      this.#oldest = isEmpty() ? undefined : { offset: drained, atMs: this.#oldest.atMs };
    // First what frees the disk: a mark finds no room on a full one, and what is deleted needs
    // none.
    await log.dropBefore(drained);
    if (isEmpty() && log.bytes > Math.min(emptyMaxBytes, maxBytes / segmentsPerSpool)) {
      await log.startAfresh();
      await log.dropBefore(drained);
    }
    await writeDrained(dir, drained);
  }
}

async function openFolder(options: SpoolOptions): Promise<Opened> {
  const { dir, clock, maxBytes, segmentMaxBytes, openFile } = options;
  const end: DurableEnd = { offset: 0 };
  const log = await SegmentLog.open({
    dir,
    clock,
    segmentMaxBytes:
      segmentMaxBytes ?? Math.min(spoolSegmentMaxBytes, Math.ceil(maxBytes / segmentsPerSpool)),
    pendingMaxBytes: limits.logPendingMaxBytes,
    retentionMaxBytes: Number.POSITIVE_INFINITY,
    retentionMaxMs: Number.POSITIVE_INFINITY,
    publish: (next) => {
      end.offset = next;
    },
    ...(openFile === undefined ? {} : { openFile }),
  }).catch((thrown: unknown) => {
    throw damaged(dir, thrown);
  });
  try {
    // A mark that was not written in time is replaced by the beginning of what was not deleted.
    const drained = Math.max(await readDrained(dir), log.start);
    if (drained > end.offset) {
      const message = `the spool in ${dir} says that ${drained} records were drained, but has only ${end.offset}`;
      throw new SluiceError('stream-corrupt', message);
    }
    return { log, end, drained, oldest: await verify(dir, drained, end.offset) };
  } catch (thrown) {
    await log.close();
    throw damaged(dir, thrown);
  }
}

/** Reads all that waits once, and gives its first. */
async function verify(dir: string, from: number, end: number): Promise<Oldest | undefined> {
  const reader = new SegmentReader(dir, () => end);
  try {
    let first: Oldest | undefined;
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
    fix: `restore the file from a backup, or move ${dir} away: its events were accepted and exist nowhere else`,
    cause: thrown,
    details: { ...thrown.details, dir },
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

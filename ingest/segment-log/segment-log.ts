/**
 * An append-only log of one split in segment files, with group commit: what arrives while a commit
 * is in flight leaves together in the next, as one write and one fdatasync.
 *
 * Invariants:
 * 1. An append is acknowledged only after its bytes were written and fdatasync returned.
 * 2. Readers see a frame only once it is durable: `durableEnd` moves after fdatasync, before the
 *    acknowledgement.
 * 3. After a failed write the file is cut back to its durable length before anything else is
 *    written. When that fails too, the outcome is unknown, and the log refuses everything until it
 *    is opened again.
 * 4. A file is not written again once its sync failed (the system may have dropped its pages and
 *    forgotten it, https://www.usenix.org/conference/atc20/presentation/rebello), nor once a next
 *    segment may exist: the next commit begins that one.
 * 5. Segments but the last are never written again; retention deletes whole segments, oldest first,
 *    never the last.
 * 6. The folder is locked before anything in it is read, until the log is closed: two logs on one
 *    would write over what the other acknowledged.
 */
import { stat, unlink } from 'node:fs/promises';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { messageOf, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { FolderLock } from '../../schemas/kernel/folder-lock.ts';
import { lockFolder } from '../../schemas/kernel/folder-lock.ts';
import type { OutgoingRecord } from '../../schemas/ports/record.ts';
import { encodeFrame, sizeOf } from './frame.ts';
import type { LogFile, OpenLogFile } from './log-file.ts';
import { openLogFile } from './log-file.ts';
import type { Recovered } from './segment.ts';
import {
  listSegments,
  makeDirectory,
  recoverSegment,
  segmentPath,
  syncDirectory,
} from './segment.ts';

export interface SegmentLogOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly segmentMaxBytes: number;
  readonly pendingMaxBytes: number;
  readonly retentionMaxBytes: number;
  readonly retentionMaxMs: number;
  /** Told the next offset after each commit, before anybody is acknowledged. */
  readonly publish?: (durableEnd: number) => void;
  readonly openFile?: OpenLogFile;
}

export type AppendOutcome =
  | { readonly kind: 'applied'; readonly firstOffset: number }
  /** Nothing of it is in the log. Trying again later can succeed. */
  | {
      readonly kind: 'refused';
      readonly code: 'disk-full' | 'io-error' | 'backlog-full' | 'closed';
      readonly message: string;
    }
  /** It may be found when the log is opened again. */
  | { readonly kind: 'unknown'; readonly code: 'disk-full' | 'io-error'; readonly message: string };

interface Pending {
  readonly records: readonly ReturnType<typeof sizeOf>[];
  readonly bytes: number;
  readonly settle: (outcome: AppendOutcome) => void;
}

interface Sealed {
  readonly base: number;
  readonly bytes: number;
  readonly lastAtMs: number;
}

/** What a folder holds: the last segment, open and whole, and those before it. */
interface Opened {
  readonly file: LogFile;
  readonly base: number;
  readonly recovered: Recovered;
  readonly sealed: readonly Sealed[];
}

async function openLast({ dir, openFile = openLogFile }: SegmentLogOptions): Promise<Opened> {
  const bases = await listSegments(dir);
  const base = bases.at(-1) ?? 0;
  const recovered =
    bases.length === 0 ? { nextOffset: 0, bytes: 0, lastAtMs: 0 } : await recoverSegment(dir, base);
  const file = await openFile(segmentPath(dir, base));
  await file.truncate(recovered.bytes);
  await file.datasync();
  await syncDirectory(dir);
  const sealed = await Promise.all(
    bases.slice(0, -1).map(async (older) => {
      const { size, mtimeMs } = await stat(segmentPath(dir, older));
      return { base: older, bytes: size, lastAtMs: mtimeMs };
    }),
  );
  return { file, base, recovered, sealed };
}

export class SegmentLog {
  readonly #options: SegmentLogOptions;
  readonly #open: OpenLogFile;
  readonly #lock: FolderLock;
  #file: LogFile;
  #base: number;
  #bytes: number;
  #nextOffset: number;
  #lastAtMs: number;
  #sealed: Sealed[];
  #queue: Pending[] = [];
  #queuedBytes = 0;
  #committing: Promise<void> | undefined;
  #rollDue = false;
  #broken: string | undefined;
  #closed = false;

  private constructor(
    options: SegmentLogOptions,
    lock: FolderLock,
    { file, base, recovered, sealed }: Opened,
  ) {
    this.#options = options;
    this.#open = options.openFile ?? openLogFile;
    this.#lock = lock;
    this.#file = file;
    this.#base = base;
    this.#bytes = recovered.bytes;
    this.#nextOffset = recovered.nextOffset;
    this.#lastAtMs = recovered.lastAtMs;
    this.#sealed = [...sealed];
  }

  /**
   * Opens or makes the log in `dir`, cutting a torn tail. Throws `SluiceError` `stream-corrupt`,
   * `folder-in-use`.
   */
  static async open(options: SegmentLogOptions): Promise<SegmentLog> {
    await makeDirectory(options.dir);
    const lock = await lockFolder(options.dir);
    try {
      const opened = await openLast(options);
      options.publish?.(opened.recovered.nextOffset);
      return new SegmentLog(options, lock, opened);
    } catch (thrown) {
      lock.release();
      throw thrown;
    }
  }

  /** The offset that the next record gets. */
  get durableEnd(): number {
    return this.#nextOffset;
  }

  /** The oldest offset that is kept. */
  get start(): number {
    return this.#sealed[0]?.base ?? this.#base;
  }

  /** Bytes of all segments on the disk. */
  get bytes(): number {
    return this.#sealed.reduce((sum, sealed) => sum + sealed.bytes, this.#bytes);
  }

  get pendingBytes(): number {
    return this.#queuedBytes;
  }

  /** Appends all of `records`, in order, or none. */
  append(records: readonly OutgoingRecord[]): Promise<AppendOutcome> {
    const sized = records.map(sizeOf);
    const bytes = sized.reduce((sum, record) => sum + record.bytes, 0);
    if (this.#closed)
      return Promise.resolve({ kind: 'refused', code: 'closed', message: 'the log is closed' });
    if (this.#broken !== undefined)
      return Promise.resolve({ kind: 'refused', code: 'io-error', message: this.#broken });
    if (this.#queuedBytes + bytes > this.#options.pendingMaxBytes) {
      const message = `${this.#queuedBytes} bytes wait for the disk; at most ${this.#options.pendingMaxBytes} are allowed`;
      return Promise.resolve({ kind: 'refused', code: 'backlog-full', message });
    }
    return new Promise((settle) => {
      this.#queue.push({ records: sized, bytes, settle });
      this.#queuedBytes += bytes;
      this.#committing ??= this.#commitAll();
    });
  }

  async #commitAll(): Promise<void> {
    // One turn of the event loop gathers what the same tick brings.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const taken = this.#queue;
      this.#queue = [];
      const outcomes = await this.#commit(taken);
      for (const [index, pending] of taken.entries()) {
        this.#queuedBytes -= pending.bytes;
        pending.settle(outcomes[index] as AppendOutcome);
      }
    }
    this.#committing = undefined;
  }

  async #commit(taken: readonly Pending[]): Promise<readonly AppendOutcome[]> {
    if (this.#broken !== undefined)
      return taken.map(() => ({ kind: 'refused', code: 'io-error', message: this.#broken ?? '' }));
    const total = taken.reduce((sum, pending) => sum + pending.bytes, 0);
    const buffer = Buffer.allocUnsafe(total);
    const nowMs = this.#options.clock.now();
    const commit = this.#nextOffset;
    const firsts: number[] = [];
    let offset = commit;
    let at = 0;
    for (const { records } of taken) {
      firsts.push(offset);
      for (const record of records) at = encodeFrame(buffer, at, record, offset++, commit, nowMs);
    }
    let step: 'roll' | 'write' | 'sync' = 'roll';
    try {
      if (this.#rollDue || (this.#bytes > 0 && this.#bytes + total > this.#options.segmentMaxBytes))
        await this.#roll();
      step = 'write';
      await this.#file.write(buffer, this.#bytes);
      step = 'sync';
      await this.#file.datasync();
    } catch (thrown) {
      if (step === 'sync') this.#rollDue = true;
      if (step !== 'roll') await this.#cutBack();
      const kind = this.#broken === undefined ? 'refused' : 'unknown';
      const code = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(systemCodeOf(thrown) ?? '')
        ? 'disk-full'
        : 'io-error';
      return taken.map(() => ({ kind, code, message: messageOf(thrown) }));
    }
    this.#bytes += total;
    this.#nextOffset = offset;
    this.#lastAtMs = nowMs;
    this.#options.publish?.(offset);
    return firsts.map((firstOffset) => ({ kind: 'applied', firstOffset }));
  }

  /**
   * Begins the segment of the next offset. What fails after its creation is tried again by the next
   * commit, under the same name.
   */
  async #roll(): Promise<void> {
    const { dir } = this.#options;
    this.#rollDue = true;
    const file = await this.#open(segmentPath(dir, this.#nextOffset));
    try {
      await syncDirectory(dir);
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
    const old = this.#file;
    if (this.#base !== this.#nextOffset)
      this.#sealed.push({ base: this.#base, bytes: this.#bytes, lastAtMs: this.#lastAtMs });
    this.#file = file;
    this.#base = this.#nextOffset;
    this.#bytes = 0;
    this.#rollDue = false;
    // Everything in the old file was synced, and what retention can not delete now it will meet
    // again: neither is a reason to refuse.
    await old.close().catch(() => undefined);
    await this.#retain().catch(() => undefined);
  }

  async #cutBack(): Promise<void> {
    try {
      await this.#file.truncate(this.#bytes);
      await this.#file.datasync();
    } catch (thrown) {
      this.#broken = `the log in ${this.#options.dir} could not be truncated after a failed write (${messageOf(thrown)}); restart once the disk works`;
    }
  }

  async #retain(): Promise<void> {
    const { retentionMaxBytes, retentionMaxMs, clock } = this.#options;
    let bytes = this.#sealed.reduce((sum, sealed) => sum + sealed.bytes, 0);
    while (true) {
      const [oldest] = this.#sealed;
      if (oldest === undefined) return;
      if (bytes <= retentionMaxBytes && clock.now() - oldest.lastAtMs <= retentionMaxMs) return;
      await this.#unlink(oldest.base);
      bytes -= oldest.bytes;
    }
  }

  /** Deletes the segments, but the last, that hold nothing from `offset` on. */
  async dropBefore(offset: number): Promise<void> {
    for (let oldest = this.#sealed[0]; oldest !== undefined; oldest = this.#sealed[0]) {
      if ((this.#sealed[1]?.base ?? this.#base) > offset) return;
      await this.#unlink(oldest.base);
    }
  }

  /**
   * Ends the last segment before it is full, so that `dropBefore` can delete it once nothing in it
   * is needed. Nothing happens while records are being written, or when the segment is empty; one
   * that cannot begin now begins with the next commit.
   */
  async startAfresh(): Promise<void> {
    if (
      this.#committing !== undefined ||
      this.#bytes === 0 ||
      this.#closed ||
      this.#broken !== undefined
    )
      return;
    const rolled = this.#roll().catch(() => undefined);
    this.#committing = rolled.then(() => this.#commitAll());
    await rolled;
  }

  async #unlink(base: number): Promise<void> {
    await unlink(segmentPath(this.#options.dir, base)).catch((thrown: unknown) => {
      if (systemCodeOf(thrown) !== 'ENOENT') throw thrown;
    });
    if (this.#sealed[0]?.base === base) this.#sealed.shift();
  }

  /** Waits for what is in flight; later appends are refused. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#committing;
    try {
      await this.#file.close();
    } finally {
      this.#lock.release();
    }
  }
}

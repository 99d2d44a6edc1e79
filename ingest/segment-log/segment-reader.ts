/**
 * Reads a segment log that another thread writes. Only what is durable is seen.
 *
 * Invariants:
 * 1. No frame at or behind `durableEnd()` is returned, whatever the file holds there.
 * 2. Every frame's checksum is verified; damage is a `SluiceError` `stream-corrupt`, never skipped.
 * 3. An offset behind the end was never read from this log: asking for it is `stream-corrupt`, as
 *    other records would come to stand there.
 */

import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { mebi } from '../../schemas/kernel/bytes.ts';
import { systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { ReadBounds } from '../../schemas/ports/record-reader.ts';
import type { Frame } from './frame.ts';
import { decodeFrame, prefixBytes } from './frame.ts';
import { corrupt, listSegments, segmentPath, trimmed } from './segment.ts';

interface Place {
  readonly base: number;
  readonly offset: number;
  readonly byte: number;
}

const chunkMinBytes = 65_536;
const locateChunkBytes = 4 * mebi;

/** Reads of one reader must not overlap. */
export class SegmentReader {
  readonly #dir: string;
  readonly #durableEnd: () => number;
  #file: { readonly base: number; readonly handle: FileHandle } | undefined;
  /** Where the next sequential read begins. */
  #place: Place | undefined;
  /**
   * Of the frames that were read last, on average: a read takes about what its bound of records
   * needs.
   */
  #frameBytes = 1_024;

  constructor(dir: string, durableEnd: () => number) {
    this.#dir = dir;
    this.#durableEnd = durableEnd;
  }

  get durableEnd(): number {
    return this.#durableEnd();
  }

  /** The oldest offset that is kept. */
  async start(): Promise<number> {
    return this.#durableEnd() === 0 ? 0 : ((await listSegments(this.#dir))[0] ?? 0);
  }

  /**
   * Frames from `offset` on, possibly none. Throws `position-trimmed` when retention took it,
   * `stream-corrupt`.
   */
  async read(offset: number, bounds: ReadBounds): Promise<readonly Frame[]> {
    const end = this.#durableEnd();
    if (offset === end) return [];
    if (offset > end) {
      const last = (await listSegments(this.#dir)).at(-1) ?? 0;
      throw corrupt(
        segmentPath(this.#dir, last),
        0,
        offset,
        `that offset was read before, but the log ends before ${end}`,
      );
    }
    const place = this.#place?.offset === offset ? this.#place : await this.#locate(offset);
    const frames: Frame[] = [];
    const next = await this.#scan(place, bounds, end, (frame) => {
      if (frame.offset >= offset) frames.push(frame);
      return frames.length;
    });
    this.#place = next;
    if (frames.length > 0) return frames;
    // The segment ended exactly here: the next one begins with this offset.
    return next.offset < end && next !== place ? this.read(offset, bounds) : [];
  }

  async #locate(offset: number): Promise<Place> {
    const bases = await listSegments(this.#dir);
    const base = bases.findLast((candidate) => candidate <= offset);
    if (base === undefined) throw trimmed(this.#dir, offset, bases[0]);
    let place: Place = { base, offset: base, byte: 0 };
    while (place.offset < offset) {
      const before = place;
      place = await this.#scan(
        place,
        { maxRecords: Number.MAX_SAFE_INTEGER, maxBytes: locateChunkBytes },
        offset,
        () => 0,
      );
      if (place.offset === before.offset) break;
    }
    return place;
  }

  /** Decodes frames from `place` until a bound or `end`; returns where it stopped. */
  async #scan(
    place: Place,
    bounds: ReadBounds,
    end: number,
    take: (frame: Frame) => number,
  ): Promise<Place> {
    const handle = await this.#handle(place.base);
    const left = (await handle.stat()).size - place.byte;
    const expected = Math.max(
      chunkMinBytes,
      Math.ceil(bounds.maxRecords * this.#frameBytes * 1.25),
    );
    let size = Math.min(left, expected, Math.max(bounds.maxBytes, prefixBytes));
    for (;;) {
      const buffer = Buffer.allocUnsafe(size);
      const { bytesRead } = await handle.read(buffer, 0, size, place.byte);
      let at = 0;
      let { offset } = place;
      while (offset < end) {
        const frame = decodeFrame(buffer, at, bytesRead);
        if (frame === 'partial') break;
        if (frame === 'bad' || frame.offset !== offset)
          throw corrupt(segmentPath(this.#dir, place.base), place.byte + at, offset);
        at = frame.end;
        offset++;
        if (take(frame) >= bounds.maxRecords) break;
      }
      if (at > 0) {
        this.#frameBytes = at / (offset - place.offset);
        return { base: place.base, offset, byte: place.byte + at };
      }
      if (bytesRead < prefixBytes) return this.#after(place, bytesRead);
      // One frame larger than the bound: it is returned alone.
      const needed = prefixBytes + buffer.readUInt32LE(0);
      if (needed > left || needed <= size)
        throw corrupt(segmentPath(this.#dir, place.base), place.byte, place.offset);
      size = needed;
    }
  }

  /** `place` is at the end of its segment's file. */
  async #after(place: Place, leftOver: number): Promise<Place> {
    const bases = await listSegments(this.#dir);
    const [oldest] = bases;
    if (oldest !== undefined && oldest > place.offset)
      throw trimmed(this.#dir, place.offset, oldest);
    if (leftOver > 0 || !bases.includes(place.offset) || place.offset === place.base) {
      throw corrupt(
        segmentPath(this.#dir, place.base),
        place.byte,
        place.offset,
        'the file ends before its records do',
      );
    }
    return { base: place.offset, offset: place.offset, byte: 0 };
  }

  async #handle(base: number): Promise<FileHandle> {
    if (this.#file?.base === base) return this.#file.handle;
    await this.#file?.handle.close();
    this.#file = undefined;
    try {
      this.#file = { base, handle: await open(segmentPath(this.#dir, base), 'r') };
    } catch (thrown) {
      if (systemCodeOf(thrown) !== 'ENOENT') throw thrown;
      throw trimmed(this.#dir, base, (await listSegments(this.#dir))[0]);
    }
    return this.#file.handle;
  }

  async close(): Promise<void> {
    await this.#file?.handle.close();
    this.#file = undefined;
    this.#place = undefined;
  }
}

/**
 * Blocks of bytes in segments: some KiB each, deflated where that saves, with what is still used of
 * each block and each segment.
 *
 * Invariants:
 * 1. A block whose last used byte is freed is gone, and its number is used again; a segment whose
 *    last used byte is freed is dropped.
 * 2. A segment is written to once, at its end; what is freed in it is only free when it is dropped.
 * 3. Where a deflater has room, blocks come to a raw segment. A full one is deflated beside the
 *    turns, and what is used of it then takes its place. Until then, and for ever if nothing comes,
 *    it is read as it is.
 */
import { inflateRawSync } from 'node:zlib';
import { present } from '../../schemas/kernel/assert.ts';
import { wholes } from './chunked.ts';
import type { BlockDeflater, BlockRow } from './deflate-blocks.ts';
import { deflated } from './deflate-blocks.ts';
import type { Segments } from './segments.ts';

interface Segment {
  readonly number: number;
  readonly bytes: number;
  /** Where the next block goes. */
  end: number;
  /** Contents of its blocks, gone ones among them. */
  contentBytes: number;
  usedBytes: number;
  /** Those that it was given: one that is gone may be elsewhere by now. */
  readonly blocks: number[];
  /** Of a raw one: the length of each of its blocks. */
  raw: number[] | undefined;
}

/** Contents that are kept as they were read last: one for each remainder of a block's number. */
const cachedBlocks = 64;
const columnBytes = 5 * 4;

export class Blocks {
  /** Contents of blocks in segments that are not dropped, and what of them is used. */
  contentBytes = 0;
  usedBytes = 0;
  #segmentsBytes = 0;
  readonly #segments: Segments;
  readonly #deflater: BlockDeflater | undefined;
  readonly #kept = new Map<number, Segment>();
  #numbers = 0;
  /** Where the next block goes, and where the next raw one does. */
  #last: Segment | undefined;
  #lastRaw: Segment | undefined;
  // By block: its segment and where it begins there, the length of what is written and of its
  // content, which differ where it is deflated; used bytes. Of a free one: the next free block.
  readonly #segment = wholes();
  readonly #at = wholes();
  readonly #written = wholes();
  readonly #content = wholes();
  readonly #used = wholes();
  /** 0: none. */
  #free = 0;
  readonly #cache: ({ readonly block: number; readonly content: Uint8Array } | undefined)[] = [];

  constructor(segments: Segments, deflater?: BlockDeflater) {
    this.#segments = segments;
    this.#deflater = deflater;
    this.#newBlock();
  }

  /** Segments, and what is known of blocks. */
  get heldBytes(): number {
    return this.#segmentsBytes + this.#at.length * columnBytes;
  }

  /** A number for a block that has nothing yet. */
  take(): number {
    if (this.#free === 0) return this.#newBlock();
    const block = this.#free;
    this.#free = this.#at.get(block);
    return block;
  }

  /** The number of a block that was never written. */
  giveBack(block: number): void {
    this.#segment.set(block, 0);
    this.#at.set(block, this.#free);
    this.#free = block;
  }

  /** `usedBytes` of the content are used: more than none. */
  write(block: number, content: Uint8Array, usedBytes: number): void {
    const isPlain = this.#segmentsBytes <= this.#segments.plainMaxBytes;
    const isRaw = !isPlain && this.#deflater?.hasRoom === true;
    const written = isPlain || isRaw ? content : deflated(content);
    const segment = isRaw ? this.#rawRoomFor(written.length) : this.#roomFor(written.length);
    const { number, end } = segment;
    this.#segments.write(number, end, written);
    this.#segment.set(block, number);
    this.#at.set(block, end);
    this.#written.set(block, written.length);
    this.#content.set(block, content.length);
    this.#used.set(block, usedBytes);
    segment.end += written.length;
    this.#segmentsBytes += written.length;
    segment.contentBytes += content.length;
    segment.usedBytes += usedBytes;
    segment.blocks.push(block);
    segment.raw?.push(written.length);
    this.contentBytes += content.length;
    this.usedBytes += usedBytes;
  }

  /** A view that holds until a block is freed. */
  read(block: number): Uint8Array {
    const slot = block % cachedBlocks;
    const cached = this.#cache[slot];
    if (cached?.block === block) return cached.content;
    const bytes = this.#written.get(block);
    const length = this.#content.get(block);
    const written = this.#segments.read(this.#segment.get(block), this.#at.get(block), bytes);
    const content = bytes === length ? written : inflated(written, length);
    this.#cache[slot] = { block, content };
    return content;
  }

  /** So much less of the block is used. */
  unuse(block: number, bytes: number): void {
    const number = this.#segment.get(block);
    const segment = present(this.#kept.get(number), 'the segment of a block');
    const used = this.#used.get(block) - bytes;
    this.#used.set(block, used);
    segment.usedBytes -= bytes;
    this.usedBytes -= bytes;
    if (used === 0) {
      this.#forget(block);
      this.giveBack(block);
    }
    if (segment.usedBytes === 0) this.#drop(segment);
  }

  /** The segment that is used least, of those that are full; undefined where there is none. */
  get emptiest(): number | undefined {
    let [emptiest, least] = [undefined as number | undefined, Number.POSITIVE_INFINITY];
    for (const segment of this.#kept.values()) {
      const part = segment.usedBytes / segment.contentBytes;
      if (segment === this.#last || segment.raw !== undefined || part >= least) continue;
      [emptiest, least] = [segment.number, part];
    }
    return emptiest;
  }

  /** A block of the segment that is not gone; undefined where there is none. */
  takeBlockOf(number: number): number | undefined {
    const blocks = this.#kept.get(number)?.blocks ?? [];
    for (let block = blocks.pop(); block !== undefined; block = blocks.pop())
      if (this.#segment.get(block) === number) return block;
    return undefined;
  }

  close(): void {
    this.#last = undefined;
    this.#lastRaw = undefined;
    this.#kept.clear();
    this.#cache.length = 0;
    this.#segmentsBytes = 0;
    this.#segments.close();
  }

  #newBlock(): number {
    const block = this.#at.length;
    for (const column of [this.#segment, this.#at, this.#written, this.#content, this.#used])
      column.push(0);
    return block;
  }

  /** What was read of it is where it was, not where it is. */
  #forget(block: number): void {
    const slot = block % cachedBlocks;
    if (this.#cache[slot]?.block === block) this.#cache[slot] = undefined;
  }

  #roomFor(bytes: number): Segment {
    if (!hasRoom(this.#last, bytes)) this.#last = this.#begin(this.#bytesFor(bytes));
    return this.#last;
  }

  #rawRoomFor(bytes: number): Segment {
    if (hasRoom(this.#lastRaw, bytes)) return this.#lastRaw;
    if (this.#lastRaw !== undefined) this.#deflate(this.#lastRaw);
    this.#lastRaw = this.#begin(this.#bytesFor(bytes), []);
    return this.#lastRaw;
  }

  #bytesFor(block: number): number {
    return Math.max(this.#segments.segmentBytes, block);
  }

  #begin(bytes: number, raw?: number[]): Segment {
    const segment: Segment = {
      number: ++this.#numbers,
      bytes,
      end: 0,
      contentBytes: 0,
      usedBytes: 0,
      blocks: [],
      raw,
    };
    this.#segments.begin(segment.number, segment.bytes);
    this.#kept.set(segment.number, segment);
    return segment;
  }

  #deflate(segment: Segment): void {
    const bytes = new Uint8Array(this.#segments.read(segment.number, 0, segment.end));
    this.#deflater?.deflate({ bytes, lengths: segment.raw ?? [] }).then(
      (row) => this.#replace(segment, row),
      // It stays as it is.
      () => {
        segment.raw = undefined;
      },
    );
  }

  /** Blocks that were freed since have no part in it, but their bytes are there. */
  #replace(raw: Segment, { bytes, lengths }: BlockRow): void {
    if (this.#kept.get(raw.number) !== raw) return;
    const made = this.#begin(bytes.length);
    this.#segments.write(made.number, 0, bytes);
    let from = 0;
    for (const [n, block] of raw.blocks.entries()) {
      const written = lengths[n] as number;
      if (this.#segment.get(block) === raw.number && this.#at.get(block) === from) {
        this.#forget(block);
        this.#segment.set(block, made.number);
        this.#at.set(block, made.end);
        this.#written.set(block, written);
        made.blocks.push(block);
      }
      made.end += written;
      from += raw.raw?.[n] as number;
    }
    made.contentBytes = raw.contentBytes;
    made.usedBytes = raw.usedBytes;
    this.#segmentsBytes += made.end;
    this.contentBytes += made.contentBytes;
    this.#drop(raw);
  }

  #drop(segment: Segment): void {
    const { number, end, contentBytes } = segment;
    if (segment === this.#last) this.#last = undefined;
    if (segment === this.#lastRaw) this.#lastRaw = undefined;
    this.#kept.delete(number);
    this.#segmentsBytes -= end;
    this.contentBytes -= contentBytes;
    this.#segments.drop(number);
  }
}

function hasRoom(segment: Segment | undefined, bytes: number): segment is Segment {
  return segment !== undefined && segment.end + bytes <= segment.bytes;
}

/** Into one piece of memory: what is left of it says that all came. */
function inflated(written: Uint8Array, bytes: number): Uint8Array {
  return inflateRawSync(written, { chunkSize: bytes + 64 });
}

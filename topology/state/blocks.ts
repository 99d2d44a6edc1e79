/**
 * Blocks of bytes in segments: some KiB each, deflated where that saves, with what is still used of
 * each block and each segment.
 *
 * Invariants:
 * 1. A block whose last used byte is freed is gone, and its number is used again; a segment whose
 *    last used byte is freed is dropped.
 * 2. A segment is written to once, at its end; what is freed in it is only free when it is dropped.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { present } from '../../schemas/kernel/assert.ts';
import { wholes } from './chunked.ts';
import type { Segments } from './segments.ts';

interface Segment {
  readonly bytes: number;
  /** Where the next block goes. */
  end: number;
  /** Contents of its blocks, gone ones among them. */
  contentBytes: number;
  usedBytes: number;
  /** Those that it was given: one that is gone may be elsewhere by now. */
  readonly blocks: number[];
}

/** A block is kept deflated when this part of it is saved. */
const savesPart = 1 / 8;
/** Contents that are kept as they were read last: one for each remainder of a block's number. */
const cachedBlocks = 64;
const columnBytes = 5 * 4;

export class Blocks {
  /** Contents of blocks in segments that are not dropped, and what of them is used. */
  contentBytes = 0;
  usedBytes = 0;
  #segmentsBytes = 0;
  readonly #segments: Segments;
  readonly #kept = new Map<number, Segment>();
  #last = 0;
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

  constructor(segments: Segments) {
    this.#segments = segments;
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
    const written = isPlain ? content : deflated(content);
    const segment = this.#roomFor(written.length);
    const { end } = segment;
    this.#segments.write(this.#last, end, written);
    this.#segment.set(block, this.#last);
    this.#at.set(block, end);
    this.#written.set(block, written.length);
    this.#content.set(block, content.length);
    this.#used.set(block, usedBytes);
    segment.end += written.length;
    this.#segmentsBytes += written.length;
    segment.contentBytes += content.length;
    segment.usedBytes += usedBytes;
    segment.blocks.push(block);
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
      const slot = block % cachedBlocks;
      if (this.#cache[slot]?.block === block) this.#cache[slot] = undefined;
      this.giveBack(block);
    }
    if (segment.usedBytes === 0) this.#drop(number, segment);
  }

  /** The segment that is used least, of those that are full; undefined where there is none. */
  get emptiest(): number | undefined {
    let [emptiest, least] = [undefined as number | undefined, Number.POSITIVE_INFINITY];
    for (const [number, { usedBytes, contentBytes }] of this.#kept) {
      const part = usedBytes / contentBytes;
      if (number === this.#last || part >= least) continue;
      [emptiest, least] = [number, part];
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

  #roomFor(bytes: number): Segment {
    const last = this.#kept.get(this.#last);
    if (last !== undefined && last.end + bytes <= last.bytes) return last;
    this.#last++;
    const segmentBytes = Math.max(this.#segments.segmentBytes, bytes);
    this.#segments.begin(this.#last, segmentBytes);
    const begun = { bytes: segmentBytes, end: 0, contentBytes: 0, usedBytes: 0, blocks: [] };
    this.#kept.set(this.#last, begun);
    return begun;
  }

  #drop(number: number, { end, contentBytes }: Segment): void {
    this.#kept.delete(number);
    this.#segmentsBytes -= end;
    this.contentBytes -= contentBytes;
    this.#segments.drop(number);
  }
}

/**
 * Into one piece of memory, which takes half of the time of several, and with a window of a block's
 * size: to make one of 32 KiB ready takes a third of the time, and saves nothing.
 */
function deflated(content: Uint8Array): Uint8Array {
  const chunkSize = content.length + 64;
  const small = deflateRawSync(content, { level: 1, windowBits: 13, chunkSize });
  return small.length <= content.length * (1 - savesPart) ? small : content;
}

/** Into one piece of memory: what is left of it says that all came. */
function inflated(written: Uint8Array, bytes: number): Uint8Array {
  return inflateRawSync(written, { chunkSize: bytes + 64 });
}

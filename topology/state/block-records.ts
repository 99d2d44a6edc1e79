/**
 * Records in blocks: a record is found in its block by its handle, also after its block was moved.
 *
 * Invariants:
 * 1. In a block each record has its handle and its length before it. It is the record of its handle
 *    only where the handle says so: else it was freed.
 * 2. Records come to the open block, in memory, which is written when it is full.
 * 3. While more than a quarter of all contents is not used, each block that is written moves what
 *    is used of a few blocks: a bounded piece with each `add`. So segments are at most about twice
 *    as large as what is in them.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import { kibi } from '../../schemas/kernel/bytes.ts';
import { Blocks } from './blocks.ts';
import { wholes } from './chunked.ts';
import type { BlockDeflater } from './deflate-blocks.ts';
import type { RecordStore } from './records.ts';
import type { Segments } from './segments.ts';

const blockBytes = 8 * kibi;
const headBytes = 8;
/** In the place of the length of a record: its handle is free. */
const freed = 0xff_ff_ff_ff;
const columnBytes = 3 * 4;
const unusedMaxPart = 1 / 4;
/** For each byte that is written as many are looked through, while too much is not used. */
const movedPerByte = 3;

export class BlockRecords implements RecordStore {
  records = 0;
  bytes = 0;
  readonly #segments: Segments;
  readonly #blocks: Blocks;
  // By handle: its block, where its head begins there, its length. Of a free one: the next free
  // handle, 0 for none.
  readonly #block = wholes();
  readonly #start = wholes();
  readonly #length = wholes();
  #free = 0;
  readonly #open = Buffer.allocUnsafeSlow(blockBytes);
  #openBlock: number;
  #openEnd = 0;
  #openUsed = 0;
  /** The segment whose records are moved. */
  #moving: number | undefined;

  /** `deflater`: of blocks that are kept deflated; absent: they are where they are written. */
  constructor(segments: Segments, deflater?: BlockDeflater) {
    this.#segments = segments;
    this.#blocks = new Blocks(segments, deflater);
    this.#openBlock = this.#blocks.take();
    this.#newHandle();
  }

  get heldBytes(): number {
    return this.#blocks.heldBytes + this.#length.length * columnBytes + blockBytes;
  }

  add(bytes: Uint8Array): number {
    const handle = this.#takeHandle();
    this.records++;
    this.bytes += bytes.length;
    const written = this.#put(handle, bytes);
    if (written > 0) this.#move(movedPerByte * written);
    return handle;
  }

  read(handle: number): Uint8Array {
    const length = this.#lengthOf(handle);
    const block = this.#block.get(handle);
    const content = block === this.#openBlock ? this.#open : this.#blocks.read(block);
    const from = this.#start.get(handle) + headBytes;
    return content.subarray(from, from + length);
  }

  free(handle: number): void {
    const length = this.#lengthOf(handle);
    this.records--;
    this.bytes -= length;
    this.#leave(handle, length);
    this.#length.set(handle, freed);
    this.#block.set(handle, this.#free);
    this.#free = handle;
  }

  close(): void {
    this.#blocks.close();
  }

  #lengthOf(handle: number): number {
    const isHandle = handle > 0 && handle < this.#length.length;
    const length = isHandle ? this.#length.get(handle) : freed;
    assert(length !== freed, 'a record that is not freed');
    return length;
  }

  /** Puts a record into the open block; says what was written for it. */
  #put(handle: number, bytes: Uint8Array): number {
    const all = headBytes + bytes.length;
    const written = this.#openEnd + all > blockBytes ? this.#writeOpen() : 0;
    if (all > blockBytes) return written + this.#writeAlone(handle, bytes);
    putRecord(this.#open, this.#openEnd, handle, bytes);
    this.#place(handle, this.#openBlock, this.#openEnd, bytes.length);
    this.#openEnd += all;
    this.#openUsed += all;
    return written;
  }

  #place(handle: number, block: number, start: number, length: number): void {
    this.#block.set(handle, block);
    this.#start.set(handle, start);
    this.#length.set(handle, length);
  }

  /** Its place is not its own any more. */
  #leave(handle: number, length: number): void {
    const block = this.#block.get(handle);
    const all = headBytes + length;
    if (block !== this.#openBlock) {
      this.#blocks.unuse(block, all);
      return;
    }
    this.#openUsed -= all;
    if (this.#openUsed === 0) this.#openEnd = 0;
  }

  #writeOpen(): number {
    const written = this.#openEnd;
    if (written === 0) return 0;
    this.#blocks.write(this.#openBlock, this.#open.subarray(0, written), this.#openUsed);
    this.#openBlock = this.#blocks.take();
    this.#openEnd = 0;
    this.#openUsed = 0;
    return written;
  }

  /** A record that is larger than a block is one. */
  #writeAlone(handle: number, bytes: Uint8Array): number {
    const content = Buffer.allocUnsafe(headBytes + bytes.length);
    putRecord(content, 0, handle, bytes);
    const block = this.#blocks.take();
    this.#blocks.write(block, content, content.length);
    this.#place(handle, block, 0, bytes.length);
    return content.length;
  }

  /** Looks through about `maxBytes` of blocks that are used least, and moves what is used. */
  #move(maxBytes: number): void {
    const blocks = this.#blocks;
    for (let left = maxBytes; left > 0; ) {
      const unused = blocks.contentBytes - blocks.usedBytes;
      const kept = Math.max(blocks.contentBytes * unusedMaxPart, 2 * this.#segments.segmentBytes);
      if (unused <= kept) return;
      this.#moving ??= blocks.emptiest;
      if (this.#moving === undefined) return;
      const block = blocks.takeBlockOf(this.#moving);
      if (block === undefined) this.#moving = undefined;
      else left -= this.#moveFrom(block);
    }
  }

  #moveFrom(block: number): number {
    const content = Buffer.from(this.#blocks.read(block));
    for (let at = 0; at < content.length; ) {
      const handle = content.readUInt32LE(at);
      const length = content.readUInt32LE(at + 4);
      if (this.#isAt(handle, block, at)) {
        // First to its new place: what is left empty is dropped.
        const bytes = content.subarray(at + headBytes, at + headBytes + length);
        this.#blocks.unuse(block, headBytes + length);
        this.#put(handle, bytes);
      }
      at += headBytes + length;
    }
    return content.length;
  }

  #isAt(handle: number, block: number, start: number): boolean {
    const isUsed = this.#length.get(handle) !== freed;
    return isUsed && this.#block.get(handle) === block && this.#start.get(handle) === start;
  }

  #takeHandle(): number {
    if (this.#free === 0) return this.#newHandle();
    const handle = this.#free;
    this.#free = this.#block.get(handle);
    return handle;
  }

  #newHandle(): number {
    const handle = this.#length.length;
    for (const column of [this.#block, this.#start, this.#length]) column.push(0);
    return handle;
  }
}

function putRecord(into: Buffer, at: number, handle: number, bytes: Uint8Array): void {
  into.writeUInt32LE(handle, at);
  into.writeUInt32LE(bytes.length, at + 4);
  into.set(bytes, at + headBytes);
}

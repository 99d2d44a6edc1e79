/**
 * Blocks deflated each for itself, so that each is read alone.
 */
import { deflateRawSync } from 'node:zlib';

/** Blocks, one behind the other without a gap. */
export interface BlockRow {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lengths: readonly number[];
}

/** Deflates beside the turns of the job: a port. */
export interface BlockDeflater {
  /** False while it has as much to do as it takes, and after it ended. */
  readonly hasRoom: boolean;
  /**
   * Takes the memory over. As many blocks in their order, each deflated where that saves. Rejects
   * when it ends before.
   */
  deflate(blocks: BlockRow): Promise<BlockRow>;
}

/** A block is kept deflated when this part of it is saved. */
const savesPart = 1 / 8;

/**
 * As fast as zlib goes: into one piece of memory, which takes half of the time of several, and with
 * the larger of its tables, which takes an eighth less time (Node 20, blocks of 8 KiB). `windowBits`:
 * of the window, as zlib has them.
 */
export function deflatedFast(bytes: Uint8Array, windowBits = 15): Buffer {
  return deflateRawSync(bytes, {
    level: 1,
    memLevel: 9,
    windowBits,
    chunkSize: bytes.length + 64,
  });
}

/**
 * The content, or less bytes that inflate to it. To make a window of a block's size ready takes a
 * third of the time of one of 32 KiB, which saves nothing.
 */
export function deflated(content: Uint8Array): Uint8Array {
  const small = deflatedFast(content, 13);
  return small.length <= content.length * (1 - savesPart) ? small : content;
}

/** The same of each block of a row. */
export function deflatedBlocks({ bytes, lengths }: BlockRow): BlockRow {
  const into = new Uint8Array(bytes.length);
  let [from, to] = [0, 0];
  const made = lengths.map((length) => {
    const block = deflated(bytes.subarray(from, from + length));
    into.set(block, to);
    from += length;
    to += block.length;
    return block.length;
  });
  return { bytes: into.slice(0, to), lengths: made };
}

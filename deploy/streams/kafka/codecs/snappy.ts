/**
 * Snappy as Kafka has it. Its own clients write the framing of snappy-java: a head, then blocks
 * with their lengths; librdkafka and others write one block without it, and every client reads
 * both. https://github.com/xerial/snappy-java (SnappyOutputStream)
 */
import { assert } from '../../../../schemas/kernel/assert.ts';
import { limits } from '../../../../schemas/limits.ts';
import type { Coding } from './coding.ts';
import { TooManyBytes } from './coding.ts';

/** What is used of the package. */
export interface SnappyPackage {
  compressSync(bytes: Uint8Array): Buffer;
  uncompressSync(bytes: Uint8Array): Buffer | string;
}

const magic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
/** Version and compatible version. */
const head = Buffer.concat([magic, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])]);
const blockBytes = 32 * 1_024;

export function snappyCodec(snappy: SnappyPackage): Coding {
  const inflated = (block: Buffer): Buffer => {
    const bytes = snappy.uncompressSync(block);
    assert(typeof bytes !== 'string', 'bytes are given as bytes');
    return bytes;
  };
  return {
    async inflate(bytes) {
      const blocks = blocksOf(bytes);
      let sum = 0;
      for (const block of blocks) sum += lengthOf(block);
      if (sum > limits.kafkaBatchInflatedMaxBytes)
        throw new TooManyBytes(`it would become ${sum} bytes`, sum);
      return blocks.length === 1
        ? inflated(blocks[0] as Buffer)
        : Buffer.concat(blocks.map(inflated));
    },
    async deflate(bytes) {
      const pieces: Buffer[] = [head];
      for (let at = 0; at < bytes.length; at += blockBytes) {
        const block = snappy.compressSync(bytes.subarray(at, at + blockBytes));
        const length = Buffer.alloc(4);
        length.writeInt32BE(block.length);
        pieces.push(length, block);
      }
      return Buffer.concat(pieces);
    },
  };
}

function blocksOf(bytes: Buffer): readonly Buffer[] {
  if (!bytes.subarray(0, magic.length).equals(magic)) return [bytes];
  const blocks: Buffer[] = [];
  for (let at = head.length; at < bytes.length; ) {
    const begin = at + 4;
    at = begin + bytes.readUInt32BE(at);
    if (at > bytes.length) throw new RangeError('a block ends too soon');
    blocks.push(bytes.subarray(begin, at));
  }
  return blocks;
}

/** What a block begins with: https://github.com/google/snappy/blob/main/format_description.txt */
function lengthOf(block: Buffer): number {
  let length = 0;
  for (let n = 0; n < 5; n++) {
    const byte = block.readUInt8(n);
    length += (byte & 127) * 128 ** n;
    if (byte < 128) return length;
  }
  throw new RangeError('a block has no length');
}

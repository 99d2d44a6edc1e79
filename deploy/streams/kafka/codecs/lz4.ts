/**
 * LZ4 frames, as Kafka has them since its records have form 2.
 * https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
import { limits } from '../../../../schemas/limits.ts';
import type { Coding } from './coding.ts';
import { TooManyBytes } from './coding.ts';

/** What is used of the package. */
export interface Lz4Package {
  compressFrame(bytes: Uint8Array): Promise<Buffer>;
  decompressFrame(bytes: Uint8Array): Promise<Buffer>;
}

/** Most bytes that one compressed byte can stand for. */
const growthMax = 255;

export function lz4Codec(lz4: Lz4Package): Coding {
  return {
    async inflate(bytes) {
      const most = inflatedMaxBytes(bytes);
      if (most > limits.kafkaBatchInflatedMaxBytes)
        throw new TooManyBytes(`it would become up to ${most} bytes`, most);
      return lz4.decompressFrame(bytes);
    },
    deflate: (bytes) => lz4.compressFrame(bytes),
  };
}

/** What the blocks of a frame can become. Throws a RangeError when it ends too soon. */
function inflatedMaxBytes(frame: Buffer): number {
  const flags = frame.readUInt8(4);
  const blockMax = 1 << (8 + 2 * ((frame.readUInt8(5) >> 4) & 7));
  const checksum = (flags & 0x10) === 0 ? 0 : 4;
  let most = 0;
  // Behind the size of the content and the dictionary's id, where they are, and the head's
  // checksum.
  for (let at = 7 + ((flags & 0x08) === 0 ? 0 : 8) + ((flags & 0x01) === 0 ? 0 : 4); ; ) {
    const size = frame.readUInt32LE(at);
    if (size === 0) return most;
    const own = size & 0x7fffffff;
    most += size === own ? Math.min(blockMax, own * growthMax) : own;
    at += 4 + own + checksum;
  }
}

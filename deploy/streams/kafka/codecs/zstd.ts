/**
 * Zstandard. Node's own zlib has it from 22.15 on, off the main thread; before, it is read by
 * fzstd, and written by Zstandard's own code in WebAssembly.
 */
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { limits } from '../../../../schemas/limits.ts';
import type { Coding } from './coding.ts';
import { TooManyBytes } from './coding.ts';

/** What is used of fzstd. */
export interface FzstdPackage {
  readonly Decompress: new (
    take: (piece: Uint8Array) => void,
  ) => { push(bytes: Uint8Array, last: boolean): void };
}

/** What is used of @hpcc-js/wasm-zstd. */
export interface WasmZstdPackage {
  readonly Zstd: { load(): Promise<{ compress(bytes: Uint8Array): Uint8Array }> };
}

type Convert = (
  bytes: Uint8Array,
  options: { readonly maxOutputLength?: number },
  done: (error: Error | null, made: Buffer) => void,
) => void;

const maxOutputLength = limits.kafkaBatchInflatedMaxBytes;

/** Node's, where it has one. */
export function ownZstd(
  own: { readonly zstdCompress?: Convert; readonly zstdDecompress?: Convert } = zlib as object,
): Coding | undefined {
  const { zstdCompress, zstdDecompress } = own;
  if (zstdCompress === undefined || zstdDecompress === undefined) return undefined;
  const [compress, decompress] = [promisify(zstdCompress), promisify(zstdDecompress)];
  return {
    inflate: (bytes) => decompress(bytes, { maxOutputLength }),
    deflate: (bytes) => compress(bytes, {}),
  };
}

export function zstdCodec({ Decompress }: FzstdPackage, { Zstd }: WasmZstdPackage): Coding {
  return {
    async inflate(bytes) {
      const pieces: Buffer[] = [];
      let length = 0;
      const stream = new Decompress((piece) => {
        length += piece.length;
        if (length > maxOutputLength)
          throw new TooManyBytes(`it would become more than ${maxOutputLength} bytes`, length);
        // Of memory that is used again.
        pieces.push(Buffer.from(piece));
      });
      stream.push(bytes, true);
      return Buffer.concat(pieces);
    },
    async deflate(bytes) {
      const zstd = await Zstd.load();
      return Buffer.from(zstd.compress(bytes));
    },
  };
}

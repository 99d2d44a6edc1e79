/**
 * The text of a blob of staged writes: a line a chunk, each the JSON of an array of writes. Pure.
 *
 * A disk that lost power may give back a file with other bytes behind what was written, often NUL;
 * so the state says how many bytes count, and what they add up to.
 *
 * Invariants:
 * 1. Nothing behind the bytes that the state names is read: it is cut.
 * 2. Bytes that are not those that were staged are never applied, not even in part.
 */
import { crc32 } from 'node:zlib';
import { bufferOf } from '../../schemas/kernel/buffer-of.ts';
import { messageOf } from '../../schemas/kernel/errors.ts';
import type { GraphWrite } from '../../topology/index.ts';

/**
 * What a state says of a blob. `bytes` and `crc` are absent in states from before they were kept.
 */
export interface ChunksSum {
  readonly chunks: number;
  readonly bytes?: number;
  readonly crc?: number;
}

export type ReadChunks =
  | { readonly kind: 'chunks'; readonly chunks: readonly (readonly GraphWrite[])[] }
  | { readonly kind: 'damaged'; readonly why: string };

const lineBreak = 0x0a;

export function encodeChunks(chunks: readonly string[]): {
  readonly text: Uint8Array;
  readonly sum: Required<ChunksSum>;
} {
  const text = Buffer.from(chunks.map((chunk) => `${chunk}\n`).join(''));
  return { text, sum: { chunks: chunks.length, bytes: text.length, crc: crc32(text) } };
}

export function readChunks(blob: Uint8Array, sum: ChunksSum): ReadChunks {
  const bytes = sum.bytes ?? lineEnd(blob, sum.chunks);
  if (bytes === undefined || blob.length < bytes)
    return damaged(`is cut off: it has ${blob.length} bytes`, sum);
  const text = blob.subarray(0, bytes);
  if (sum.crc !== undefined && crc32(text) !== sum.crc)
    return damaged('is damaged: its bytes are not those that were staged', sum);
  const lines = bufferOf(text).toString('utf8').split('\n').slice(0, -1);
  if (lines.length !== sum.chunks) return damaged(`has ${lines.length} chunks`, sum);
  try {
    return { kind: 'chunks', chunks: lines.map((line) => JSON.parse(line) as GraphWrite[]) };
  } catch (thrown) {
    return damaged(`is damaged: ${messageOf(thrown)}`, sum);
  }
}

/** Where the line of that number ends. */
function lineEnd(blob: Uint8Array, lines: number): number | undefined {
  let end = 0;
  for (let line = 0; line < lines; line++) {
    const at = blob.indexOf(lineBreak, end);
    if (at === -1) return undefined;
    end = at + 1;
  }
  return end;
}

function damaged(what: string, { chunks, bytes }: ChunksSum): ReadChunks {
  const expected = bytes === undefined ? `${chunks} chunks` : `${chunks} chunks in ${bytes} bytes`;
  return { kind: 'damaged', why: `${what}, expected ${expected}` };
}

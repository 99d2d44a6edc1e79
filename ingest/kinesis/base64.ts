/**
 * Bytes as base64 straight into a buffer. Node has no such call: its text is a string, twice as long on the heap for a moment as what it is
 * made of, and at 5 KB an event the collector's work on it costs more than the encoding. In WebAssembly: base64.wat, compiled; a test compiles
 * it again and compares.
 *
 * Invariant: what is written is what `Buffer.concat(pieces).toString('base64')` says.
 */
import { assert } from '../../schemas/kernel/assert.ts';

const binary =
  'AGFzbQEAAAABBQFgAX8AAwIBAAUDAQACBxMCBm1lbW9yeQIABmVuY29kZQAACvoBAfcBAgJ/CXv9DAA/AAAAPwAAAD8AAAA/AAAhBf0MAAA/AAAAPwAAAD8AAAA/ACEG/Q' +
  'wAAAA/AAAAPwAAAD8AAAA/IQf9DEf8/Pz8/Pz8/Pz87fBBAAAhCEEz/Q8hCUEa/Q8hCkEN/Q8hC0GAgAQhAgJAA0AgASAATw0BIAH9AAQAIAT9DQIBABAFBAMQCAcGEAsK' +
  'CRAhAyADQRL9rQEgA0EE/a0BIAX9Tv1QIANBCv2rASAG/U4gA0EY/asBIAf9Tv1Q/VAhAyACIAMgCCADIAn9cyADIAr9JiAL/U79UP0O/W79CwQAIAFBDGohASACQRBqIQ' +
  'IMAAsLCw==';

/** What is used of it: the types of Node declare the name, and nothing of it that can be made. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> };
};

/** Bytes at a time; whole rounds, and no padding within. */
const chunkBytes = 49_152;
const outputAt = 65_536;
const padding = 0x3d;

const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(binary, 'base64')));
const encode = exports['encode'] as (bytes: number) => void;
const memory = Buffer.from((exports['memory'] as { readonly buffer: ArrayBuffer }).buffer);
const output = memory.subarray(outputAt);
assert(chunkBytes % 12 === 0 && base64Length(chunkBytes) <= output.length, 'the memory holds a chunk and its text');

/** Characters of so many bytes, padding included. */
export function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}

/** Writes the pieces, joined, at `at`; where it ends. The target has room. */
export function writeBase64(pieces: readonly Uint8Array[], target: Buffer, at: number): number {
  let filled = 0;
  let end = at;
  for (const piece of pieces) {
    for (let from = 0; from < piece.length; ) {
      const part = Math.min(piece.length - from, chunkBytes - filled);
      memory.set(part === piece.length ? piece : piece.subarray(from, from + part), filled);
      filled += part;
      from += part;
      if (filled === chunkBytes) {
        end = writeChunk(filled, target, end);
        filled = 0;
      }
    }
  }
  return filled === 0 ? end : writeChunk(filled, target, end);
}

function writeChunk(bytes: number, target: Buffer, at: number): number {
  memory[bytes] = 0;
  memory[bytes + 1] = 0;
  encode(bytes);
  const length = base64Length(bytes);
  for (let missing = (3 - (bytes % 3)) % 3; missing > 0; missing--) output[length - missing] = padding;
  output.copy(target, at, 0, length);
  return at + length;
}

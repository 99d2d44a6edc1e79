/**
 * Decompression with a bound: a small body must not become a large one in memory.
 *
 * Invariants:
 * 1. What comes out is counted as it comes, in every encoding; past its bound the inflater is
 *    destroyed.
 * 2. A body is inflated whole or refused: one that ends early is broken, and so is one with
 *    anything behind its end (but zeros behind gzip, which pad files). Members of gzip follow each
 *    other (RFC 1952, section 2.2).
 * 3. Every inflater is destroyed, however its body ends.
 */
import type { BrotliDecompress, Gunzip, Inflate, InflateRaw } from 'node:zlib';
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
} from 'node:zlib';
import { messageOf } from '../../schemas/kernel/errors.ts';
import type { Refusal } from '../event/refusal.ts';

export type Encoding = 'identity' | 'gzip' | 'deflate' | 'br';
export type Inflater = Gunzip | BrotliDecompress | Inflate | InflateRaw;

const names: Readonly<Record<string, Encoding>> = {
  '': 'identity',
  identity: 'identity',
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
  br: 'br',
};

export function encodingOf(header: string): Encoding | Refusal {
  if (header === '') return 'identity';
  const name = header.trim().toLowerCase();
  // Its own names only: a client may also write the name of what every object has.
  const encoding = Object.hasOwn(names, name) ? names[name] : undefined;
  return (
    encoding ?? {
      status: 400,
      code: 'content-encoding-unknown',
      message: `the content encoding '${name.slice(0, 40)}' is not supported`,
      expected: 'gzip, deflate, br or none',
    }
  );
}

/**
 * Inflates off the main thread and stops past `maxBytes`, or as soon as `grown` refuses: it is told
 * of the bytes as they come, so that what many bodies inflate to is bounded together, not each
 * alone.
 */
export function decompress(
  body: Buffer,
  encoding: Exclude<Encoding, 'identity'>,
  maxBytes: number,
  grown: (bytes: number) => Refusal | undefined,
): Promise<Buffer | Refusal> {
  return new Promise((resolve) => {
    const inflater = decompressor(encoding, body);
    const chunks: Buffer[] = [];
    let length = 0;
    const end = (result: Buffer | Refusal): void => {
      resolve(result);
      inflater.destroy();
    };
    inflater.on('data', (chunk: Buffer) => {
      length += chunk.length;
      const refused =
        length > maxBytes ? inflatesTooLarge(body.length, maxBytes) : grown(chunk.length);
      if (refused !== undefined) return end(refused);
      chunks.push(chunk);
    });
    inflater.once('end', () =>
      end(checkEnd(inflater, encoding, body.length) ?? Buffer.concat(chunks, length)),
    );
    // Stays: an error after the end would have nobody to hear it.
    inflater.on('error', (thrown) => end(notInflatable(messageOf(thrown), encoding)));
    inflater.end(body);
  });
}

/** Inflates a stream of chunks as they come; `first` has the first two bytes at least. */
export function decompressor(encoding: Exclude<Encoding, 'identity'>, first: Buffer): Inflater {
  if (encoding === 'gzip') return createGunzip();
  // A window of up to 1 GiB is not a part of the encoding that HTTP knows (RFC 7932).
  if (encoding === 'br')
    return createBrotliDecompress({ params: { [constants.BROTLI_DECODER_PARAM_LARGE_WINDOW]: 0 } });
  return hasZlibHead(first) ? createInflate() : createInflateRaw();
}

/**
 * The window that an inflater takes, which a decoder of Brotli may fill before a single byte comes
 * out: RFC 7932, section 9.1; 32 KiB in RFC 1951, and as much again for zlib's own state.
 */
export function windowBytes(encoding: Exclude<Encoding, 'identity'>, first: Buffer): number {
  if (encoding !== 'br') return 65_536;
  const [bits = 0] = first;
  if ((bits & 1) === 0) return 2 ** 16;
  const large = (bits >> 1) & 7;
  if (large !== 0) return 2 ** (17 + large);
  const small = (bits >> 4) & 7;
  return small === 0 ? 2 ** 17 : 2 ** (8 + small);
}

/** Whether an inflater that has ended used all of the `arrived` bytes. */
export function checkEnd(
  inflater: Inflater,
  encoding: string,
  arrived: number,
): Refusal | undefined {
  const left = arrived - inflater.bytesWritten;
  // What is not a member and no zero behind gzip is an error already.
  return left === 0 || encoding === 'gzip'
    ? undefined
    : notInflatable(`${left} bytes follow its end`, encoding);
}

export function inflatesTooLarge(arrivedBytes: number, maxBytes: number): Refusal {
  const message = `the body of ${arrivedBytes} bytes inflates to more than ${maxBytes}`;
  return {
    status: 413,
    code: 'body-inflates-too-large',
    message,
    expected: `at most ${maxBytes} bytes after decompression`,
  };
}

export function notInflatable(why: string, encoding: string): Refusal {
  return {
    status: 400,
    code: 'not-inflatable',
    message: `the body cannot be decompressed: ${why}`,
    expected: `one whole body of ${encoding}`,
  };
}

/**
 * `deflate` is zlib's format (RFC 1950); some clients send the bare one (RFC 1951). Its head tells:
 * method 8, and a checksum of 31.
 */
function hasZlibHead(body: Buffer): boolean {
  const [method = 0, flags = 0] = body;
  return (method & 0x0f) === 8 && (method * 256 + flags) % 31 === 0;
}

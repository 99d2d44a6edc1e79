/**
 * Decompression with a bound: a small body must not become a large one in memory.
 */
import type { Transform } from 'node:stream';
import type { ZlibOptions } from 'node:zlib';
import {
  brotliDecompress,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  gunzip,
  inflate,
  inflateRaw,
} from 'node:zlib';
import { messageOf, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { Refusal } from '../protocol/refusal.ts';

export type Encoding = 'identity' | 'gzip' | 'deflate' | 'br';

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
      message: `the content encoding '${name.slice(0, 40)}' is not read`,
      expected: 'gzip, deflate, br or none',
    }
  );
}

type Inflate = (body: Buffer, options: ZlibOptions, done: (thrown: Error | null, decoded: Buffer) => void) => void;

/** Inflates off the main thread and stops at `maxBytes`. */
export function decompress(body: Buffer, encoding: Exclude<Encoding, 'identity'>, maxBytes: number): Promise<Buffer | Refusal> {
  return new Promise((resolve) => {
    inflaterOf(encoding, body)(body, { maxOutputLength: maxBytes }, (thrown, decoded) => {
      if (thrown === null) resolve(decoded);
      else if (systemCodeOf(thrown) === 'ERR_BUFFER_TOO_LARGE') {
        const message = `the body of ${body.length} bytes inflates to more than ${maxBytes}`;
        resolve({ status: 413, code: 'body-inflates-too-large', message, expected: `at most ${maxBytes} bytes after decompression` });
      } else
        resolve({ status: 400, code: 'not-inflatable', message: `the body does not inflate: ${messageOf(thrown)}`, expected: encoding });
    });
  });
}

/** Inflates a stream of chunks as they come. */
export function decompressor(encoding: Exclude<Encoding, 'identity'>, first: Buffer): Transform {
  if (encoding === 'gzip') return createGunzip();
  if (encoding === 'br') return createBrotliDecompress();
  return hasZlibHead(first) ? createInflate() : createInflateRaw();
}

function inflaterOf(encoding: Exclude<Encoding, 'identity'>, body: Buffer): Inflate {
  if (encoding === 'gzip') return gunzip;
  if (encoding === 'br') return brotliDecompress as Inflate;
  return hasZlibHead(body) ? inflate : inflateRaw;
}

/** `deflate` is zlib's format (RFC 1950); some clients send the bare one (RFC 1951). Its head tells: method 8, and a checksum of 31. */
function hasZlibHead(body: Buffer): boolean {
  const [method = 0, flags = 0] = body;
  return (method & 0x0f) === 8 && (method * 256 + flags) % 31 === 0;
}

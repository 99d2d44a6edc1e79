/**
 * Decompression with a bound: a small body must not become a large one in memory.
 */
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { messageOf } from '../../schemas/kernel/errors.ts';
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

/**
 * Inflates off the main thread and stops past `maxBytes`, or as soon as `grown` refuses: it is told of the bytes as they come, so that what
 * many bodies inflate to is bounded together, not each alone.
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
    const stop = (refusal: Refusal): void => {
      resolve(refusal);
      inflater.destroy();
    };
    inflater.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxBytes) {
        const message = `the body of ${body.length} bytes inflates to more than ${maxBytes}`;
        return stop({ status: 413, code: 'body-inflates-too-large', message, expected: `at most ${maxBytes} bytes after decompression` });
      }
      const refused = grown(chunk.length);
      if (refused !== undefined) return stop(refused);
      chunks.push(chunk);
    });
    inflater.once('end', () => resolve(Buffer.concat(chunks, length)));
    // Stays: an error after the end would have nobody to hear it.
    inflater.on('error', (thrown) =>
      resolve({ status: 400, code: 'not-inflatable', message: `the body does not inflate: ${messageOf(thrown)}`, expected: encoding }),
    );
    inflater.end(body);
  });
}

/** Inflates a stream of chunks as they come; `first` has the first two bytes at least. */
export function decompressor(encoding: Exclude<Encoding, 'identity'>, first: Buffer): Transform {
  if (encoding === 'gzip') return createGunzip();
  if (encoding === 'br') return createBrotliDecompress();
  return hasZlibHead(first) ? createInflate() : createInflateRaw();
}

/** `deflate` is zlib's format (RFC 1950); some clients send the bare one (RFC 1951). Its head tells: method 8, and a checksum of 31. */
function hasZlibHead(body: Buffer): boolean {
  const [method = 0, flags = 0] = body;
  return (method & 0x0f) === 8 && (method * 256 + flags) % 31 === 0;
}

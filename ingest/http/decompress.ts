/**
 * Decompression with a bound: a small body must not become a large one in memory.
 */
import { gunzip } from 'node:zlib';
import { messageOf, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { Refusal } from '../protocol/refusal.ts';

export type Encoding = 'identity' | 'gzip';

export function encodingOf(header: string): Encoding | Refusal {
  const name = header.trim().toLowerCase();
  if (name === '' || name === 'identity') return 'identity';
  if (name === 'gzip' || name === 'x-gzip') return 'gzip';
  return {
    status: 400,
    code: 'content-encoding-unknown',
    message: `the content encoding '${name.slice(0, 40)}' is not read`,
    expected: 'gzip or none',
  };
}

/** Inflates off the main thread and stops at `maxBytes`. */
export function decompress(body: Buffer, maxBytes: number): Promise<Buffer | Refusal> {
  return new Promise((resolve) => {
    gunzip(body, { maxOutputLength: maxBytes }, (thrown, decoded) => {
      if (thrown === null) resolve(decoded);
      else if (systemCodeOf(thrown) === 'ERR_BUFFER_TOO_LARGE') {
        const message = `the body of ${body.length} bytes inflates to more than ${maxBytes}`;
        resolve({ status: 413, code: 'body-inflates-too-large', message, expected: `at most ${maxBytes} bytes after decompression` });
      } else resolve({ status: 400, code: 'not-gzip', message: `the body does not inflate: ${messageOf(thrown)}`, expected: 'gzip' });
    });
  });
}

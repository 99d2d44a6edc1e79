/**
 * What `send` reads: a file or standard input, plain, gzip (RFC 1952) or Zstandard (RFC 8878),
 * known by its first bytes and not by its name.
 *
 * Invariants:
 * 1. Memory does not grow with the file, nor with what little of it inflates to.
 * 2. What cannot be read is a `SluiceError` that names the input.
 */
import type { Stats } from 'node:fs';
import { createReadStream, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { messageOf, SluiceError, systemCodeOf } from '../../../../schemas/kernel/errors.ts';

export interface SendInput {
  /** As errors call it. */
  readonly name: string;
  /** Of a regular file, which can be read again; undefined of anything else. */
  readonly stats: Stats | undefined;
  /**
   * Decompressed. Rejects with `SluiceError` `input-damaged`, `input-unreadable`, `input-format`.
   */
  readonly chunks: AsyncIterable<Buffer>;
  /** Bytes that were read, before they were decompressed. */
  consumed(): number;
  close(): void;
}

/** Throws `SluiceError` `file-missing`, `file-denied`, `file-invalid`, `input-unreadable`. */
export function openInput(file: string): SendInput {
  const name = file === '-' ? 'standard input' : file;
  const stats = file === '-' ? undefined : statsOf(file);
  const raw: Readable = file === '-' ? process.stdin : createReadStream(file);
  let consumed = 0;
  async function* counted(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of raw as AsyncIterable<Buffer>) {
        consumed += chunk.length;
        yield chunk;
      }
    } catch (cause) {
      throw unreadable(name, cause);
    }
  }
  return {
    name,
    stats: stats?.isFile() === true ? stats : undefined,
    chunks: decompressed(counted(), name),
    consumed: () => consumed,
    close: () => void raw.destroy(),
  };
}

function statsOf(file: string): Stats {
  let stats: Stats;
  try {
    stats = statSync(file);
  } catch (cause) {
    throw unreadable(file, cause);
  }
  if (stats.isDirectory())
    throw new SluiceError('file-invalid', `${file} is a folder: expected a file`, {
      fix: 'send its files one by one, or cat FILES | sluice send -',
    });
  return stats;
}

function unreadable(name: string, cause: unknown): SluiceError {
  switch (systemCodeOf(cause)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new SluiceError(
        'file-missing',
        `${name} does not exist: expected a file, or - for standard input`,
        { cause },
      );
    case 'EACCES':
    case 'EPERM':
      return new SluiceError('file-denied', `${name} cannot be read: permission denied`, {
        cause,
        fix: 'run as a user who may read it',
      });
    default:
      return new SluiceError('input-unreadable', `${name} cannot be read: ${messageOf(cause)}`, {
        cause,
      });
  }
}

type InputFormat = 'plain' | 'gzip' | 'zstd';

/** First bytes of formats that are known and not read. */
const others: readonly (readonly [bytes: readonly number[], what: string, fix: string])[] = [
  [[0x42, 0x5a, 0x68], 'compressed with bzip2', 'bzip2 -dc FILE | sluice send -'],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a], 'compressed with xz', 'xz -dc FILE | sluice send -'],
  [[0x04, 0x22, 0x4d, 0x18], 'compressed with lz4', 'lz4 -dc FILE | sluice send -'],
  [[0x50, 0x4b, 0x03, 0x04], 'a zip archive', 'unzip -p FILE | sluice send -'],
  [[0x50, 0x41, 0x52, 0x31], 'a Parquet file', 'export it as JSON lines first'],
  [[0xff, 0xfe], 'UTF-16 text', 'iconv -f UTF-16 -t UTF-8 FILE | sluice send -'],
  [[0xfe, 0xff], 'UTF-16 text', 'iconv -f UTF-16 -t UTF-8 FILE | sluice send -'],
];
const gzipMark = [0x1f, 0x8b];
const zstdMark = [0x28, 0xb5, 0x2f, 0xfd];
/** Of a skippable frame, behind its first byte. */
const skippableMark = [0x2a, 0x4d, 0x18];

const begins = (bytes: Iterable<number>, mark: readonly number[]): boolean =>
  [...bytes].every((byte, index) => index >= mark.length || mark[index] === byte);
const has = (head: Buffer, mark: readonly number[]): boolean =>
  head.length >= mark.length && begins(head, mark);
const isSkippable = (first: number | undefined): boolean =>
  first !== undefined && (first & 0xf0) === 0x50;

/**
 * Whether more bytes can still tell of another format: a pipe that is slow must not wait for them
 * otherwise.
 */
function isOpen(head: Buffer): boolean {
  const marks = [gzipMark, zstdMark, ...others.map(([mark]) => mark)];
  const short = marks.some((mark) => head.length < mark.length && begins(head, mark));
  return (
    short ||
    (head.length < 1 + skippableMark.length &&
      isSkippable(head[0]) &&
      begins(head.subarray(1), skippableMark))
  );
}

/** Pure. Throws `SluiceError` `input-format`. */
function formatOf(head: Buffer, name: string): InputFormat {
  if (has(head, gzipMark)) return 'gzip';
  // A skippable frame may come before one with data.
  if (has(head, zstdMark) || (isSkippable(head[0]) && has(head.subarray(1), skippableMark)))
    return 'zstd';
  const known = others.find(([mark]) => has(head, mark));
  if (known === undefined) return 'plain';
  throw new SluiceError(
    'input-format',
    `${name} is ${known[1]}: expected JSON in UTF-8, plain, gzip or zstd`,
    { fix: known[2] },
  );
}

async function* decompressed(chunks: AsyncGenerator<Buffer>, name: string): AsyncGenerator<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (isOpen(head)) {
    const next = await chunks.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const whole = joined(head, chunks);
  switch (formatOf(head, name)) {
    case 'plain':
      yield* whole;
      return;
    case 'gzip':
      yield* gunzipped(whole, name);
      return;
    case 'zstd':
      yield* unzstd(whole, name);
  }
}

async function* joined(head: Buffer, chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  yield* chunks;
}

async function* gunzipped(chunks: AsyncIterable<Buffer>, name: string): AsyncGenerator<Buffer> {
  const gunzip = createGunzip();
  const source = Readable.from(chunks, { objectMode: false });
  source.once('error', (thrown) => gunzip.destroy(thrown));
  try {
    for await (const chunk of source.pipe(gunzip) as AsyncIterable<Buffer>) yield chunk;
  } catch (thrown) {
    throw thrown instanceof SluiceError ? thrown : damaged(name, 'gzip', thrown);
  } finally {
    source.destroy();
  }
}

/** So little is given at a time because each byte of it may stand for many KiB. */
const zstdStepBytes = 1_024;

/**
 * By fzstd in every version of Node: its own zlib has Zstandard from 22.15 on only. A frame's
 * checksum is not verified.
 */
async function* unzstd(chunks: AsyncIterable<Buffer>, name: string): AsyncGenerator<Buffer> {
  let made: Buffer[] = [];
  const stream = new Decompress((data) => {
    if (data.length > 0) made.push(Buffer.from(data));
  });
  const push = (piece: Uint8Array, last: boolean): readonly Buffer[] => {
    try {
      stream.push(piece, last);
    } catch (thrown) {
      throw damaged(name, 'zstd', thrown);
    }
    const out = made;
    made = [];
    return out;
  };
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += zstdStepBytes)
      yield* push(chunk.subarray(at, at + zstdStepBytes), false);
  }
  yield* push(new Uint8Array(0), true);
}

function damaged(name: string, format: string, cause: unknown): SluiceError {
  const ends = /unexpected end of file|unexpected EOF/i.test(messageOf(cause));
  return new SluiceError(
    'input-damaged',
    `${name}: the ${format} data ${ends ? 'ends too early' : `is damaged (${messageOf(cause)})`}`,
    {
      cause,
      fix: 'get the file again',
    },
  );
}

/**
 * Segment files of one split: their names and folder, and the recovery of the last one after a
 * crash.
 *
 * Invariant: a segment's name is the offset of its first frame, and the segment before it ends
 * right there.
 */
import { mkdir, open, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { decodeFrame, frameMinBytes } from './frame.ts';

const suffix = '.log';
const segmentName = /^\d{20}\.log$/;

/** `dir/<offset of its first frame, 20 digits>.log` */
export function segmentPath(dir: string, base: number): string {
  return join(dir, `${String(base).padStart(20, '0')}${suffix}`);
}

/** First offsets of the segments in `dir`, rising. */
export async function listSegments(dir: string): Promise<readonly number[]> {
  const names = await readdir(dir);
  return names
    .filter((name) => segmentName.test(name))
    .map((name) => Number(name.slice(0, -suffix.length)))
    .sort((a, b) => a - b);
}

/** Makes creations, renames and deletions in `dir` durable. */
export async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Makes `dir` and what is missing above it, durably: a synced file in a folder that the disk forgot
 * is lost with it.
 */
export async function makeDirectory(dir: string): Promise<void> {
  const made = await mkdir(dir, { recursive: true });
  const top = dirname(made ?? dir);
  for (let parent = dirname(dir); ; parent = dirname(parent)) {
    await syncDirectory(parent);
    if (parent === top || parent === dirname(parent)) return;
  }
}

export interface Recovered {
  readonly nextOffset: number;
  /** Bytes that hold whole frames; what is after them was never acknowledged. */
  readonly bytes: number;
  readonly lastAtMs: number;
}

/**
 * Reads the last segment to where it is whole. A torn commit at the end is to be cut; damage before
 * data that was acknowledged is a `SluiceError` `stream-corrupt` with file and byte.
 */
export async function recoverSegment(dir: string, base: number): Promise<Recovered> {
  const path = segmentPath(dir, base);
  const content = await readFile(path);
  let at = 0;
  let nextOffset = base;
  let lastAtMs = 0;
  while (at < content.length) {
    const frame = decodeFrame(content, at);
    if (typeof frame === 'string' || frame.offset !== nextOffset) {
      requireTorn(content, at, nextOffset, path);
      break;
    }
    at = frame.end;
    nextOffset++;
    lastAtMs = frame.atMs;
  }
  return { nextOffset, bytes: at, lastAtMs };
}

function requireTorn(content: Buffer, at: number, offset: number, path: string): void {
  for (let search = at + 1; search + frameMinBytes <= content.length; search++) {
    const length = content.readUInt32LE(search);
    if (length + 8 < frameMinBytes || search + 8 + length > content.length) continue;
    const frame = decodeFrame(content, search);
    if (typeof frame === 'string' || frame.offset <= offset) continue;
    if (frame.commit > offset) throw corrupt(path, at, offset);
    search = frame.end - 1;
  }
}

export function corrupt(
  path: string,
  byte: number,
  offset: number,
  what = 'the stored checksum does not match',
): SluiceError {
  return new SluiceError(
    'stream-corrupt',
    `${path} is damaged at byte ${byte} (offset ${offset}): ${what}`,
    {
      fix: 'restore the file from a backup; to continue without the lost records, also reset what has read this stream',
      details: { path, byte, offset },
    },
  );
}

export function trimmed(dir: string, offset: number, oldest: number | undefined): SluiceError {
  return new SluiceError(
    'position-trimmed',
    `offset ${offset} is no longer kept in ${dir}; the oldest is ${oldest ?? 'none'}`,
    {
      fix: 'records were deleted by retention before they were read: raise local.retention_mb or retention_hours',
    },
  );
}

/**
 * Segments of records as files, read and written by position: the page cache of the system keeps
 * what fits beside the process.
 */
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { present } from '../../schemas/kernel/assert.ts';
import { mebi } from '../../schemas/kernel/bytes.ts';
import { messageOf, SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { Segments } from '../../topology/state/segments.ts';

const segmentBytes = 32 * mebi;

/** `name`: of this store in the folder, which no one else uses. */
export function fileSegments(
  folder: string,
  name: string,
  options: Partial<Pick<Segments, 'segmentBytes'>> = {},
): Segments {
  const files = new Map<number, number>();
  const pathOf = (segment: number): string => join(folder, `${name}-${segment}.records`);
  const fileOf = (segment: number): number => present(files.get(segment), 'the file of a segment');
  const drop = (segment: number, fd: number): void => {
    closeSync(fd);
    unlinkSync(pathOf(segment));
  };
  return {
    segmentBytes,
    // What is read costs more than what is kept.
    plainMaxBytes: Number.POSITIVE_INFINITY,
    ...options,
    begin: (segment) => {
      const path = pathOf(segment);
      attempt('written', path, () => files.set(segment, openSync(path, 'wx+', 0o600)));
    },
    write: (segment, at, bytes) => {
      attempt('written', pathOf(segment), () => writeAll(fileOf(segment), at, bytes));
    },
    read: (segment, at, bytes) =>
      attempt('read', pathOf(segment), () => readAll(fileOf(segment), at, bytes)),
    drop: (segment) => {
      attempt('removed', pathOf(segment), () => drop(segment, fileOf(segment)));
      files.delete(segment);
    },
    close: () => {
      for (const [segment, fd] of files) {
        try {
          drop(segment, fd);
        } catch {
          // The folder is removed after it.
        }
      }
      files.clear();
    },
  };
}

function writeAll(fd: number, at: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(fd, bytes, done, bytes.length - done, at + done);
}

function readAll(fd: number, at: number, bytes: number): Uint8Array {
  const into = Buffer.allocUnsafeSlow(bytes);
  for (let done = 0; done < bytes; ) {
    const read = readSync(fd, into, done, bytes - done, at + done);
    if (read === 0) throw new Error(`it ends after ${at + done} bytes`);
    done += read;
  }
  return into;
}

/** Throws `SluiceError` `state-disk-failed`. */
function attempt<T>(what: 'written' | 'read' | 'removed', path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const isFull = systemCodeOf(cause) === 'ENOSPC' || systemCodeOf(cause) === 'EDQUOT';
    throw new SluiceError(
      'state-disk-failed',
      `the state file ${path} cannot be ${what}: ${isFull ? 'the disk is full' : messageOf(cause)}`,
      {
        cause,
        retryable: true,
        fix: isFull
          ? 'free space on the disk, or set `state.folder` to a folder on a larger one'
          : 'check the disk; the topology restarts from its checkpoint',
      },
    );
  }
}

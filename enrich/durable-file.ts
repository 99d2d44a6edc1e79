/**
 * Files that are whole or absent, whatever happens in between.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Writes and fsyncs a new file; its name is durable only after `syncDirectory`. */
export function writeDurable(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'w');
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Makes creations, renames and deletions in `dir` durable. */
export function syncDirectory(dir: string): void {
  const handle = openSync(dir, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Replaces `path` whole: a reader sees the old file or the new one. */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const dir = dirname(path);
  mkdirSync(dir, { recursive: true });
  const temporary = join(dir, `.${process.pid}-${bytes.length}.tmp`);
  writeDurable(temporary, bytes);
  renameSync(temporary, path);
  syncDirectory(dir);
}

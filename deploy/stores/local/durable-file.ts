/**
 * Files that are whole or absent, whatever happens in between.
 *
 * Invariant: what a function here has returned from survives a power cut, but for names made by
 * `writeDurable` (see there).
 */

import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { threadId } from 'node:worker_threads';

let made = 0;

/**
 * Writes and fsyncs a new file, and leaves none behind when that fails; its name is durable only
 * after `syncDirectory`.
 */
export function writeDurable(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'w');
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
    fsyncSync(file);
  } catch (thrown) {
    // On a full disk every retry would leave one more.
    rmSync(path, { force: true });
    throw thrown;
  } finally {
    closeSync(file);
  }
}

/**
 * `writeDurable` off this thread: for bytes that are many, or a thread that has others to serve.
 */
export async function storeDurable(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } catch (thrown) {
    rmSync(path, { force: true });
    throw thrown;
  } finally {
    await file.close();
  }
}

/** `syncDirectory` off this thread. */
export async function storeDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
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

/**
 * Makes `dir` and what is missing above it, durably: a file in a folder that a power cut takes back
 * is lost with it.
 */
export function makeDirectory(dir: string): void {
  const whole = resolve(dir);
  const first = mkdirSync(whole, { recursive: true });
  if (first === undefined) return;
  for (let folder = whole; folder.length >= first.length; folder = dirname(folder))
    syncDirectory(dirname(folder));
}

/** A name beside `dir`'s files that no other thread or process uses. */
export function temporaryPath(dir: string): string {
  return join(dir, `.tmp-${process.pid}-${threadId}-${process.hrtime.bigint()}-${made++}`);
}

/** Replaces `path` whole: a reader sees the old file or the new one. */
export function replaceFile(path: string, bytes: Uint8Array): void {
  const dir = dirname(path);
  makeDirectory(dir);
  const temporary = temporaryPath(dir);
  writeDurable(temporary, bytes);
  renameSync(temporary, path);
  syncDirectory(dir);
}

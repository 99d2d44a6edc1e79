/**
 * One owner of a folder at a time: a lock of the kernel on the file `lock` inside it. Linux: an
 * open file description lock (https://man7.org/linux/man-pages/man2/fcntl_locking.2.html); macOS:
 * flock.
 *
 * Invariants:
 * 1. The kernel checks and locks in one step, and releases the lock when the process ends, however
 *    it ends: nothing is left to clean up.
 * 2. The lock belongs to the file, so it is the same by every path: links, mounts, a renamed
 *    folder.
 * 3. It belongs to the descriptor held here: closing another one of the same file does not end it,
 *    a second taker in the same process is refused, and a child process does not inherit it, as
 *    Node opens files with O_CLOEXEC.
 * 4. The file stays when the lock ends. A process that locked a file that was deleted meanwhile
 *    does not own the folder, and tries again.
 *
 * On NFS the server keeps the lock from version 4 on, for all machines, unless the mount has
 * `nolock` or `local_lock`; a machine that is cut off for longer than its lease loses it unnoticed.
 */
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { sleep, systemClock } from './clock.ts';
import { messageOf, SluiceError, systemCodeOf } from './errors.ts';

export interface FolderLock {
  /** Nothing happens the second time. */
  readonly release: () => void;
}

/** Somebody who only looks holds a shared lock for some microseconds: a taker outlasts that. */
const triesMax = 10;
const pauseMs = 20;

/** The file in `folder` that is locked. */
const lockFile = (folder: string): string => join(folder, 'lock');

/**
 * Takes `folder`, which must exist. Throws `SluiceError` `folder-in-use`, `lock-failed`,
 * `lock-native-missing`.
 */
export function lockFolder(folder: string): Promise<FolderLock> {
  return lockPath(lockFile(folder), folder);
}

/**
 * As `lockFolder`, for what is not a folder: `what` is owned by whoever holds the lock of the file
 * `path`.
 */
export async function lockPath(path: string, what: string): Promise<FolderLock> {
  const { tryLock } = await native();
  for (let tries = 1; tries <= triesMax; tries++) {
    const fd = open(path, constants.O_RDWR | constants.O_CREAT);
    if (orClosed(fd, path, () => tryLock(fd) && isStill(path, fd))) return heldBy(fd);
    closeSync(fd);
    await sleep(systemClock, pauseMs);
  }
  throw new SluiceError('folder-in-use', `${what} is in use by another process`, {
    fix: 'stop the other process, or use another folder with --dir',
    retryable: true,
  });
}

function heldBy(fd: number): FolderLock {
  let held = true;
  return {
    release: () => {
      if (held) closeSync(fd);
      held = false;
    },
  };
}

/**
 * Whether somebody holds `folder` now. Takes nothing, and makes nothing. Throws `SluiceError`
 * `lock-failed`, `lock-native-missing`.
 */
export async function isFolderLocked(folder: string): Promise<boolean> {
  const path = lockFile(folder);
  const { tryLock } = await native();
  let fd: number;
  try {
    fd = open(path, constants.O_RDONLY);
  } catch (thrown) {
    if (thrown instanceof SluiceError && systemCodeOf(thrown.cause) === 'ENOENT') return false;
    throw thrown;
  }
  const granted = orClosed(fd, path, () => tryLock(fd, { shared: true }));
  closeSync(fd);
  return !granted;
}

async function native(): Promise<typeof import('fs-native-extensions')> {
  try {
    return await import('fs-native-extensions');
  } catch (cause) {
    throw new SluiceError(
      'lock-native-missing',
      'the package that locks folders cannot be loaded on this machine',
      {
        cause,
        fix: 'run `npm ci` again; it has binaries for Linux (glibc), macOS and Windows on x64 and arm64',
      },
    );
  }
}

/**
 * Readable by its user only, whatever the umask; never through a link, which could lead to a file
 * of something else.
 */
function open(path: string, flags: number): number {
  try {
    return openSync(path, flags | constants.O_NOFOLLOW, 0o600);
  } catch (thrown) {
    throw fault(path, thrown);
  }
}

/** What `ask` says of an open file, which is closed when it throws. */
function orClosed(fd: number, path: string, ask: () => boolean): boolean {
  try {
    return ask();
  } catch (thrown) {
    closeSync(fd);
    throw fault(path, thrown);
  }
}

/** Whether the file that was locked is the one that others find at its path. */
function isStill(path: string, fd: number): boolean {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  const held = fstatSync(fd, { bigint: true });
  return found !== undefined && found.ino === held.ino && found.dev === held.dev;
}

function fault(path: string, cause: unknown): SluiceError {
  return new SluiceError('lock-failed', `${path} cannot be locked: ${messageOf(cause)}`, {
    cause,
    fix: 'use a folder that this user can write, on a file system that supports locks',
  });
}

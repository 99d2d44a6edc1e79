/**
 * One running instance on a folder, which is its user's alone. The kernel's lock says whether one
 * runs; `instance.json` says who it is.
 *
 * Invariants:
 * 1. The lock is taken before anything in the folder is read or written, and held until the process
 *    ends or releases it.
 * 2. `instance.json` is there only while its instance can be reached, but for one that was killed:
 *    who reads it asks the lock as well.
 * 3. Nobody but its user can enter the folder. One that others can enter is closed to them, unless
 *    it holds what is not Sluice's.
 */
import {
  accessSync,
  chmodSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { FolderLock } from '../../schemas/kernel/folder-lock.ts';
import { isFolderLocked, lockFolder } from '../../schemas/kernel/folder-lock.ts';
import { deniedFix, deniedText, isDenied } from './denied.ts';
import { instanceFile, isOurs } from './layout.ts';

export interface Instance {
  readonly pid: number;
  /** Of the ingress, or of health and readiness where no ingress runs. */
  readonly url: string;
  /** Where Prometheus asks. */
  readonly metrics: string;
  /** RFC 3339 */
  readonly startedAt: string;
}

/** What is told before the instance is reachable. */
export const unknownInstance: Instance = { pid: process.pid, url: '', metrics: '', startedAt: '' };

/** This process, reachable from now on. */
export function instanceNow(url: string, metrics: string, clock: Clock): Instance {
  return { pid: process.pid, url, metrics, startedAt: new Date(clock.now()).toISOString() };
}

export interface InstanceLock {
  /** Tells the world where the instance can be reached. */
  publish(instance: Instance): void;
  release(): Promise<void>;
}

/**
 * Takes `dir` for this process, and makes it where it is missing. Throws `SluiceError`
 * `already-running` with the other's pid, `folder-not-private`, `folder-unusable`, `lock-failed`,
 * `lock-native-missing`.
 */
export async function lockInstance(dir: string): Promise<InstanceLock> {
  makeFolder(dir);
  requireWritable(dir);
  closeToOthers(dir);
  const lock = await lockFolder(dir).catch((thrown: unknown) => {
    throw thrown instanceof SluiceError && thrown.code === 'folder-in-use'
      ? alreadyRunning(dir, readInfo(dir))
      : thrown;
  });
  // Of an instance that was killed.
  rmSync(instanceFile(dir), { force: true });
  return { publish: (instance) => writeInfo(dir, instance), release: () => release(dir, lock) };
}

/**
 * The instance that can be reached on `dir`, or undefined. Does not disturb one that starts. Throws
 * `SluiceError` `folder-denied`.
 */
export async function findInstance(dir: string): Promise<Instance | undefined> {
  const info = readInfo(dir);
  return info !== undefined && (await isFolderLocked(dir)) ? info : undefined;
}

export function alreadyRunning(dir: string, other: Instance | undefined): SluiceError {
  const who = other === undefined ? 'another process' : `pid ${other.pid} (${other.url})`;
  return new SluiceError('already-running', `${dir} is in use by ${who}`, {
    fix: 'stop the other process, or use another folder with --dir',
    details: { dir, pid: other?.pid, url: other?.url },
  });
}

async function release(dir: string, lock: FolderLock): Promise<void> {
  rmSync(instanceFile(dir), { force: true });
  lock.release();
}

function readInfo(dir: string): Instance | undefined {
  try {
    return JSON.parse(readFileSync(instanceFile(dir), 'utf8')) as Instance;
  } catch (thrown) {
    if (systemCodeOf(thrown) !== 'EACCES') return undefined;
    throw new SluiceError('folder-denied', `${dir} cannot be read: it belongs to another user`, {
      cause: thrown,
      fix: 'run the command as the user that runs the instance',
    });
  }
}

/** Written beside and renamed: a reader sees all of it or none. */
function writeInfo(dir: string, instance: Instance): void {
  const beside = `${instanceFile(dir)}.new`;
  writeFileSync(beside, `${JSON.stringify(instance, null, 2)}\n`, { mode: 0o600 });
  renameSync(beside, instanceFile(dir));
}

/**
 * A file of that name, a link that leads nowhere, and a place where this user may not write are the
 * caller's to know.
 */
function makeFolder(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const denied = isDenied(cause);
    const why = denied ? deniedText(dir) : `or used as a folder: ${messageOf(cause)}`;
    throw new SluiceError('folder-unusable', `${dir} cannot be created ${why}`, {
      cause,
      fix: denied ? deniedFix() : 'pass a folder of this user with --dir',
    });
  }
}

function requireWritable(dir: string): void {
  try {
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new SluiceError('folder-unusable', `${dir} cannot be written ${deniedText(dir)}`, {
      cause,
      fix: deniedFix(),
    });
  }
}

function closeToOthers(dir: string): void {
  if ((statSync(dir).mode & 0o077) === 0) return;
  const foreign = readdirSync(dir).filter((entry) => !isOurs(entry));
  if (foreign.length > 0) {
    throw new SluiceError(
      'folder-not-private',
      `other users can enter ${dir}, and it has files that Sluice did not make: ${foreign.slice(0, 5).join(', ')}`,
      {
        fix: 'pass a folder for Sluice alone with --dir, or close this one to others with chmod 700',
      },
    );
  }
  try {
    chmodSync(dir, 0o700);
  } catch (cause) {
    throw new SluiceError(
      'folder-not-private',
      `other users can enter ${dir}, and it cannot be closed to them: ${messageOf(cause)}`,
      {
        cause,
        fix: `pass a folder of this user with --dir; ${dir} belongs to user ${lstatSync(dir).uid}`,
      },
    );
  }
}

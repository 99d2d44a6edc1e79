/**
 * The user's cache folder, in which what takes minutes to make is kept: `$XDG_CACHE_HOME/sluice`,
 * or else `~/.cache/sluice`.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../../schemas/kernel/errors.ts';

const pollMs = 200;

/**
 * Made where it is not there. What is in it is run, so that a folder of another user is refused.
 * Throws `SluiceError` `flink-build`.
 */
export function cacheFolder(named = process.env['XDG_CACHE_HOME']): string {
  // As the XDG specification says: an empty or relative path counts as none.
  const isNamed = named !== undefined && isAbsolute(named);
  const folder = join(isNamed ? named : join(homedir(), '.cache'), 'sluice');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid } = statSync(folder);
  if (uid === process.getuid?.()) return folder;
  throw new SluiceError('flink-build', `the cache folder ${folder} belongs to user ${uid}`, {
    fix: 'name a folder of your own with XDG_CACHE_HOME',
  });
}

/** Runs `work` while no other process on this machine holds the file `lock`. */
export async function withLock<T>(lock: string, work: () => Promise<T>): Promise<T> {
  while (!takeLock(lock)) await sleep(pollMs);
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Whether it is this process's now. One whose owner is gone is taken away. */
function takeLock(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    if (!isAlive(ownerOf(lock))) rmSync(lock, { force: true });
    return false;
  }
}

function ownerOf(lock: string): number {
  try {
    return Number(readFileSync(lock, 'utf8'));
  } catch {
    return process.pid;
  }
}

function isAlive(pid: number): boolean {
  // Between its making and its first byte it names nobody.
  if (pid === 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Removes all but the newest two of the folders whose names begin with `prefix`. */
export function keepNewest(folder: string, prefix: string): void {
  const found = readdirSync(folder)
    .filter((name) => name.startsWith(prefix))
    .map((name) => ({ path: join(folder, name), at: statSync(join(folder, name)).mtimeMs }))
    .sort((a, b) => b.at - a.at);
  for (const { path } of found.slice(2)) rmSync(path, { recursive: true, force: true });
}

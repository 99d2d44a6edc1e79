/**
 * `sluice reset`: deletes everything local, after asking, and never under a running instance: it holds the lock while it deletes.
 */
import { existsSync, lstatSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { FolderLock } from '../../schemas/kernel/folder-lock.ts';
import { lockFolder, lockPath } from '../../schemas/kernel/folder-lock.ts';
import { printable } from '../../schemas/kernel/printable.ts';
import { alreadyRunning, findInstance, lockInstance } from '../host/instance.ts';
import { isOurs } from '../host/layout.ts';
import type { Output } from './output.ts';

export async function resetCommand(dir: string, yes: boolean, output: Output): Promise<number> {
  if (!existsSync(dir)) {
    output.line(output.json ? JSON.stringify({ removed: [] }) : `${dir} does not exist; nothing to do`);
    return 0;
  }
  const instance = await findInstance(dir);
  if (instance !== undefined) throw alreadyRunning(dir, instance);
  const foreign = readdirSync(dir).filter((entry) => !isOurs(entry));
  if (foreign.length > 0)
    throw new SluiceError('not-ours', `${dir} holds what Sluice did not make: ${foreign.slice(0, 5).join(', ')}`, {
      fix: 'name the right directory with --dir',
    });
  if (!yes && !(await confirmed(dir))) {
    output.note('nothing was removed');
    return 1;
  }
  const removed = await removeAll(dir);
  output.line(output.json ? JSON.stringify({ removed }) : `removed ${dir} (${removed.join(', ')})`);
  return 0;
}

/** The lock's file goes last, so that whoever starts meanwhile finds it held, or begins on a folder of its own. */
async function removeAll(dir: string): Promise<readonly string[]> {
  const lock = await lockInstance(dir);
  const entries = readdirSync(dir).filter((entry) => entry !== 'lock' && isOurs(entry));
  try {
    const within = await lockWithin(dir, entries);
    for (const entry of entries) rmSync(join(dir, entry), { recursive: true, force: true });
    rmSync(join(dir, 'lock'), { force: true });
    for (const { release } of within) release();
  } finally {
    await lock.release();
  }
  try {
    rmdirSync(resolve(dir));
  } catch (thrown) {
    // Something was put into it meanwhile, or it is a link: what was in it is gone.
    if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'ENOENT'].includes(systemCodeOf(thrown) ?? '')) throw thrown;
  }
  return entries;
}

/** Takes everything below that has an owner of its own: another instance may have a link to it. Throws `SluiceError` `folder-in-use`. */
async function lockWithin(dir: string, entries: readonly string[]): Promise<readonly FolderLock[]> {
  const taken: FolderLock[] = [];
  try {
    for (const entry of entries) {
      const at = join(dir, entry);
      if (entry === 'graph.lock') taken.push(await lockPath(at, join(dir, 'graph')));
      if (!lstatSync(at).isDirectory()) continue;
      for (const { name, parentPath } of readdirSync(at, { recursive: true, withFileTypes: true })) {
        if (name === 'lock') taken.push(await lockFolder(parentPath));
      }
    }
    return taken;
  } catch (thrown) {
    for (const { release } of taken) release();
    throw thrown;
  }
}

async function confirmed(dir: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new SluiceError('not-confirmed', `deleting ${dir} needs a yes`, { fix: 'say it with --yes' });
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(printable(`Delete all events, tables and checkpoints in ${resolve(dir)}? [y/N] `));
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

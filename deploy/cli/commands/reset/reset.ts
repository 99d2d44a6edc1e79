/**
 * `sluice reset`: deletes everything local, after asking, and never under a running instance: it
 * holds the lock while it deletes.
 *
 * Invariant: events that were acknowledged and are on this disk only, in spools, are not deleted
 * because somebody agreed to a reset: they are listed, and want a word of their own. Nor are
 * savepoints, which somebody kept by name: `sluice savepoint delete` deletes them.
 */
import { existsSync, lstatSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { openSpool } from '../../../../ingest/delivery/spool.ts';
import type { SpoolFolder } from '../../../../ingest/delivery/spool-folders.ts';
import { isSpool, listSpoolFolders } from '../../../../ingest/delivery/spool-folders.ts';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { SluiceError, systemCodeOf } from '../../../../schemas/kernel/errors.ts';
import type { FolderLock } from '../../../../schemas/kernel/folder-lock.ts';
import { lockFolder, lockPath } from '../../../../schemas/kernel/folder-lock.ts';
import { printable } from '../../../../schemas/kernel/printable.ts';
import { alreadyRunning, findInstance, lockInstance } from '../../../host/instance.ts';
import { isOurs, savepointsDir, spoolDir } from '../../../host/layout.ts';
import type { Output } from '../../output.ts';

export interface ResetCommand {
  readonly dir: string;
  /** It was agreed to: nobody is asked. */
  readonly yes: boolean;
  /** Spools are deleted with what they hold. */
  readonly dropSpooled: boolean;
  readonly clock: Clock;
  readonly output: Output;
}

/**
 * Throws `SluiceError` `already-running`, `not-ours`, `not-confirmed`, `spooled-events`,
 * `folder-in-use`.
 */
export async function resetCommand({
  dir,
  yes,
  dropSpooled,
  clock,
  output,
}: ResetCommand): Promise<number> {
  if (!existsSync(dir)) {
    output.line(
      output.json ? JSON.stringify({ removed: [] }) : `${dir} does not exist; nothing to do`,
    );
    return 0;
  }
  const instance = await findInstance(dir);
  if (instance !== undefined) throw alreadyRunning(dir, instance);
  const foreign = readdirSync(dir).filter((entry) => !isOurs(entry));
  if (foreign.length > 0)
    throw new SluiceError(
      'not-ours',
      `${dir} has files that Sluice did not make: ${foreign.slice(0, 5).join(', ')}`,
      {
        fix: 'pass the right folder with --dir',
      },
    );
  if (!yes && !(await confirmed(dir))) {
    output.note('nothing was removed');
    return 1;
  }
  const removed = await removeAll(dir, dropSpooled ? undefined : clock);
  output.line(output.json ? JSON.stringify({ removed }) : `removed ${dir} (${removed.join(', ')})`);
  if (existsSync(savepointsDir(dir)) && !output.json)
    output.note(
      `${savepointsDir(dir)} stays: delete what is in it with \`sluice savepoint delete\``,
    );
  return 0;
}

/**
 * The lock's file goes last, so that whoever starts meanwhile finds it held, or begins on a folder
 * of its own. With a clock spools are looked at first. Throws `SluiceError` `spooled-events` before
 * anything is removed.
 */
async function removeAll(dir: string, clock: Clock | undefined): Promise<readonly string[]> {
  const lock = await lockInstance(dir);
  const entries = readdirSync(dir).filter(
    (entry) => !['lock', 'savepoints'].includes(entry) && isOurs(entry),
  );
  try {
    if (clock !== undefined) await requireNoSpooled(dir, clock);
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
    if (!['ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'ENOENT'].includes(systemCodeOf(thrown) ?? ''))
      throw thrown;
  }
  return entries;
}

/**
 * Takes everything below that has an owner of its own: another instance may have a link to it.
 * Throws `SluiceError` `folder-in-use`.
 */
async function lockWithin(dir: string, entries: readonly string[]): Promise<readonly FolderLock[]> {
  const taken: FolderLock[] = [];
  try {
    for (const entry of entries) {
      const at = join(dir, entry);
      if (entry === 'graph.lock') taken.push(await lockPath(at, join(dir, 'graph')));
      if (!lstatSync(at).isDirectory()) continue;
      for (const { name, parentPath } of readdirSync(at, {
        recursive: true,
        withFileTypes: true,
      })) {
        if (name === 'lock') taken.push(await lockFolder(parentPath));
      }
    }
    return taken;
  } catch (thrown) {
    for (const { release } of taken) release();
    throw thrown;
  }
}

/** Throws `SluiceError` `spooled-events` that lists them. */
async function requireNoSpooled(dir: string, clock: Clock): Promise<void> {
  const held: string[] = [];
  for (const folder of await listSpoolFolders(spoolDir(dir))) {
    const what = (await isSpool(folder)) ? await spooledIn(folder, clock) : undefined;
    if (what === undefined) continue;
    const why =
      folder.holds === 'refused' ? 'which their stream refused' : 'which wait for their stream';
    held.push(`${folder.stream} ${folder.route}: ${what}, ${why} (${folder.dir})`);
  }
  if (held.length === 0) return;
  throw new SluiceError(
    'spooled-events',
    `${dir} has acknowledged events that exist nowhere else; nothing was removed:\n  ${held.join('\n  ')}`,
    {
      fix: 'start the ingress to deliver waiting events, or move the folders away; to delete the events, pass --drop-spooled',
    },
  );
}

/** What a spool holds; undefined where it is empty. */
async function spooledIn({ dir }: SpoolFolder, clock: Clock): Promise<string | undefined> {
  try {
    const spool = await openSpool({ dir, clock, maxBytes: Number.MAX_SAFE_INTEGER });
    const { records, bytes } = spool;
    const ageMs = spool.oldestAgeMs(clock.now());
    await spool.close();
    return records === 0
      ? undefined
      : `${records} records, ${bytes} bytes, the oldest from ${new Date(clock.now() - ageMs).toISOString()}`;
  } catch (thrown) {
    if (!(thrown instanceof SluiceError) || thrown.code !== 'stream-corrupt') throw thrown;
    return `events that cannot be counted, because the folder is damaged: ${thrown.message}`;
  }
}

async function confirmed(dir: string): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new SluiceError('not-confirmed', `deleting ${dir} needs your confirmation`, {
      fix: 'pass --yes',
    });
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(
    printable(`Delete all events, tables and checkpoints in ${resolve(dir)}? [y/N] `),
  );
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

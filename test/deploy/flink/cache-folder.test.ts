/**
 * Where builds are kept, which of them, and that one is made at a time.
 */
import {
  chownSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cacheFolder, keepNewest, withLock } from '../../../deploy/flink/cache-folder.ts';
import { temporaryFolder } from '../../repo/support.ts';

it('is the one that XDG_CACHE_HOME names, for its owner alone; an empty or relative name is none', () => {
  const named = cacheFolder(join(temporaryFolder('cache'), 'cache'));
  expect([named.endsWith('/cache/sluice'), statSync(named).mode & 0o777]).toEqual([true, 0o700]);
  const own = join(homedir(), '.cache', 'sluice');
  expect([cacheFolder(''), cacheFolder('near/by')]).toEqual([own, own]);
});

// As root, a folder can be given to another user; as another one, that of root is there.
it('is refused where another user has it', () => {
  const named = temporaryFolder('cache');
  const folder = join(named, 'sluice');
  if (process.getuid?.() === 0) {
    mkdirSync(folder);
    chownSync(folder, 12_345, 12_345);
  } else symlinkSync('/', folder);
  expect(() => cacheFolder(named)).toThrow(/sluice belongs to user \d+$/);
});

it('keeps the newest two builds of a kind', () => {
  const folder = temporaryFolder('cache');
  for (const [at, name] of ['job-c', 'job-a', 'other-x', 'job-d', 'job-b'].entries()) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'jar'), '');
    utimesSync(join(folder, name), 1_000 + at, 1_000 + at);
  }
  keepNewest(folder, 'job-');
  expect(readdirSync(folder)).toEqual(['job-b', 'job-d', 'other-x']);
});

it('has one at work at a time, also after one whose process is gone', async () => {
  const lock = join(temporaryFolder('cache'), 'lock');
  // No process has this id.
  writeFileSync(lock, '99999999');
  let [inside, most] = [0, 0];
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all([withLock(lock, work), withLock(lock, work), withLock(lock, work)]);
  expect(most).toBe(1);
});

/**
 * What `--dir` may name: a mistake in it is said as one, not as a defect with a stack.
 */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { lockInstance } from '../../../deploy/host/instance.ts';

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'sluice-instance-'));
  folders.push(made);
  return made;
}

describe('the folder of an instance', () => {
  it.each([
    ['a file', (path: string) => writeFileSync(path, '')],
    ['a link that leads nowhere', (path: string) => symlinkSync(`${path}-gone`, path)],
  ])('is refused with its path when it is %s', async (_what, make) => {
    const path = join(folder(), 'instance');
    make(path);
    await expect(lockInstance(path)).rejects.toMatchObject({
      code: 'folder-unusable',
      message: expect.stringContaining(path),
    });
  });

  it('has one owner, also by a link to it', async () => {
    const within = folder();
    mkdirSync(join(within, 'instance'), { mode: 0o700 });
    symlinkSync('instance', join(within, 'alias'));
    const lock = await lockInstance(join(within, 'instance'));
    await expect(lockInstance(join(within, 'alias'))).rejects.toMatchObject({
      code: 'already-running',
    });
    await lock.release();
  });
});

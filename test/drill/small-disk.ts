/**
 * A small file system of its own that can be filled and freed: a tmpfs, which needs the right to
 * mount.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface SmallDisk {
  readonly dir: string;
  fill(): Promise<void>;
  free(): Promise<void>;
  remove(): Promise<void>;
}

/** Rejects where mounting is not allowed. */
export async function smallDisk(bytes: number): Promise<SmallDisk> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', dir]);
  } catch (thrown) {
    rmSync(dir, { recursive: true });
    throw new Error(
      'a full disk needs a small file system, and mounting one is not allowed here (run as root)',
      { cause: thrown },
    );
  }
  const ballast = join(dir, 'ballast');
  return {
    dir,
    async fill() {
      const handle = await open(ballast, 'w');
      // Large pieces first, then what is left.
      for (const size of [4 * 1_024 * 1_024, 4_096]) {
        const block = Buffer.alloc(size);
        for (;;) {
          const { bytesWritten } = await handle.write(block).catch(() => ({ bytesWritten: 0 }));
          if (bytesWritten < size) break;
        }
      }
      await handle.close();
    },
    free: () => rm(ballast, { force: true }),
    async remove() {
      await run('umount', [dir]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

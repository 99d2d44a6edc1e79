/**
 * Prometheus' own check of rules: the `promtool` of this machine, or that of Debian's package
 * `prometheus`, of which nothing else is unpacked. Needs no rights of root.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached, missing } from './cache.ts';

const run = promisify(execFile);
const name = 'promtool';

/** Why it cannot be had here, as a sentence; undefined when it can. With CI=1 that is thrown. */
export function promtoolMissing(): string | undefined {
  if (isHere(name, '--version')) return undefined;
  if (isHere('apt-get', '--version') && isHere('dpkg-deb', '--version')) return undefined;
  return missing('promtool is not installed, and there is no apt-get to fetch it with.');
}

function isHere(program: string, ...args: readonly string[]): boolean {
  return spawnSync(program, args).status === 0;
}

/** The program to call. */
export async function promtool(): Promise<string> {
  if (isHere(name, '--version')) return name;
  const dir = await cached(`${name}-${process.arch}`, async (made) => {
    const scratch = mkdtempSync(join(tmpdir(), 'sluice-promtool-'));
    try {
      await download(scratch);
      const [file = ''] = readdirSync(scratch).filter((found) => found.endsWith('.deb'));
      const unpack = `dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --strip-components=3 ./usr/bin/${name}`;
      await run('bash', ['-o', 'pipefail', '-c', unpack, 'bash', join(scratch, file), made]);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
  return join(dir, name);
}

/** apt's lists may be older than the archive, or not be there at all. */
async function download(cwd: string): Promise<void> {
  const ask = (): Promise<unknown> => run('apt-get', ['download', '-qq', 'prometheus'], { cwd });
  try {
    await ask();
  } catch {
    await run('apt-get', ['update', '-qq']);
    await ask();
  }
}

/**
 * A program out of a package of Debian, which is not installed: nothing else of it is unpacked, no
 * script of it runs, and no rights of root are needed. Kept in the user's cache folder. The version
 * is the one that this machine's Debian has.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached, missing } from './cache.ts';

const run = promisify(execFile);

/** Why it cannot be fetched here, as a sentence. With CI=1 that is thrown. */
export function debianProgramMissing(name: string): string | undefined {
  const tools = ['apt-get', 'dpkg-deb'];
  if (tools.every((tool) => spawnSync(tool, ['--version']).status === 0)) return undefined;
  return missing(`this machine has no apt-get to fetch ${name} with.`);
}

/** The file of /usr/bin/`name` of a package of that name where there is one, otherwise of `from`. */
export async function debianProgram(from: string, name: string): Promise<string> {
  const dir = await cached(`debian-${from}-${name}`, async (made) => {
    const scratch = mkdtempSync(join(tmpdir(), 'sluice-debian-'));
    try {
      const isPackage = spawnSync('apt-cache', ['show', name]).status === 0;
      await download(isPackage ? name : from, scratch);
      const [file = ''] = readdirSync(scratch).filter((found) => found.endsWith('.deb'));
      const unpack = `dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --strip-components=3 "./usr/bin/$3"`;
      const given = [join(scratch, file), made, name];
      await run('bash', ['-o', 'pipefail', '-c', unpack, 'bash', ...given]);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
    }
  });
  return join(dir, name);
}

/** The lists of apt may be older than the archive, or not be there at all. */
async function download(name: string, cwd: string): Promise<void> {
  const ask = (): Promise<unknown> => run('apt-get', ['download', '-qq', name], { cwd });
  try {
    await ask();
  } catch {
    await run('apt-get', ['update', '-qq']);
    await ask();
  }
}

/**
 * What tests fetch once and keep in the user's cache folder: jars, Python packages. Test files run
 * beside each other, so one makes what is missing while the others wait for it.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder, withLock } from '../../deploy/flink/cache-folder.ts';

const run = promisify(execFile);
const root = cacheFolder();
const lock = join(root, 'making');

/** The folder `name` if it was filled in an earlier run. */
export function cachedBefore(name: string): string | undefined {
  const dir = join(root, name);
  return existsSync(join(dir, 'complete')) ? dir : undefined;
}

/** The folder `name`, which `make` has filled, now or in an earlier run. */
export async function cached(name: string, make: (dir: string) => Promise<void>): Promise<string> {
  const dir = join(root, name);
  const mark = join(dir, 'complete');
  if (existsSync(mark)) return dir;
  return withLock(lock, async () => {
    if (existsSync(mark)) return dir;
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir);
    await make(dir);
    writeFileSync(mark, '');
    return dir;
  });
}

/**
 * Prints why servers cannot run here, as a sentence, and gives it back. With CI=1 it is thrown:
 * nothing is skipped there.
 */
export function missing(sentence: string): string {
  if (process.env['CI'] === '1') throw new Error(sentence);
  console.log(`skipped: ${sentence}`);
  return sentence;
}

/** Why a test that runs the program cannot: undefined where it can. */
export function programMissing(name: string): string | undefined {
  return spawnSync(name, ['--version']).status === 0
    ? undefined
    : missing(`${name} is not installed.`);
}

/** Why Python packages cannot be installed here. */
export function pythonMissing(): string | undefined {
  if (spawnSync('python3', ['-c', 'import venv, ensurepip']).status === 0) return undefined;
  return missing('python3 with its venv module is not there.');
}

/**
 * The folder of programs of a virtual environment that has `packages`, each at an exact version,
 * such as `moto[server]==5.2.5`.
 */
export async function pythonPackages(...packages: readonly string[]): Promise<string> {
  const dir = await cached(
    `python-${packages.join('-').replace(/[^A-Za-z0-9.-]+/g, '_')}`,
    async (made) => {
      await run('python3', ['-m', 'venv', made]);
      await run(join(made, 'bin', 'python'), [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--disable-pip-version-check',
        ...packages,
      ]);
    },
  );
  return join(dir, 'bin');
}

/**
 * A folder whose `node_modules` has `packages`, each at an exact version, and what they need;
 * nothing of them is run at the install.
 */
export async function npmPackages(...packages: readonly string[]): Promise<string> {
  return cached(`npm-${packages.join('-').replace(/[^A-Za-z0-9.-]+/g, '_')}`, async (made) => {
    writeFileSync(join(made, 'package.json'), '{"private": true, "type": "module"}');
    await run(
      'npm',
      [
        'install',
        '--silent',
        '--ignore-scripts',
        '--no-audit',
        '--no-fund',
        '--save-exact',
        ...packages,
      ],
      { cwd: made },
    );
  });
}

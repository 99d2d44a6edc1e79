/**
 * A Debian 13 with Node 24 as a folder: what production runs on, where this machine has an older C
 * library. Made once with debootstrap and kept in the user's cache folder; the mirror is the one
 * that apt is set to here.
 *
 * A command runs in it by chroot, in a mount namespace of its own: what is mounted for it goes when
 * it ends.
 */
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached, missing } from './cache.ts';

const run = promisify(execFile);
const suite = 'trixie';
const nodeVersion = '24.21.0';
/** The other one that production may run on, put over the root's for a command. */
const olderVersion = '22.23.3';
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** Where the project is in it. */
export const projectDir = '/src';

/** Why it cannot be used here, as a sentence; undefined when it can. With CI=1 that is thrown. */
export function debianMissing(): string | undefined {
  if (process.getuid?.() !== 0) return missing('a Debian 13 root needs the rights of root.');
  if (spawnSync('debootstrap', ['--version']).status !== 0)
    return missing('debootstrap is not installed.');
  if (spawnSync('unshare', ['--mount', 'true']).status !== 0)
    return missing('this machine does not allow mounts.');
  return undefined;
}

/** The folder of the root, with Node at /usr/local/bin/node. */
export function debianRoot(): Promise<string> {
  return cached(`debian-${suite}-node-${nodeVersion}`, async (root) => {
    await run('debootstrap', [
      '--variant=minbase',
      '--include=ca-certificates',
      `--keyring=${keyring}`,
      suite,
      root,
      await mirror(),
    ]);
    await fetchNode(nodeVersion, join(root, 'usr', 'local', 'bin', 'node'));
  });
}

/** The program of Node 22, for `inDebian`. */
export async function olderNode(): Promise<string> {
  const dir = await cached(`node-${olderVersion}`, (made) =>
    fetchNode(olderVersion, join(made, 'node')),
  );
  return join(dir, 'node');
}

/** The package `node` only runs an installer; this one holds the program. */
async function fetchNode(version: string, to: string): Promise<void> {
  const name = `node-linux-${process.arch}`;
  const dir = mkdtempSync(join(tmpdir(), 'sluice-node-'));
  const how = ['--no-save', '--ignore-scripts', '--prefix', dir];
  try {
    await run('npm', ['install', ...how, `${name}@${version}`]);
    cpSync(join(dir, 'node_modules', name, 'bin', 'node'), to);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The mirror of Debian's main archive. */
async function mirror(): Promise<string> {
  const { stdout } = await run('apt-get', [
    'indextargets',
    '--format',
    '$(ORIGIN) $(CODENAME) $(SITE)',
  ]);
  const found = stdout
    .split('\n')
    .map((line) => line.split(' '))
    .find(
      ([origin, codename]) =>
        origin === 'Debian' && codename !== undefined && !codename.includes('-'),
    );
  if (found?.[2] === undefined)
    throw new Error(
      'apt names no mirror of Debian: set one in its sources, then run "apt-get update"',
    );
  return found[2];
}

/**
 * Program and arguments that run Node in `root` with `args`, the project `dir` at `projectDir` and
 * `outDir` at /out. `node` is another program of Node to use.
 */
export function inDebian(
  root: string,
  dir: string,
  outDir: string,
  args: readonly string[],
  node = '',
): readonly [string, readonly string[]] {
  const script = [
    'set -e',
    'root=$1; dir=$2; out=$3; node=$4; shift 4',
    '[ -z "$node" ] || mount --bind "$node" "$root/usr/local/bin/node"',
    `mkdir -p "$root/proc" "$root/dev" "$root${projectDir}" "$root/out" "$root/tmp"`,
    'mount --bind /proc "$root/proc"',
    'mount --rbind /dev "$root/dev"',
    'mount -t tmpfs tmpfs "$root/tmp"',
    `printf '127.0.0.1 localhost\\n::1 localhost\\n' > "$root/etc/hosts"`,
    'export TMPDIR=/tmp',
    `mount --bind "$dir" "$root${projectDir}"`,
    'mount --bind "$out" "$root/out"',
    'exec chroot "$root" /usr/local/bin/node "$@"',
  ].join('\n');
  return ['unshare', ['--mount', 'sh', '-c', script, 'sh', root, dir, outDir, node, ...args]];
}

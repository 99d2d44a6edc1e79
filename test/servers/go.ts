/**
 * Go for the tests: the one of this machine, or, where that is too old to fetch another by itself,
 * the one that Go's module proxy has as a module.
 */
import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached, missing } from './cache.ts';

const run = promisify(execFile);
const ofMachine = 'go';
const version = '1.26.8';
/** From this on a `go` fetches what a module asks for (https://go.dev/doc/toolchain). */
const switchingMinor = 21;
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

export function goMissing(): string | undefined {
  return minorOf() === undefined ? missing('Go is not there.') : undefined;
}

function minorOf(): number | undefined {
  const said = spawnSync(ofMachine, ['env', 'GOVERSION'], { encoding: 'utf8' });
  const found = said.status === 0 ? /^go1\.(\d+)/.exec(said.stdout) : null;
  return found === null ? undefined : Number(found[1]);
}

/** Runs `go` in `cwd`; what it fetches and compiles is kept in `dir`. */
export type Go = (dir: string, cwd: string, ...args: readonly string[]) => Promise<void>;

export async function openGo(): Promise<Go> {
  const command =
    (minorOf() ?? 0) >= switchingMinor ? ofMachine : join(await toolchain(), 'bin', 'go');
  return async (dir, cwd, ...args) => {
    await run(command, args, { cwd, env: goEnvironment(dir), maxBuffer: 1 << 26 });
  };
}

/** The folder of a module's sources, at an exact version; nothing of it is compiled. */
export async function goModule(path: string, version: string): Promise<string> {
  const name = `go-${path.replaceAll(/[^A-Za-z0-9.-]+/g, '_')}-${version}`;
  return cached(name, async (made) => {
    await downloadModule(`${path}@${version}`, made);
  });
}

/** Copies the sources of a module, such as `k8s.io/api@v0.37.2`, into the folder `made`. */
export async function downloadModule(module: string, made: string): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-go-'));
  try {
    const { stdout } = await run(ofMachine, ['mod', 'download', '-json', module], {
      cwd: scratch,
      env: goEnvironment(scratch),
    });
    cpSync((JSON.parse(stdout) as { Dir: string }).Dir, made, { recursive: true });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

const goEnvironment = (dir: string): NodeJS.ProcessEnv => ({
  ...process.env,
  GOPATH: join(dir, 'path'),
  GOCACHE: join(dir, 'cache'),
  GOBIN: join(dir, 'bin'),
  // So that the folder can be deleted.
  GOFLAGS: '-modcacherw',
  GOTOOLCHAIN: 'auto',
});

function toolchain(): Promise<string> {
  return cached(`go-${version}`, async (made) => {
    await downloadModule(
      `golang.org/toolchain@v0.0.1-go${version}.linux-${architectures[process.arch]}`,
      made,
    );
    // A module's files have no right to be executed.
    for (const folder of ['bin', join('pkg', 'tool')]) {
      for (const entry of readdirSync(join(made, folder), { recursive: true, withFileTypes: true }))
        if (entry.isFile()) chmodSync(join(entry.parentPath, entry.name), 0o755);
    }
  });
}

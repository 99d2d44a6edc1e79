/**
 * Images and containers without a daemon and without a registry: buildah builds them, podman and
 * runc run them. The images that a Dockerfile begins with are made here under the same names, of
 * the Debian root that other tests use.
 *
 * What differs from a build elsewhere: npm in the stand-in trusts the certificates of this machine
 * and asks the registry that npm asks here.
 */
import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { missing } from './cache.ts';
import { debianMissing, debianRoot } from './debian-root.ts';

const run = promisify(execFile);
const outputMaxBytes = 1 << 26;
const debianImage = 'docker.io/library/debian:trixie-slim';
const nodeImage = 'docker.io/library/node:24-trixie-slim';
/** Of the image, as its Dockerfile says. */
export const imageUser = 10_001;

/** Not in the image of Debian: what other tests put there, and what slim images leave out. */
const leftOut = [
  './dev/*',
  './complete',
  './out',
  './src',
  './usr/local/bin/node',
  './usr/share/doc/*',
  './usr/share/info/*',
  './usr/share/locale/*',
  './usr/share/man/*',
  './var/cache/apt/*',
  './var/lib/apt/lists/*',
  './var/log/*',
];

/** Why images cannot be built and run here, as a sentence. With CI=1 that is thrown. */
export function containersMissing(): string | undefined {
  for (const tool of ['buildah', 'podman', 'runc'])
    if (spawnSync(tool, ['--version']).status !== 0) return missing(`${tool} is not installed.`);
  return debianMissing();
}

export interface ContainerOptions {
  /** Folder of this machine by folder in the container. */
  readonly mounts?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Instead of the image's user. */
  readonly user?: string;
}

export interface Container {
  /** What it has said so far. */
  logs(): Promise<string>;
  /** Runs a command in it. */
  exec(...command: readonly string[]): Promise<Ended>;
  /** Its exit code after the signal. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number>;
  /** Its exit code once it ends by itself. */
  ended(): Promise<number>;
  readonly pid: number;
}

export interface Ended {
  readonly code: number;
  readonly said: string;
}

export interface ContainerStore {
  /** Builds `tag` of a Dockerfile; `args` are its --build-arg. */
  build(
    tag: string,
    file: string,
    context: string,
    args?: Readonly<Record<string, string>>,
  ): Promise<void>;
  /** The configuration of an image, as `podman inspect` tells it. */
  inspect(tag: string): Promise<Record<string, unknown>>;
  /** Writes an image to a file, for `docker load`. */
  save(tag: string, file: string): Promise<void>;
  /** Unpacked, in bytes. */
  sizeBytes(tag: string): Promise<number>;
  /** Starts a container: root read-only, no capabilities, the network of this machine. */
  start(tag: string, args: readonly string[], options?: ContainerOptions): Promise<Container>;
  /** Ends what runs, and removes everything. */
  remove(): Promise<void>;
}

/** A store of its own, with the two images that a Dockerfile begins with. */
export async function openContainers(): Promise<ContainerStore> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-containers-'));
  const store = new Store(dir);
  try {
    await store.makeBases(await debianRoot());
    return store;
  } catch (thrown) {
    await store.remove();
    throw thrown;
  }
}

/** Overlays of the kernel where it allows them on `dir`; vfs copies a whole tree for each image. */
function driverFor(dir: string): 'overlay' | 'vfs' {
  const folders = ['lower', 'upper', 'work', 'merged'].map((name) => join(dir, 'probe', name));
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  const [lower, upper, work, merged] = folders;
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  const mount = `mount -t overlay overlay -o "${options}" "${merged}"`;
  const { status } = spawnSync('unshare', ['--mount', 'sh', '-c', mount]);
  rmSync(join(dir, 'probe'), { recursive: true, force: true });
  return status === 0 ? 'overlay' : 'vfs';
}

class Store implements ContainerStore {
  readonly #dir: string;
  readonly #place: readonly string[];
  readonly #started: string[] = [];

  constructor(dir: string) {
    this.#dir = dir;
    const [root, runRoot] = [join(dir, 'root'), join(dir, 'run')];
    this.#place = ['--root', root, '--runroot', runRoot, '--storage-driver', driverFor(dir)];
  }

  async makeBases(root: string): Promise<void> {
    const context = join(this.#dir, 'bases');
    mkdirSync(context);
    const excluded = leftOut.map((path) => `--exclude=${path}`);
    await run('tar', ['-C', root, '-cf', join(context, 'debian.tar'), ...excluded, '.']);
    writeFileSync(join(context, 'Debian'), 'FROM scratch\nADD debian.tar /\nCMD ["bash"]\n');
    await this.build(debianImage, join(context, 'Debian'), context);
    rmSync(join(context, 'debian.tar'));
    const npm = join(context, 'npm');
    const { stdout: modules } = await run('npm', ['root', '--global']);
    cpSync(join(modules.trim(), 'npm'), npm, { recursive: true, dereference: true });
    cpSync(join(root, 'usr', 'local', 'bin', 'node'), join(context, 'node'));
    const { stdout: registry } = await run('npm', ['config', 'get', 'registry']);
    const bundle = '/etc/ssl/certs/ca-certificates.crt';
    cpSync(bundle, join(context, 'certificates'));
    writeFileSync(join(context, 'npmrc'), `registry=${registry.trim()}\ncafile=${bundle}\n`);
    const lines = [
      `FROM ${debianImage}`,
      'COPY node /usr/local/bin/node',
      'COPY npm /usr/local/lib/node_modules/npm',
      'COPY npmrc /usr/local/etc/npmrc',
      `COPY certificates ${bundle}`,
      'RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm',
    ];
    writeFileSync(join(context, 'Node'), `${lines.join('\n')}\n`);
    await this.build(nodeImage, join(context, 'Node'), context);
    rmSync(context, { recursive: true });
  }

  async build(
    tag: string,
    file: string,
    context: string,
    args: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const given = Object.entries(args).flatMap(([name, value]) => [
      '--build-arg',
      `${name}=${value}`,
    ]);
    // OCI's own format has no HEALTHCHECK. With layers each instruction would copy the whole tree.
    const how = ['--isolation', 'chroot', '--format', 'docker', '--pull-never', '--layers=false'];
    await run(
      'buildah',
      [...this.#place, 'bud', ...how, ...given, '-t', tag, '-f', file, context],
      {
        maxBuffer: outputMaxBytes,
        env: { ...process.env, TMPDIR: this.#dir },
      },
    );
  }

  async inspect(tag: string): Promise<Record<string, unknown>> {
    const found = JSON.parse(await this.#podman('image', 'inspect', tag)) as [
      Record<string, unknown>,
    ];
    return found[0];
  }

  async save(tag: string, file: string): Promise<void> {
    await this.#podman('save', '--format', 'docker-archive', '--output', file, tag);
  }

  async sizeBytes(tag: string): Promise<number> {
    return Number((await this.inspect(tag))['Size']);
  }

  async start(
    tag: string,
    args: readonly string[],
    { mounts = {}, env = {}, user }: ContainerOptions = {},
  ): Promise<Container> {
    const limits = ['--ulimit', 'nofile=4096:4096', '--ulimit', 'nproc=4096:4096'];
    const closed = ['--read-only', '--cap-drop', 'all', '--security-opt', 'no-new-privileges'];
    const given = [
      ...Object.entries(mounts).flatMap(([from, to]) => ['--volume', `${from}:${to}`]),
      ...Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
      ...(user === undefined ? [] : ['--user', user]),
    ];
    const how = ['--detach', '--network', 'host', '--no-healthcheck', ...limits, ...closed];
    const id = (await this.#podman('run', ...how, ...given, tag, ...args)).trim();
    this.#started.push(id);
    const pid = Number(await this.#podman('inspect', '--format', '{{.State.Pid}}', id));
    const ended = async (): Promise<number> => Number(await this.#podman('wait', id));
    return {
      pid,
      logs: () => this.#podman('logs', id),
      exec: (...command) => this.#try('exec', id, ...command),
      ended,
      end: async (signal) => {
        await this.#podman('kill', '--signal', signal, id);
        return ended();
      },
    };
  }

  async remove(): Promise<void> {
    for (const id of this.#started.splice(0)) await this.#try('rm', '--force', id);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #podman(...args: readonly string[]): Promise<string> {
    const { code, said } = await this.#try(...args);
    if (code !== 0) throw new Error(`podman ${args[0]}: ${said}`);
    return said;
  }

  /** Both streams, as they came. */
  #try(...args: readonly string[]): Promise<Ended> {
    const how = ['--runtime', 'runc', '--cgroup-manager', 'cgroupfs'];
    return new Promise((resolve) => {
      execFile(
        'podman',
        [...this.#place, ...how, ...args],
        { maxBuffer: outputMaxBytes },
        (failed, out, err) => resolve({ code: Number(failed?.code ?? 0), said: `${out}${err}` }),
      );
    });
  }
}

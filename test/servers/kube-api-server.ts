/**
 * A real API server of Kubernetes with etcd on loopback, without controllers, scheduler and nodes:
 * it validates, admits, defaults and keeps objects, and starts nothing of them. Who needs more than
 * that, such as a Job that completes, writes the status itself.
 *
 * Nobody publishes the program alone, so it is compiled once, from the modules of Go's proxy, and
 * kept in the user's cache folder. That takes ten minutes of one core.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached, cachedBefore, missing } from './cache.ts';
import type { ChildServer } from './child-server.ts';
import { childServer } from './child-server.ts';
import { debianProgram, debianProgramMissing } from './debian-program.ts';
import { freePort } from './free-port.ts';
import { downloadModule, goMissing, openGo } from './go.ts';

const run = promisify(execFile);
/** Of Kubernetes; its libraries have the same numbers behind 0. */
export const kubernetesVersion = '1.37.2';
const etcd = 'etcd';
const token = 'token-of-tests';

/** Why it cannot run here, as a sentence. With CI=1 that is thrown. */
export function apiServerMissing(): string | undefined {
  if (spawnSync('openssl', ['version']).status !== 0) return missing('openssl is not installed.');
  return debianProgramMissing(etcd) ?? goMissing();
}

const cacheName = `kube-apiserver-${kubernetesVersion}`;

export const isApiServerCompiled = (): boolean => cachedBefore(cacheName) !== undefined;

export interface KubeAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  /** What is wrong, in words; empty when nothing is. */
  readonly message: string;
  /** Of the headers `Warning`. */
  readonly warnings: readonly string[];
}

export interface KubeApiServer {
  /** A file for `--kubeconfig`. */
  readonly kubeconfig: string;
  /** A patch is a strategic merge unless `type` says otherwise. */
  ask(method: string, path: string, body?: unknown, type?: string): Promise<KubeAnswer>;
  stop(): Promise<void>;
}

/** `tell` hears what takes long. */
export async function startKubeApiServer(
  tell: (line: string) => void = () => undefined,
): Promise<KubeApiServer> {
  const programs = {
    etcd: await debianProgram('etcd-server', etcd),
    apiServer: await apiServerProgram(tell),
  };
  const dir = mkdtempSync(join(tmpdir(), 'sluice-kube-'));
  const servers: ChildServer[] = [];
  const stop = async (): Promise<void> => {
    for (const server of servers.splice(0).reverse()) await server.stop();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const store = await startEtcd(programs.etcd, dir);
    servers.push(store.server);
    const { server, port } = await startServer(programs.apiServer, dir, store.url);
    servers.push(server);
    const kubeconfig = join(dir, 'kubeconfig');
    writeFileSync(kubeconfig, JSON.stringify(configOf(dir, port)));
    return { kubeconfig, ask: (...asked) => ask(dir, port, ...asked), stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

async function startEtcd(
  program: string,
  dir: string,
): Promise<{ readonly server: ChildServer; readonly url: string }> {
  const [url, peers] = [await freePort(), await freePort()].map(
    (port) => `http://127.0.0.1:${port}`,
  ) as [string, string];
  const server = await childServer({
    name: etcd,
    command: program,
    args: [
      ...['--data-dir', join(dir, 'etcd'), '--unsafe-no-fsync', '--logger', 'zap'],
      ...['--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', peers, '--initial-advertise-peer-urls', peers],
      ...['--initial-cluster', `default=${peers}`],
    ],
    isReady: async () => (await fetch(`${url}/health`)).ok,
  });
  return { server, url };
}

async function startServer(
  program: string,
  dir: string,
  store: string,
): Promise<{ readonly server: ChildServer; readonly port: number }> {
  const port = await freePort();
  const [key, publicKey] = [join(dir, 'sa.key'), join(dir, 'sa.pub')];
  await run('openssl', ['genrsa', '-out', key, '2048']);
  await run('openssl', ['rsa', '-in', key, '-pubout', '-out', publicKey]);
  writeFileSync(join(dir, 'tokens.csv'), `${token},admin,admin,"system:masters"\n`);
  const options = {
    'etcd-servers': store,
    'cert-dir': join(dir, 'certificates'),
    'bind-address': '127.0.0.1',
    'secure-port': String(port),
    'service-cluster-ip-range': '10.96.0.0/16',
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-account-signing-key-file': key,
    'service-account-key-file': publicKey,
    'token-auth-file': join(dir, 'tokens.csv'),
    'authorization-mode': 'RBAC',
    // No controller makes the account that it would give to each pod.
    'disable-admission-plugins': 'ServiceAccount',
  };
  const server = await childServer({
    name: 'kube-apiserver',
    command: program,
    args: Object.entries(options).map(([name, value]) => `--${name}=${value}`),
    isReady: async () => (await ask(dir, port, 'GET', '/readyz')).status === 200,
  });
  return { server, port };
}

const certificateOf = (dir: string): string => join(dir, 'certificates', 'apiserver.crt');

function configOf(dir: string, port: number): object {
  const server = `https://127.0.0.1:${port}`;
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'own', cluster: { server, 'certificate-authority': certificateOf(dir) } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'own', context: { cluster: 'own', user: 'admin' } }],
    'current-context': 'own',
  };
}

function ask(
  dir: string,
  port: number,
  method: string,
  path: string,
  body?: unknown,
  type = method === 'PATCH' ? 'application/strategic-merge-patch+json' : 'application/json',
): Promise<KubeAnswer> {
  return new Promise((resolve, reject) => {
    const options = {
      method,
      ca: readFileSync(certificateOf(dir)),
      headers: { authorization: `Bearer ${token}`, 'content-type': type },
    };
    const asked = request(`https://127.0.0.1:${port}${path}`, options, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.once('end', () => {
        const body = text.startsWith('{') ? (JSON.parse(text) as KubeAnswer['body']) : { text };
        const message = body['kind'] === 'Status' ? (body['message'] as string | undefined) : '';
        const warnings = warningsIn(answer.rawHeaders);
        resolve({ status: answer.statusCode ?? 0, body, message: message ?? '', warnings });
      });
    });
    asked.once('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** `299 - "text"`, https://www.rfc-editor.org/rfc/rfc7234#section-5.5, several to a header. */
function warningsIn(rawHeaders: readonly string[]): readonly string[] {
  return rawHeaders
    .filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === 'warning')
    .flatMap((header) => [...header.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)])
    .map(([, text = '']) => text.replaceAll(/\\(.)/g, '$1'));
}

async function apiServerProgram(tell: (line: string) => void): Promise<string> {
  const before = cachedBefore(cacheName);
  if (before !== undefined) return join(before, 'kube-apiserver');
  tell(`compiling kube-apiserver ${kubernetesVersion}, once: ten minutes of one core`);
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-kube-apiserver-'));
  try {
    // Before anything is made in the cache: what others fetch would wait for it.
    const program = await compile(scratch, tell);
    const dir = await cached(cacheName, async (made) => void (await run('cp', [program, made])));
    return join(dir, 'kube-apiserver');
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/**
 * The module as it is published lacks the libraries of its staging folder, which its go.mod
 * replaces by that folder; they are modules of their own, with the same version behind 0.
 */
async function compile(scratch: string, tell: (line: string) => void): Promise<string> {
  const source = join(scratch, 'source');
  await downloadModule(`k8s.io/kubernetes@v${kubernetesVersion}`, source);
  for (const left of ['go.work', 'go.work.sum', 'vendor'])
    rmSync(join(source, left), { recursive: true, force: true });
  const file = join(source, 'go.mod');
  const library = `v${kubernetesVersion.replace(/^1\./, '0.')}`;
  const text = readFileSync(file, 'utf8')
    .replaceAll(/^(\s+k8s\.io\/\S+) v0\.0\.0(?=\s|$)/gm, `$1 ${library}`)
    .replaceAll(/^replace (?:\([^)]*\)|.*)\n/gm, '');
  rmSync(file);
  writeFileSync(file, text);
  const go = await openGo();
  await go(scratch, source, 'mod', 'tidy', '-e');
  tell('its modules are there');
  const [major, minor] = kubernetesVersion.split('.');
  const named = Object.entries({
    gitVersion: `v${kubernetesVersion}`,
    gitMajor: major,
    gitMinor: minor,
  }).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`);
  const program = join(scratch, 'kube-apiserver');
  const flags = ['-p', '2', '-ldflags', `-s -w ${named.join(' ')}`];
  await go(scratch, source, 'build', ...flags, '-o', program, './cmd/kube-apiserver');
  return program;
}

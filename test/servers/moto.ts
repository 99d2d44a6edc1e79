/**
 * Starts moto (https://docs.getmoto.org), one process that plays S3, Firehose and STS, on loopback at a free port. It is installed by pip, at an
 * exact version, into a virtual environment under the user's cache directory, made when it is not there, and kept for the next run.
 *
 * What it does not do as AWS: Firehose writes one object a call at once, applies neither compression nor partitioning, and takes more than its limits.
 */
import type { ChildProcess } from 'node:child_process';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

const version = '5.2.5';
const startMaxMs = 60_000;
const pollMs = 50;
const run = promisify(execFile);
const wait = promisify(setTimeout);

export interface Moto {
  readonly endpoint: string;
  readonly region: string;
  stop(): Promise<void>;
}

/** Why moto cannot run here, as a sentence. With CI=1 that is a failure, else the suite is skipped. */
export function motoMissing(): string | undefined {
  if (spawnSync('python3', ['-m', 'venv', '--help']).status === 0) return undefined;
  const sentence = 'moto needs python3 with its venv module, which is not there.';
  if (process.env['CI'] === '1') throw new Error(sentence);
  console.log(`skipped: ${sentence}`);
  return sentence;
}

/** The credentials that the SDK's default chain finds; moto takes any. Workers that start later have them too. */
export function useTestCredentials(): void {
  process.env['AWS_ACCESS_KEY_ID'] = 'testing';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'testing';
  process.env['AWS_REGION'] = 'us-east-1';
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
}

async function virtualEnvironment(): Promise<string> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const dir = join(cache, 'sluice', `moto-${version}`);
  const mark = join(dir, 'installed');
  if (!existsSync(mark)) {
    mkdirSync(dirname(dir), { recursive: true });
    await run('python3', ['-m', 'venv', dir]);
    await run(join(dir, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `moto[server]==${version}`]);
    writeFileSync(mark, '');
  }
  return join(dir, 'bin', 'python');
}

export async function startMoto(): Promise<Moto> {
  const python = await virtualEnvironment();
  const port = await freePort();
  const child = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    // Only how it began: it logs each request.
    if (said.length < 4_096) said += chunk.toString();
  });
  const endpoint = `http://127.0.0.1:${port}`;
  const ended = new Promise<void>((resolve) => void child.once('close', () => resolve()));
  const onExit = (): void => void child.kill('SIGKILL');
  process.once('exit', onExit);
  const stop = async (): Promise<void> => {
    process.off('exit', onExit);
    child.kill('SIGKILL');
    await ended;
  };
  if (!(await answers(endpoint, child))) {
    await stop();
    throw new Error(`moto did not start: ${said}`);
  }
  return { endpoint, region: 'us-east-1', stop };
}

async function answers(endpoint: string, child: ChildProcess): Promise<boolean> {
  for (let waited = 0; waited < startMaxMs && child.exitCode === null; waited += pollMs) {
    if (
      await fetch(`${endpoint}/moto-api/`).then(
        (reply) => reply.ok,
        () => false,
      )
    )
      return true;
    await wait(pollMs);
  }
  return false;
}

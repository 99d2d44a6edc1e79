/**
 * Starts moto (https://docs.getmoto.org), one process that plays S3, Firehose and STS, on loopback
 * at a free port. It is installed by pip, at an exact version, and kept for the next run.
 *
 * What it does not do as AWS: Firehose writes one object a call at once, applies neither
 * compression nor partitioning, and takes more than its limits.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pythonPackages } from './cache.ts';
import { freePort } from './free-port.ts';

const version = '5.2.5';
const startMaxMs = 60_000;
const pollMs = 50;
const wait = promisify(setTimeout);

export interface Moto {
  readonly endpoint: string;
  readonly region: string;
  stop(): Promise<void>;
}

/**
 * The credentials that the SDK's default chain finds; moto takes any. Workers that start later have
 * them too.
 */
export function useTestCredentials(): void {
  process.env['AWS_ACCESS_KEY_ID'] = 'testing';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'testing';
  process.env['AWS_REGION'] = 'us-east-1';
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
}

export async function startMoto(): Promise<Moto> {
  const python = join(await pythonPackages(`moto[server]==${version}`), 'python');
  const port = await freePort();
  const child = spawn(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
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

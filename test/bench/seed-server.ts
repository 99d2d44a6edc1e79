/**
 * Starts the stack of the origin (seed-server.py) from a virtual environment that pip makes at exact versions
 * when it is not there, kept for the next run.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonPackages } from '../servers/cache.ts';
import type { Server } from './ingress-processes.ts';

const seedVersions = ['fastapi==0.165.0', 'uvicorn==0.54.0', 'uvloop==0.23.0', 'httptools==0.9.0', 'pydantic==2.14.3', 'boto3==1.44.5'];

const script = fileURLToPath(new URL('../../../test/bench/seed-server.py', import.meta.url));

/** Rejects when there is no python3 or pip cannot install. */
export async function startSeed(stubPort: number, stream: string): Promise<Server> {
  const python = join(await pythonPackages(...seedVersions), 'python');
  const child = spawn(python, [script, String(stubPort), stream], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => void child.once('close', () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => reject(new Error('the server of the origin ended')));
    child.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString().trim())));
  });
  return {
    port,
    async usage() {
      const answer = await fetch(`http://127.0.0.1:${port}/usage`);
      const { cpuUs } = (await answer.json()) as { cpuUs: number };
      return { cpuUs, rssBytes: 0, heapUsedBytes: 0 };
    },
    async stop() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/**
 * Starts the stack of the origin (seed-server.py) from a virtual environment that pip makes at
 * exact versions when it is not there, kept for the next run.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonPackages } from '../servers/cache.ts';
import type { Server } from './ingress-processes.ts';

const seedVersions = [
  'fastapi==0.165.0',
  'uvicorn==0.54.0',
  'uvloop==0.23.0',
  'httptools==0.9.0',
  'orjson==3.13.0',
  'boto3==1.44.5',
];

const script = fileURLToPath(new URL('../../../test/bench/seed-server.py', import.meta.url));
/**
 * Ticks a second of the times in /proc, https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html:
 * 100 on every common Linux.
 */
const usPerTick = 10_000;

export interface SeedServer extends Server {
  /**
   * What it wrote on its standard error: a server that throws under load does other work than the
   * one it is measured for.
   */
  readonly errors: string;
}

/** Rejects when there is no python3 or pip cannot install. */
export async function startSeed(
  stubPort: number,
  stream: string,
  workers: number,
): Promise<SeedServer> {
  const python = join(await pythonPackages(...seedVersions), 'python');
  const child = spawn(python, [script, String(stubPort), stream, String(workers)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => void child.once('close', () => resolve()));
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(0, 4_000);
  });
  const { port, pids } = await new Promise<{
    readonly port: number;
    readonly pids: readonly number[];
  }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => reject(new Error(`the server of the origin ended: ${errors}`)));
    child.stdout.once('data', (chunk: Buffer) =>
      resolve(JSON.parse(chunk.toString()) as { port: number; pids: number[] }),
    );
  });
  return {
    port,
    get errors() {
      return errors;
    },
    usage: () =>
      Promise.resolve({
        cpuUs: pids.reduce((sum, pid) => sum + cpuUsOf(pid), 0),
        rssBytes: 0,
        heapUsedBytes: 0,
      }),
    async stop() {
      child.stdin.end();
      await ended;
    },
  };
}

/**
 * User and system time of a process: fields 14 and 15, behind a name in brackets that may have
 * blanks.
 */
function cpuUsOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user = '0', system = '0'] = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) * usPerTick;
}

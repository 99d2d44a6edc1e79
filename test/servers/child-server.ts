/**
 * A server of the tests as a child process: started, waited for, killed, stopped; and never left
 * behind.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ChildServer {
  readonly pid: number;
  /** What it said lately. */
  readonly log: string;
  /** SIGKILL; resolves when it has ended. */
  kill(): Promise<void>;
  /** SIGSTOP: it lives, its connections are open, and it answers nothing. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** SIGTERM, and SIGKILL when it does not end. */
  stop(): Promise<void>;
}

export interface ChildServerOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it answers. */
  readonly isReady: () => Promise<boolean>;
  readonly readyMaxMs?: number;
  /** From SIGTERM to SIGKILL; default 15 s. */
  readonly stopMaxMs?: number;
}

const logMaxChars = 20_000;

/** Resolves when it is ready; rejects with what it said when it ends before, or takes too long. */
export async function childServer(options: ChildServerOptions): Promise<ChildServer> {
  const { name, command, args, isReady, readyMaxMs = 180_000, stopMaxMs = 15_000 } = options;
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
  });
  let log = '';
  const hear = (chunk: Buffer): void => {
    log = (log + chunk.toString()).slice(-logMaxChars);
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  child.once('error', (thrown) => {
    log += String(thrown);
  });
  // Also when the tests end in the middle.
  const last = (): void => void child.kill('SIGKILL');
  process.once('exit', last);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (isOver(child)) return;
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMaxMs);
    await ended;
    clearTimeout(timer);
    process.off('exit', last);
  };
  for (const deadline = performance.now() + readyMaxMs; ; await sleep(50)) {
    if (isOver(child))
      throw new Error(`${name} ended with ${child.exitCode ?? child.signalCode}:\n${log}`);
    if (await isReady().catch(() => false)) break;
    if (performance.now() < deadline) continue;
    await end('SIGKILL');
    throw new Error(`${name} was not ready in ${readyMaxMs} ms:\n${log}`);
  }
  return {
    pid: child.pid ?? 0,
    get log() {
      return log;
    },
    kill: () => end('SIGKILL'),
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    stop: () => end('SIGTERM'),
  };
}

function isOver({ exitCode, signalCode, pid }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null || pid === undefined;
}

/**
 * The command line as a person runs it: a child process on a directory of its own.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const repo = fileURLToPath(new URL('../../../', import.meta.url));
export const main = join(repo, 'bundle/deploy/cli/main.js');

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export function sluice(
  args: readonly string[],
  cwd = repo,
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [main, ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString();
    });
    child.once('close', (code) => resolve({ code, out, err }));
  });
}

export interface Started {
  readonly url: string;
  readonly child: ChildProcess;
  readonly output: () => string;
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
}

/** `sluice start`, ready. */
export async function startSluice(
  dir: string,
  args: readonly string[] = [],
  options: readonly string[] = ['--port', '0'],
  cwd = repo,
  env: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const child = spawn(process.execPath, [main, '--dir', dir, ...args, 'start', ...options], {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  let code: number | null | undefined;
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', (exit) => {
      code = exit;
      resolve(exit);
    });
  });
  await until(
    () => {
      if (code !== undefined) throw new Error(`start ended with ${code}: ${output}`);
      return output.includes('Sluice is ready');
    },
    () => output,
  );
  const { url } = JSON.parse(readFileSync(join(dir, 'instance.json'), 'utf8')) as { url: string };
  return {
    url,
    child,
    output: () => output,
    stop(signal = 'SIGTERM') {
      child.kill(signal);
      return ended;
    },
  };
}

/** Waits until `condition` holds; bounded, and tells `what` when it never does. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: () => string = () => 'a condition',
): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (await condition()) return;
    await sleep(40);
  }
  throw new Error(`waited in vain: ${what()}`);
}

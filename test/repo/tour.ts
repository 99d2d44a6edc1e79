/**
 * The first five minutes as the README and docs/start.md show them, run as they stand, on a free
 * port instead of 8080: the first of them in a clone, all with the package that is installed from its
 * tarball.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import { commandsOf, root, run } from './support.ts';

export interface TourOptions {
  /** Where the commands are run. */
  readonly folder: string;
  /** Starts the instance; arguments are added. */
  readonly start: readonly [string, ...string[]];
  /** Before the paths of the example, as they are in a clone. */
  readonly example: string;
  /** How many of the commands; absent: all. */
  readonly first?: number;
  readonly signal: AbortSignal;
}

export async function runTour({
  folder,
  start,
  example,
  first,
  signal,
}: TourOptions): Promise<void> {
  const commands = ['README.md', 'docs/start.md']
    .flatMap((page) => commandsOf(readFileSync(join(root, page), 'utf8')))
    .filter((command) => /^(?:curl |npx --no sluice )/.test(command));
  expect(commands.length).toBeGreaterThan(8);
  const port = String(await freePort());
  // A test whose time is over goes on, and nothing would end what it starts.
  signal.throwIfAborted();
  const [program, ...args] = start;
  const instance = spawn(program, [...args, '--port', port], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [instance.stdout, instance.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise((resolve) => instance.once('close', resolve));
  // Also when the test's time is over: it would run on.
  onTestFinished(async () => {
    if (instance.exitCode === null && instance.signalCode === null)
      process.kill(-(instance.pid ?? 0), 'SIGKILL');
    await ended;
  });
  const isReady = (): boolean =>
    said.includes('Sluice is ready') && said.includes('topology flights');
  await until(isReady, () => said);
  for (const shown of commands.slice(0, first)) {
    const command = shown
      .replaceAll('8080', port)
      .replaceAll('topology/examples/', `${example}topology/examples/`);
    if (command.includes(' reset')) {
      process.kill(-(instance.pid ?? 0), 'SIGTERM');
      await ended;
    }
    let outcome = run(folder, 'bash', '-c', command);
    // Rows are visible a few seconds after they were sent.
    if (command.includes(' query ')) {
      await until(
        () => {
          outcome = run(folder, 'bash', '-c', command);
          return outcome.status !== 0 || !outcome.stdout.includes('(0 rows)');
        },
        () => outcome.output,
      );
    }
    expect(outcome.status, `${command}: ${outcome.output}`).toBe(0);
    if (command.startsWith('curl')) expect(outcome.stdout).toMatch(/^HTTP\/1\.1 200 OK/);
    if (command.includes('FROM weather')) expect(outcome.stdout).toContain('JFK');
  }
}

async function until(condition: () => boolean, what: () => string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (condition()) return;
    await sleep(100);
  }
  throw new Error(`waited in vain: ${what()}`);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        resolve(typeof address === 'object' && address !== null ? address.port : 0),
      );
    });
  });
}

/**
 * What is committed installs: a fresh clone, an empty npm cache, `npm ci` (which builds), and the
 * packages with native parts load. It tests the last commit, not the working tree.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { commandsOf, root, run, temporaryFolder } from './support.ts';

it('npm ci in a fresh clone installs, builds, the native packages load, and the first five minutes are true', {
  timeout: 400_000,
}, async ({ signal }) => {
  const folder = temporaryFolder('clone');
  const clone = join(folder, 'clone');
  const cloned = run(folder, 'git', 'clone', '--quiet', '--no-hardlinks', root, clone);
  expect(cloned.status, cloned.output).toBe(0);

  const installed = run(clone, 'npm', 'ci', '--cache', temporaryFolder('npm-cache'));
  expect(installed.status, installed.output).toBe(0);
  expect(installed.output).not.toContain('warn install-scripts');
  expect(existsSync(join(clone, 'dist', 'topology', 'index.js'))).toBe(true);

  for (const name of [
    'uWebSockets.js',
    'esbuild',
    '@duckdb/node-api',
    '@ladybugdb/core',
    'fs-native-extensions',
  ]) {
    const loaded = run(
      clone,
      process.execPath,
      '-e',
      `import('${name}').then((all) => console.log(Object.keys(all).length > 0 ? 'loaded' : 'empty'))`,
    );
    expect(loaded.status, `${name}: ${loaded.output}`).toBe(0);
    expect(loaded.stdout.trim(), name).toBe('loaded');
  }

  // The binary behind esbuild too, not only its JavaScript.
  const compiled = run(
    clone,
    process.execPath,
    '-e',
    "import('esbuild').then((e) => e.transform('let x: 1', { loader: 'ts' })).then((r) => console.log(r.code))",
  );
  expect(compiled.status, compiled.output).toBe(0);
  expect(compiled.stdout).toContain('let x');

  await tour(clone, signal);
});

/**
 * Runs what the README and docs/start.md show of `npm start`, `curl` and `sluice`, in their order,
 * on a free port instead of 8080.
 */
async function tour(clone: string, signal: AbortSignal): Promise<void> {
  const commands = ['README.md', 'docs/start.md']
    .flatMap((page) => commandsOf(readFileSync(join(clone, page), 'utf8')))
    .filter((command) => /^(?:curl |npx --no sluice )/.test(command));
  expect(commands.length).toBeGreaterThan(8);
  const port = String(await freePort());
  // A test whose time is over goes on, and nothing would end what it starts.
  signal.throwIfAborted();
  const instance = spawn('npm', ['start', '--', '--port', port], {
    cwd: clone,
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
  await until(() => said.includes('Sluice is ready') && said.includes('topology flights'), said);
  for (const command of commands) {
    const stops = command.includes(' reset');
    if (stops) {
      process.kill(-(instance.pid ?? 0), 'SIGTERM');
      await ended;
    }
    let outcome = run(clone, 'bash', '-c', command.replaceAll('8080', port));
    // Rows are visible a few seconds after they were sent.
    if (command.includes(' query ')) {
      await until(() => {
        outcome = run(clone, 'bash', '-c', command);
        return outcome.status !== 0 || !outcome.stdout.includes('(0 rows)');
      }, outcome.output);
    }
    expect(outcome.status, `${command}: ${outcome.output}`).toBe(0);
    if (command.startsWith('curl')) expect(outcome.stdout).toMatch(/^HTTP\/1\.1 200 OK/);
    if (command.includes('FROM weather')) expect(outcome.stdout).toContain('JFK');
  }
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    if (condition()) return;
    await sleep(100);
  }
  throw new Error(`waited in vain: ${what}`);
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

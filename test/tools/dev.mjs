/**
 * `npm run dev`: compiles, runs `sluice start` and does both again whenever a source changes.
 * Arguments go to `sluice start` (`npm run dev -- --dir /tmp/dev`).
 *
 * Invariants:
 * 1. The old process ends before the next one starts: both use the same folder and port.
 * 2. What does not compile stops nothing: the old process runs on.
 * 3. A change during a build is built again; changes that come together are one.
 * 4. Whatever ends it from the terminal, also closing that, ends what it started first.
 */
import { spawn } from 'node:child_process';
import { watch } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './unit-tests.mjs';

const settleMs = 100;
const sources = ['schemas', 'topology', 'ingest', 'enrich', 'deploy'];
/** The flags of `npm start`: production's heap. */
const flags = ['--no-memory-reducer', '--min-semi-space-size=64', '--max-semi-space-size=64'];

/**
 * Builds and starts, again after each `changed()`. `build` resolves to whether it compiled, `start`
 * returns a process that `stop` ends.
 */
export function restarter({ build, start, stop }) {
  let running;
  let isChanged = false;
  let turn;
  const work = async () => {
    while (isChanged) {
      isChanged = false;
      if (!(await build())) continue;
      if (running !== undefined) await stop(running);
      running = start();
    }
    turn = undefined;
  };
  return {
    changed() {
      isChanged = true;
      turn ??= work();
      return turn;
    },
    async close() {
      isChanged = false;
      await turn;
      if (running !== undefined) await stop(running);
    },
  };
}

const ended = (child) =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    else child.once('exit', (code) => resolve(code));
  });
const node = (...args) => spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });

function main(args) {
  const dev = restarter({
    build: async () => (await ended(node(join(root, 'test', 'tools', 'build.mjs')))) === 0,
    start: () => node(...flags, join(root, 'bundle', 'deploy', 'cli', 'main.js'), 'start', ...args),
    stop: async (child) => {
      child.kill('SIGTERM');
      await ended(child);
    },
  });
  let settling;
  for (const folder of sources) {
    watch(join(root, folder), { recursive: true }, (_event, name) => {
      if (name !== null && !/\.(?:ts|json|yaml)$/.test(name)) return;
      clearTimeout(settling);
      settling = setTimeout(() => void dev.changed(), settleMs);
    });
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.once(signal, () => void dev.close().then(() => process.exit()));
  void dev.changed();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main(process.argv.slice(2));

/**
 * `npm run dev` itself, of a project so small that it compiles at once: a change is compiled and
 * started, and Ctrl-C leaves no process behind.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { plant, root, temporaryFolder } from './support.ts';

/** In place of the command line: writes down who runs, and ends as `sluice start` does. */
const main = (text: string): string => `
import { appendFileSync } from 'node:fs';
const note = (what: string): void => appendFileSync('happened', what + ' ' + process.pid + '\\n');
const going = setInterval(() => 0, 1_000);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => {
    if (signal !== 'SIGHUP') clearInterval(going);
  });
process.on('exit', () => note('ended'));
note(${JSON.stringify(text)});
`;
const compilerOptions = {
  module: 'NodeNext',
  types: ['node'],
  rootDir: '.',
  outDir: 'dist',
};
const sources = ['schemas', 'topology', 'ingest', 'enrich', 'deploy'];

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

it.each(['SIGINT', 'SIGHUP'] as const)(
  'compiles and restarts at a change, and %s ends all of it',
  {
    timeout: 120_000,
  },
  async (signal) => {
    const folder = temporaryFolder('dev');
    plant(folder, {
      'package.json': '{ "type": "module" }',
      'tsconfig.json': JSON.stringify({ compilerOptions, include: sources }),
      ...Object.fromEntries(sources.map((name) => [`${name}/empty.ts`, 'export {};\n'])),
      'deploy/cli/main.ts': main('one'),
    });
    for (const tool of ['dev.mjs', 'build.mjs', 'bundle.mjs', 'unit-tests.mjs'])
      cpSync(join(root, 'test', 'tools', tool), join(folder, 'test', 'tools', tool));
    const happened = (): readonly string[] =>
      existsSync(join(folder, 'happened'))
        ? readFileSync(join(folder, 'happened'), 'utf8').trim().split('\n')
        : [];
    const words = (): readonly string[] => happened().map((line) => line.replace(/ \d+$/, ''));
    const pids = (): readonly number[] =>
      happened().map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));

    const dev = spawn(process.execPath, [join('test', 'tools', 'dev.mjs')], {
      cwd: folder,
      // A group of its own, to which the terminal's signals are sent.
      detached: true,
      stdio: 'ignore',
    });
    const group = -(dev.pid ?? 0);
    const ended = new Promise((resolve) => dev.once('exit', resolve));
    onTestFinished(async () => {
      if (dev.exitCode === null && dev.signalCode === null) process.kill(group, 'SIGKILL');
      await ended;
    });
    const until = async (expected: readonly string[]): Promise<void> => {
      while (words().length < expected.length) await sleep(20);
      expect(words()).toEqual(expected);
    };

    await until(['one']);
    writeFileSync(join(folder, 'deploy', 'cli', 'main.ts'), main('two'));
    await until(['one', 'ended', 'two']);
    // As an editor that puts a new file in the place of the old one.
    writeFileSync(join(folder, 'new'), main('three'));
    renameSync(join(folder, 'new'), join(folder, 'deploy', 'cli', 'main.ts'));
    await until(['one', 'ended', 'two', 'ended', 'three']);
    process.kill(group, signal);
    await ended;
    await until(['one', 'ended', 'two', 'ended', 'three', 'ended']);
    expect(pids().filter(isAlive)).toEqual([]);
  },
);

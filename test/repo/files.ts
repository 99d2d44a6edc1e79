/**
 * The repository for its own tests and tools: where it is, which files it has, and running a
 * command. Tests and tools run compiled (dist/ or another output folder), so the root is looked for
 * upwards.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRoot(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); at !== dirname(at); at = dirname(at)) {
    if (existsSync(join(at, '.oxlintrc.json'))) return at;
  }
  throw new Error('no folder above this test has .oxlintrc.json');
}

export const root = findRoot();

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  /** Both streams, for messages and searches. */
  readonly output: string;
}

/**
 * Runs to the end; never throws on a bad exit. What npm put into the environment of this test does
 * not reach the command.
 */
export function run(cwd: string, command: string, ...args: string[]): Outcome {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(package|lifecycle|config_local)|INIT_CWD$)/.test(name),
    ),
  );
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  return { status, stdout, output: `${stdout}${stderr}` };
}

/** A tool of node_modules/.bin of this repository. */
export function tool(name: string): string {
  return join(root, 'node_modules', '.bin', name);
}

/** The files of the working tree that git tracks or would track. */
export function repositoryFiles(): string[] {
  const listed = run(root, 'git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard');
  if (listed.status !== 0) throw new Error(listed.output);
  return [...new Set(listed.stdout.split('\0'))].filter(
    (path) => path !== '' && existsSync(join(root, path)),
  );
}

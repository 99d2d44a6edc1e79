/**
 * What the tests of the repository share: where it is, which files it has, temporary folders, and
 * running a command. The tests run compiled (dist/ or another output folder), so the root is looked
 * for upwards.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

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

/**
 * Runs a compiled script of test/ in a process of its own; what it said, then `exit` and its code.
 */
export function runScript(script: string, ...args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(root, 'dist', 'test', script), ...args], {
      cwd: root,
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.once('close', (code) => resolve(`${said}exit ${code}`));
  });
}

/** A tool of node_modules/.bin of this repository. */
export function tool(name: string): string {
  return join(root, 'node_modules', '.bin', name);
}

/** A temporary folder, removed when the running test ends. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * Writes the files (path to text) below `folder` and links this repository's node_modules into it.
 */
export function plant(folder: string, files: Readonly<Record<string, string>>): void {
  if (!existsSync(join(folder, 'node_modules')))
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** The files of the working tree that git tracks or would track. */
export function repositoryFiles(): string[] {
  const listed = run(root, 'git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard');
  if (listed.status !== 0) throw new Error(listed.output);
  return [...new Set(listed.stdout.split('\0'))].filter(
    (path) => path !== '' && existsSync(join(root, path)),
  );
}

/** The command lines of the ```sh fences: no comments, no blank lines, continued lines joined, a leading prompt taken off. */
export function commandsOf(markdown: string): string[] {
  const fences = [...markdown.matchAll(/^[ \t]*```sh[ \t]*\n(.*?)^[ \t]*```[ \t]*$/gms)].map(
    (match) => match[1] ?? '',
  );
  return fences.flatMap((fence) =>
    fence
      .replace(/\\\n\s*/g, '')
      .split('\n')
      .map((line) =>
        line
          .trim()
          .replace(/^\$ /, '')
          .replace(/\s+#\s.*$/, ''),
      )
      .filter((line) => line !== '' && !line.startsWith('#')),
  );
}

/**
 * What the tests of the repository share: the repository itself, temporary folders, planted files,
 * and the commands of a page.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { root } from './files.ts';

export { repositoryFiles, root, run, tool } from './files.ts';

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

/** A folder of installed packages has tens of thousands of files. */
const removalMaxMs = 120_000;

/** A temporary folder, removed when the running test ends. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }), removalMaxMs);
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

/**
 * The command lines of the ```sh fences: no comments, no blank lines, continued lines joined, a
 * leading prompt taken off.
 */
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

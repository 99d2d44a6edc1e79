/**
 * `npm run conformance:http -- [FILES and options of the runner]`: the cases of
 * test/conformance/http against this build, but for those that the binary of the HTTP server in use
 * is known not to pass (http-known/).
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const project = fileURLToPath(new URL('../../..', import.meta.url));
/** Below the project's folder. */
export const runner = 'test/conformance/http/run.mjs';

/**
 * The list of what the binary for these modules of Node cannot pass, below the project's folder.
 */
export function knownList(modules: string): string {
  return `test/conformance/http-known/node-${Number(modules) < 127 ? 20 : 24}.txt`;
}

async function run(args: readonly string[]): Promise<number> {
  const files = args.filter((arg) => arg.endsWith('.yaml')).map((file) => basename(file));
  const dir = mkdtempSync(join(tmpdir(), 'sluice-conformance-'));
  try {
    // The runner refuses a list that names cases of files that it was not given.
    const lines = readFileSync(join(project, knownList(process.versions.modules)), 'utf8').split(
      '\n',
    );
    const known = join(dir, 'known.txt');
    writeFileSync(
      known,
      lines
        .filter((line) => files.length === 0 || files.some((file) => line.startsWith(`${file}:`)))
        .join('\n'),
    );
    const child = spawn(
      process.execPath,
      [join(project, runner), '--start', project, '--known', known, ...args],
      { stdio: 'inherit' },
    );
    return await new Promise((resolve) => child.once('close', (code) => resolve(code ?? 1)));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  process.exitCode = await run(process.argv.slice(2));

/**
 * `npm run test:node -- 22`: the tests of the product's parts on Node 22 or 24 in a Debian 13, where
 * production runs; what else is named are paths of tests: `npm run test:node -- 24 schemas`. It
 * needs `npm run build` and the rights of root.
 *
 * Not there: a browser, Java, Maven, Python, Go, npm, git and curl. Tests that need one of them, or
 * real servers, say so and are skipped.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../repo/files.ts';
import {
  debianMissing,
  debianRoot,
  inDebian,
  olderNode,
  projectDir,
} from '../servers/debian-root.ts';

const parts = ['schemas', 'topology', 'ingest', 'conformance', 'deploy', 'enrich'];

/** The exit code of vitest. */
async function main([major = '24', ...named]: readonly string[]): Promise<number> {
  if (!['22', '24'].includes(major)) {
    console.error(`invalid version '${major}': expected 22 or 24, then paths of tests`);
    return 2;
  }
  if (debianMissing() !== undefined) return 1;
  const debian = await debianRoot();
  const node = major === '22' ? await olderNode() : undefined;
  const out = mkdtempSync(join(tmpdir(), 'sluice-node-suite-'));
  const paths = (named.length > 0 ? named : parts).map((path) => `dist/test/${path}`);
  const vitest = [`${projectDir}/node_modules/vitest/vitest.mjs`, 'run', '--root', projectDir];
  const command = inDebian(debian, root, out, [...vitest, ...paths], node);
  // Servers cannot be installed there, so tests that need them are skipped, in CI too.
  const env = { ...process.env, CI: '', HOME: '/tmp' };
  try {
    return await new Promise((resolve) =>
      spawn(...command, { env, stdio: 'inherit' }).once('close', (code) => resolve(code ?? 1)),
    );
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

process.exitCode = await main(process.argv.slice(2));

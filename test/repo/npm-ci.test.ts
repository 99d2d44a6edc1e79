/**
 * What is committed installs: a fresh clone, `npm ci` (which builds), and the packages with native
 * parts load. It tests the last commit, not the working tree. CI installs a fresh clone itself before
 * the tests: what it installed and built is used there.
 */
import { cpSync, existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root, run, temporaryFolder } from './support.ts';
import { runTour } from './tour.ts';

function installedClone(): string {
  const folder = temporaryFolder('clone');
  const clone = join(folder, 'clone');
  const cloned = run(folder, 'git', 'clone', '--quiet', '--no-hardlinks', root, clone);
  expect(cloned.status, cloned.output).toBe(0);
  if (process.env['CI'] === undefined) {
    const installed = run(clone, 'npm', 'ci');
    expect(installed.status, installed.output).toBe(0);
    expect(installed.output).not.toContain('warn install-scripts');
  } else {
    symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'));
    for (const built of ['dist', 'bundle'])
      cpSync(join(root, built), join(clone, built), { recursive: true });
  }
  return clone;
}

it('npm ci in a fresh clone installs, builds, the native packages load, and an event becomes a row', {
  timeout: 400_000,
}, async ({ signal }) => {
  const clone = installedClone();
  expect(existsSync(join(clone, 'bundle', 'deploy', 'cli', 'main.js'))).toBe(true);

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

  // An event, and its row; the rest is for the package.
  await runTour({ folder: clone, start: ['npm', 'start', '--'], example: '', first: 2, signal });
});

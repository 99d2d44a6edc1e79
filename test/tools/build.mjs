/**
 * `npm run build`: compiles the whole project into dist, removes what has no source any more, copies
 * the data that modules read beside themselves, makes the command line executable, and bundles what
 * runs (bundle.mjs).
 *
 * What is up to date is not written again: a package that depends on this folder builds it when it
 * is installed, and what runs from dist meanwhile must go on.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeBundle } from './bundle.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const dist = join(root, 'dist');
const typescript = createRequire(import.meta.url).resolve('typescript/package.json');

const compiled = spawnSync(
  process.execPath,
  [join(dirname(typescript), 'bin', 'tsc'), '-p', 'tsconfig.json'],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
for (const entry of !existsSync(dist)
  ? []
  : readdirSync(dist, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name);
  const match = /^(.*?)(?:\.d\.ts|\.js)(?:\.map)?$/.exec(relative(dist, path));
  if (!entry.isFile() || match === null) continue;
  if (!existsSync(join(root, `${match[1]}.ts`))) rmSync(path);
}
if (compiled.status !== 0) process.exit(compiled.status ?? 1);

for (const file of ['deploy/cost/prices.yaml'])
  if (existsSync(join(root, file))) copyFileSync(join(root, file), join(dist, file));

const cli = join(dist, 'deploy', 'cli', 'main.js');
if (existsSync(cli)) chmodSync(cli, 0o755);
await writeBundle(root);

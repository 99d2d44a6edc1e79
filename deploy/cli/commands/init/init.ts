/**
 * `sluice init DIR`: writes a pipeline of one's own: configuration, schemas, a topology with a
 * window and a join, and its test.
 *
 * Invariant: a folder that holds anything is left alone.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import { filesBelow } from '../../../../schemas/kernel/files-below.ts';
import type { Output } from '../../output.ts';

/** This package; commands run from bundle/deploy/cli or dist/deploy/cli. */
const packageRoot = fileURLToPath(new URL('../../../../../', import.meta.url));
const template = join(packageRoot, 'deploy', 'cli', 'template');
const shownMax = 5;

/** Throws `SluiceError` `folder-not-empty`. */
export function initCommand(dir: string, output: Output): number {
  const target = resolve(dir);
  const there = existsSync(target) ? readdirSync(target) : [];
  if (there.length > 0) {
    const shown = there.slice(0, shownMax).join(', ');
    throw new SluiceError(
      'folder-not-empty',
      `${dir} is not empty: it has ${shown}${there.length > shownMax ? ', ...' : ''}`,
      {
        fix: 'choose a folder that does not exist yet',
      },
    );
  }
  mkdirSync(target, { recursive: true });
  cpSync(template, target, { recursive: true });
  // A file of that name in the template would hide files of this repository from git.
  renameSync(join(target, 'gitignore'), join(target, '.gitignore'));
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifestOf(target), null, 2)}\n`);
  const files = filesBelow(target)
    .map((path) => relative(target, path))
    .sort();
  if (output.json) output.line(JSON.stringify({ dir: target, files }));
  else {
    output.line(`${dir} now has a pipeline of your own:`);
    for (const file of files) output.line(`  ${file}`);
    output.line('');
    output.line(`Next:  cd ${dir} && npm install && npm test && npm start`);
  }
  return 0;
}

function manifestOf(target: string): unknown {
  const own = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
    readonly version: string;
    readonly engines: unknown;
    readonly dependencies: Readonly<Record<string, string>>;
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  const versions = { ...own.dependencies, ...own.devDependencies };
  const tools = ['@types/node', 'typescript', 'vitest'];
  const fromTarget = relative(target, packageRoot).split(sep).join('/');
  // What was installed has its version in a registry; only a clone has its sources.
  const isClone = existsSync(join(packageRoot, 'tsconfig.json'));
  return {
    name:
      basename(target)
        .toLowerCase()
        .replaceAll(/[^a-z0-9._-]+/g, '-')
        .replace(/^[._-]+/, '') || 'pipeline',
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: own.engines,
    scripts: {
      start: 'sluice start',
      test: 'tsc && vitest run',
      types: 'sluice schema types schemas/*.schema.json',
    },
    dependencies: { sluice: isClone ? `file:${fromTarget || '.'}` : own.version },
    devDependencies: Object.fromEntries(tools.map((name) => [name, versions[name]])),
  };
}

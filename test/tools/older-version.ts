/**
 * An older version of Sluice, of the repository's history: which commit, and its product compiled in
 * a folder of its own.
 */
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from '../repo/files.ts';
import type { Version } from './service-process.ts';

/** The older version's commit; a sentence where there is none here, as in a shallow clone. */
export function commitBefore(
  named?: string,
): { readonly commit: string } | { readonly missing: string } {
  const tag = run(root, 'git', 'describe', '--tags', '--abbrev=0', 'HEAD~1');
  const name = named ?? (tag.status === 0 ? tag.stdout.trim() : 'HEAD~1');
  const found = run(root, 'git', 'rev-parse', '--verify', '--quiet', `${name}^{commit}`);
  if (found.status === 0) return { commit: found.stdout.trim() };
  const fix = 'fetch the history: git fetch --unshallow --tags';
  return { missing: `the repository here has no commit ${JSON.stringify(name)}; ${fix}` };
}

function must(cwd: string, command: string, ...args: string[]): void {
  const { status, output } = run(cwd, command, ...args);
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${output}`);
}

/** Compiles the product of a commit, without its tests, in `dir`, an empty folder. */
export function buildOlder(commit: string, dir: string): Version {
  const archive = join(dir, '..', 'sources.tar');
  must(root, 'git', 'archive', '--output', archive, commit);
  must(dir, 'tar', '-xf', archive);
  const lock = (at: string): string => readFileSync(join(at, 'package-lock.json'), 'utf8');
  if (lock(dir) === lock(root)) symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'));
  else must(dir, 'npm', 'ci', '--no-audit', '--no-fund');
  const parts = ['schemas', 'topology', 'ingest', 'enrich', 'deploy'];
  // Its types were checked when it was committed.
  const compilerOptions = { noCheck: true, incremental: false, sourceMap: false };
  const project = { extends: './tsconfig.json', include: parts, compilerOptions };
  writeFileSync(join(dir, 'tsconfig.product.json'), JSON.stringify(project));
  const tsc = join(dir, 'node_modules', 'typescript', 'bin', 'tsc');
  must(dir, process.execPath, tsc, '-p', 'tsconfig.product.json');
  return {
    main: join(dir, 'dist', 'deploy', 'cli', 'main.js'),
    config: join(dir, 'topology', 'examples', 'flights', 'sluice.yaml'),
  };
}

/** Of the manifests that the sources in `dir` write. */
export function manifestVersionOf(dir: string): number {
  const source = readFileSync(join(dir, 'topology', 'checkpoint', 'manifest.ts'), 'utf8');
  return Number(/^export const manifestVersion = (\d+);$/m.exec(source)?.[1]);
}

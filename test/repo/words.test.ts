/**
 * No file of the repository names this machine: none of its absolute paths, no package registry's
 * host. The words are put together here, so that this file passes too.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryFiles, root, run } from './support.ts';

const machinePaths = ['work', 'root'].map((name) => `/${name}/`);
const publicHosts = [
  'registry',
  'npmjs.org',
  'registry',
  'yarnpkg.com',
  'registry',
  'npmmirror.com',
  'npm',
  'pkg.github.com',
  'npm',
  'jsr.io',
];

/** The public registries, and the one npm is set to here. */
function registryHosts(): string[] {
  const known = publicHosts.flatMap((part, i) =>
    i % 2 === 0 ? [`${part}.${publicHosts[i + 1] ?? ''}`] : [],
  );
  const configured = run(root, 'npm', 'config', 'get', 'registry').stdout.trim();
  const host = URL.canParse(configured) ? new URL(configured).host : '';
  return host === '' ? known : [...new Set([...known, host])];
}

/**
 * The forbidden words in `text`. A path counts where it begins one: `https://x/work/y` and
 * `./work/y` are none of this machine's.
 */
function wordsIn(text: string, hosts: readonly string[]): string[] {
  const paths = machinePaths.filter((path) => new RegExp(`(?<![\\w.~*)}\\]-])${path}`).test(text));
  return [...paths, ...hosts.filter((host) => text.includes(host))];
}

describe('words', () => {
  const hosts = registryHosts();

  it('no file names this machine or a registry', () => {
    const files = repositoryFiles();
    const found = files.flatMap((path) =>
      wordsIn(readFileSync(join(root, path), 'latin1'), hosts).map((word) => `${path}: ${word}`),
    );
    expect(found).toEqual([]);
    expect(files.length).toBeGreaterThan(50);
  });

  it.each(machinePaths)('finds %s where it begins a path', (path) => {
    for (const before of ['', ' ', "'", '"', '(', '=', 'file://', '\n'])
      expect(wordsIn(`${before}${path}x`, hosts)).toEqual([path]);
    for (const before of ['.', '..', 'a', 'https://host.example', '${root}'])
      expect(wordsIn(`${before}${path}x`, hosts)).toEqual([]);
  });

  it('finds each registry', () => {
    expect(hosts.length).toBeGreaterThanOrEqual(publicHosts.length / 2);
    for (const host of hosts)
      expect(wordsIn(`"resolved": "https://${host}/a/-/a-1.0.0.tgz"`, hosts)).toContain(host);
  });
});

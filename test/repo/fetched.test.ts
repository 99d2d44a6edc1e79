/**
 * The page of dependencies against the code that fetches them: all that tests install by pip, npm,
 * Go or Maven stands in "What tests fetch", with its version.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repositoryFiles, root } from './files.ts';

const textOf = (path: string): string => readFileSync(join(root, path), 'utf8');
const [, section = ''] = textOf('docs/internals/dependencies.md').split('## What tests fetch\n');
const listed = section.split('\n## ')[0] ?? '';

interface Fetched {
  readonly name: string;
  /** Undefined where the code puts it together. */
  readonly version?: string | undefined;
}

const isListed = ({ name, version = '' }: Fetched): boolean =>
  listed.split('\n').some((row) => row.includes(name) && row.includes(version));

function found(pattern: RegExp, paths: readonly string[]): readonly Fetched[] {
  return paths.flatMap((path) =>
    [...textOf(path).matchAll(pattern)].map(([, name = '', version = '']) => ({
      name,
      version: /^v?\d[\w.]*$/.test(version) ? version : constantOf(textOf(path)),
    })),
  );
}

/** `const version = '1.2.3'`, which stands for `${version}`. */
const constantOf = (text: string): string | undefined =>
  /\b(?:v|\w+V)ersion = 'v?(\d+\.\d+\.\d+)'/.exec(text)?.[1];

const files = repositoryFiles();
const own = 'test/repo/fetched.test.ts';
const sources = files.filter(
  (path) => /^(test|deploy\/aws\/test)\/.*\.ts$/.test(path) && path !== own,
);
const poms = files.filter((path) => /^test\/.*\/pom\.xml$/.test(path));

it.each([
  ['pip', /['`]([a-z][\w-]*)(?:\[\w+\])?==([\w.]+|\$\{\w+\})['`]/g, 14],
  ['npm', /'(@?[a-z][\w./-]*)@(\d+\.\d+\.\d+)'/g, 7],
  [
    'Go',
    /['`]((?:github\.com|golang\.org)\/[\w./-]+?|k8s\.io\/kubernetes)(?:@([\w.${}-]+))?['`]/g,
    5,
  ],
] as const)('what tests fetch by %s is on the page', (_by, pattern, least) => {
  const all = found(pattern, sources);
  expect(all.length).toBeGreaterThanOrEqual(least);
  expect(all.filter((each) => !isListed(each))).toEqual([]);
});

it('what tests fetch by Maven is on the page', () => {
  const all = poms.flatMap((path) => {
    const text = textOf(path);
    const valueOf = (version: string): string | undefined =>
      version.startsWith('$')
        ? new RegExp(`<${version.slice(2, -1)}>([^<]+)<`).exec(text)?.[1]
        : version;
    const pattern = /<artifactId>([^<]+)<\/artifactId>\s*<version>([^<]{2,})<\/version>/g;
    return [...text.matchAll(pattern)].map(([, name = '', version = '']) => ({
      name,
      version: valueOf(version),
    }));
  });
  expect(all.length).toBeGreaterThanOrEqual(10);
  expect(all.filter((each) => !isListed(each))).toEqual([]);
});

it('would miss another version, and a name that is not there', () => {
  expect(isListed({ name: 'moto', version: '5.2.5' })).toBe(true);
  expect(isListed({ name: 'moto', version: '5.2.6' })).toBe(false);
  expect(isListed({ name: 'motto' })).toBe(false);
});

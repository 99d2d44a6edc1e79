/** What CONTRIBUTING.md and SECURITY.md name is there: scripts, files and links. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './files.ts';

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

/** What a page names that is not there. */
function missingIn(text: string): string[] {
  const commands = [...text.matchAll(/\bnpm run ([a-z][a-z:-]*)/g)].map(([, name]) => name ?? '');
  const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, path]) => path ?? '');
  const paths = [
    ...text.matchAll(
      /`((?:\.ci|schemas|topology|ingest|enrich|deploy|test|docs)\/[\w./-]+\.(?:ts|mjs|md|sh|json))`/g,
    ),
  ].map(([, path]) => path ?? '');
  return [
    ...commands.filter((name) => scripts[name] === undefined),
    ...[...links, ...paths].filter((path) => !existsSync(join(root, path))),
  ];
}

describe.each(['CONTRIBUTING.md', 'SECURITY.md'])('%s', (page) => {
  it('names only scripts and files that are there', () => {
    expect(missingIn(readFileSync(join(root, page), 'utf8'))).toEqual([]);
  });
});

it('the rule itself: a script, a link and a path that are not there are found', () => {
  expect(
    missingIn('`npm run check`, `npm run no-such`, [a](no-such.md), `schemas/no-such.ts`'),
  ).toEqual(['no-such', 'no-such.md', 'schemas/no-such.ts']);
});

it('.nvmrc and .editorconfig say what package.json and biome.json say', () => {
  const text = (path: string): string => readFileSync(join(root, path), 'utf8');
  const { engines } = JSON.parse(text('package.json')) as { engines: { node: string } };
  expect(engines.node.startsWith(`>=${text('.nvmrc').trim()}.`)).toBe(true);
  const { formatter } = JSON.parse(text('biome.json')) as {
    formatter: { indentWidth: number; lineWidth: number };
  };
  expect(text('.editorconfig')).toContain(`max_line_length = ${formatter.lineWidth}\n`);
  expect(text('.editorconfig')).toContain(`indent_size = ${formatter.indentWidth}\n`);
});

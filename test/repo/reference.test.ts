/**
 * The pages of docs/reference say what the tables say: they are made of them, and one that is older
 * is found.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { pages, stalePages } from '../tools/reference/pages.ts';
import { root, temporaryFolder } from './support.ts';

it('no page of the reference is stale', async () => {
  expect(await stalePages(root), 'run `npm run docs:reference`').toEqual([]);
});

it('a page that was changed by hand, or is missing, is found', async () => {
  const folder = temporaryFolder('reference');
  const paths = Object.keys(pages);
  expect(await stalePages(folder)).toEqual(paths);
  for (const path of paths) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), (await pages[path]?.()) ?? '');
  }
  expect(await stalePages(folder)).toEqual([]);
  const [first = ''] = paths;
  writeFileSync(join(folder, first), 'by hand');
  expect(await stalePages(folder)).toEqual([first]);
});

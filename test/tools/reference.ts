/**
 * `npm run docs:reference`: writes the pages of docs/reference that are made of tables.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pages, stalePages } from './reference/pages.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

for (const path of await stalePages(root)) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), (await pages[path]?.()) ?? '');
  console.log(`${path} written`);
}

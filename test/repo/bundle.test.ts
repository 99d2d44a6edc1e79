/**
 * What runs is the bundle (test/tools/bundle.mjs): a module has the place that its URL names, there
 * is one copy of each, and a build does not disturb what runs from the one before.
 */
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { plant, root, run, temporaryFolder } from './support.ts';

const { writeBundle } = (await import(
  pathToFileURL(join(root, 'test', 'tools', 'bundle.mjs')).href
)) as { readonly writeBundle: (root: string) => Promise<number> };

/** A worker sends the URL of a module, which its parent imports, and compares classes. */
const project = {
  'package.json': '{ "type": "module" }',
  'dist/deploy/cli/main.js': `#!/usr/bin/env node
import { Worker } from 'node:worker_threads';
import { parse } from 'yaml';
import { Fault } from '../../schemas/fault.js';
const worker = new Worker(new URL('../host/some-worker.js', import.meta.url));
worker.once('message', async (url) => {
  const { thrown } = await import(url);
  const { late } = await import('../late.js');
  console.log(thrown instanceof Fault, late, parse('[a, 1]'), url);
});
`,
  'dist/deploy/late.js': "export const late = 'later';\n",
  'dist/deploy/host/some-worker.js': `import { parentPort } from 'node:worker_threads';
import { place } from '../../schemas/some-files.js';
parentPort.postMessage(place);
`,
  'dist/schemas/some-files.js': `import { Fault } from './fault.js';
export const place = import.meta.url;
export const thrown = new Fault();
`,
  'dist/schemas/fault.js': 'export class Fault {}\n',
};

const filesOf = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

it('finds workers and modules by their URL, with one copy of what they share', async () => {
  const folder = temporaryFolder('bundle');
  plant(folder, project);
  expect(await writeBundle(folder)).toBeGreaterThan(3);
  // Nothing is read from the modules, nor from the package.
  rmSync(join(folder, 'dist'), { recursive: true });
  rmSync(join(folder, 'node_modules'));
  const said = run(folder, join(folder, 'bundle/deploy/cli/main.js'));
  const place = pathToFileURL(join(folder, 'bundle/schemas/some-files.js')).href;
  expect(said.output).toBe(`true later [ 'a', 1 ] ${place}\n`);
});

it('writes what changed, and keeps what the last build wrote until the next change', async () => {
  const folder = temporaryFolder('bundle');
  plant(folder, project);
  const source = join(folder, 'dist/deploy/late.js');
  let second = 0;
  const change = (late: string): Promise<number> => {
    writeFileSync(source, `export const late = '${late}';\n`);
    // Not earlier than the build before, whatever the clock's steps are.
    second += 10;
    utimesSync(source, Date.now() / 1_000 + second, Date.now() / 1_000 + second);
    return writeBundle(folder);
  };
  const has = (text: string): boolean =>
    filesOf(join(folder, 'bundle')).some((path) => readFileSync(path, 'utf8').includes(text));
  await change('first');
  const first = filesOf(join(folder, 'bundle'));
  expect(await writeBundle(folder)).toBe(0);
  // The chunk, and those that name it.
  const written = await change('second');
  expect(written).toBeGreaterThan(0);
  expect(written).toBeLessThan(first.length);
  expect(first.filter((path) => !existsSync(path))).toEqual([]);
  expect([has("'first'"), has('"first"'), has('"second"')]).toEqual([false, true, true]);
  await change('third');
  expect([has('"first"'), has('"second"'), has('"third"')]).toEqual([false, true, true]);
  expect(filesOf(folder).filter((path) => /bundle\.json\.\d+$/.test(path))).toEqual([]);
});

it('has every module of this package that is started by URL, and the licenses of what it holds', () => {
  const out = join(root, 'bundle');
  const texts = filesOf(out)
    .filter((path) => path.endsWith('.js'))
    .map((path) => readFileSync(path, 'utf8'));
  const started = texts.flatMap((text) =>
    [...text.matchAll(/new URL\("(\.[^"]+\.js)", new URL\("([^"]+)"/g)].map(([, url, from]) =>
      join(dirname(from ?? ''), url ?? ''),
    ),
  );
  expect(started).toContain('deploy/host/topology-worker.js');
  expect(started.filter((path) => !existsSync(join(out, path)))).toEqual([]);
  const packages = texts.flatMap((text) =>
    [...text.matchAll(/^\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)\//gm)].map(([, name]) => name),
  );
  expect(packages).toContain('ajv');
  const notices = readFileSync(join(out, 'LICENSES.txt'), 'utf8').split('\n\n\n');
  for (const name of new Set(packages))
    expect(
      notices.find((notice) => notice.startsWith(`${name} `)),
      name,
    ).toMatch(/copyright|Apache License/i);
});

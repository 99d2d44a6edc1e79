/**
 * The public API is what its snapshots say: whoever changes it changes them too, and so sees what
 * users will see.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Entry, entries, publicApi, snapshotOf } from '../tools/public-api.ts';
import { root } from './files.ts';

describe('the public API', () => {
  const api = publicApi();

  it.each(Object.keys(entries) as Entry[])('%s is as its snapshot', (entry) => {
    const snapshot = readFileSync(join(root, snapshotOf(entry)), 'utf8');
    expect(api.get(entry), 'run npm run api:update, and look at the difference').toBe(snapshot);
  });

  it('the snapshots have what authors write, with its types, and no comments', () => {
    const text = api.get('sluice') ?? '';
    expect(text).toContain('function topology(name: string');
    expect(text).toContain('interface Stream<');
    expect(text).toContain('// What these use, and what is not exported.');
    expect(text).not.toContain('/**');
    expect(api.get('sluice-testing')).toContain('function createDriver(');
  });

  it('every entry of package.json has one', () => {
    const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      exports: Record<string, { types: string }>;
    };
    expect(Object.values(exports).map(({ types }) => types)).toEqual(
      Object.values(entries).map((path) => `./${path}`),
    );
  });
});

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { filesBelow } from '../../../schemas/kernel/files-below.ts';
import { temporaryFolder } from '../../repo/support.ts';

it('gives files of all depths, hidden ones too, and neither links nor what they lead to', () => {
  const folder = temporaryFolder('files-below');
  mkdirSync(join(folder, 'a', '.hidden'), { recursive: true });
  for (const path of ['top', 'a/one', 'a/.hidden/two']) writeFileSync(join(folder, path), '');
  symlinkSync(join(folder, 'top'), join(folder, 'a', 'linked'));
  symlinkSync(folder, join(folder, 'a', 'loop'));
  expect(filesBelow(folder).toSorted()).toEqual(
    ['a/.hidden/two', 'a/one', 'top'].map((path) => join(folder, path)),
  );
});

it('of a folder that is not there throws what the file system says', () => {
  expect(() => filesBelow(join(temporaryFolder('files-below'), 'nowhere'))).toThrow(/ENOENT/);
});

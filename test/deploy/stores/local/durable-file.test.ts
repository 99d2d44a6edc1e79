/**
 * Files that several threads replace at once. Every topology describes the rejected table when it
 * opens, each in a thread of one process: with one temporary name for all, the first rename took
 * the others' file away and their topologies did not start.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { makeDirectory, replaceFile } from '../../../../deploy/stores/local/durable-file.ts';
import { temporaryFolders } from '../../../enrich/support.ts';

const folder = temporaryFolders('durable');

const source = `
  import { workerData } from 'node:worker_threads';
  const { replaceFile } = await import(workerData.module);
  for (let n = 0; n < 100; n++) replaceFile(workerData.path, Buffer.from('the same length every time'));
`;

describe('a file that is replaced whole', () => {
  it('is whole and alone after several threads replaced it at once', async () => {
    const dir = folder();
    const path = join(dir, 'rows.json');
    const module = new URL('../../../../deploy/stores/local/durable-file.js', import.meta.url).href;
    const ended = Array.from({ length: 4 }, () => {
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
        workerData: { module, path },
      });
      return new Promise<number>((resolve, reject) =>
        worker.on('error', reject).on('exit', resolve),
      );
    });
    expect(await Promise.all(ended)).toEqual([0, 0, 0, 0]);
    expect(readFileSync(path, 'utf8')).toBe('the same length every time');
    expect(readdirSync(dir)).toEqual(['rows.json']);
  });

  it('makes the folders it lies in, and nothing of them twice', () => {
    const dir = folder();
    replaceFile(join(dir, 'a', 'b', 'file'), Buffer.from('1'));
    makeDirectory(join(dir, 'a', 'b'));
    replaceFile(join(dir, 'a', 'b', 'file'), Buffer.from('22'));
    expect(readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort()).toEqual([
      'a',
      'a/b',
      'a/b/file',
    ]);
    expect(readFileSync(join(dir, 'a', 'b', 'file'), 'utf8')).toBe('22');
  });
});

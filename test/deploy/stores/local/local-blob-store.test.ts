/**
 * The blob store on a directory: the contract, and what only files can do wrong.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { localBlobStore } from '../../../../deploy/stores/local/local-blob-store.ts';
import { blobStoreContract } from '../../../contract/blob-store.ts';
import { temporaryFolders } from '../../../enrich/support.ts';
import { memoryBlobs } from '../../../topology/support.ts';

const folder = temporaryFolders('blobs');

describe('the local blob store', () => {
  blobStoreContract(() => localBlobStore(folder()));

  it('leaves nothing beside the blobs, whoever won', async () => {
    const dir = folder();
    const store = localBlobStore(dir);
    await Promise.all(
      Array.from({ length: 10 }, (_, n) => store.createIfAbsent('a/key', Buffer.from(String(n)))),
    );
    expect(readdirSync(dir, { recursive: true, encoding: 'utf8' }).sort()).toEqual(['a', 'a/key']);
  });

  it('does not show what a crash left half written', async () => {
    const dir = folder();
    const store = localBlobStore(dir);
    await store.createIfAbsent('a/key', Buffer.from('1'));
    writeFileSync(join(dir, 'a', '.tmp-1-2'), 'ha');
    expect(await store.list('')).toEqual(['a/key']);
    expect(await store.list('a/')).toEqual(['a/key']);
  });

  it('reports what the disk refuses as a fault that may be tried again', async () => {
    const dir = folder();
    mkdirSync(dirname(dir), { recursive: true });
    writeFileSync(dir, 'a file where the folder should be');
    const store = localBlobStore(dir);
    await expect(store.createIfAbsent('a/key', Buffer.from('1'))).rejects.toMatchObject({
      code: 'blob-store-failed',
      retryable: true,
    });
    await expect(store.get('a/key')).rejects.toMatchObject({ code: 'blob-store-failed' });
  });
});

describe('the memory blob store of the tests', () => {
  it('stands for the real one', async () => {
    const store = memoryBlobs();
    expect(await store.createIfAbsent('a', Buffer.from('1'))).toBe(true);
    expect(await store.createIfAbsent('a', Buffer.from('2'))).toBe(false);
  });
});

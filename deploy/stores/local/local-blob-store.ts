/**
 * Blobs as files of a directory. `link` is the atomic create-if-absent of a file system: it fails
 * when the name exists.
 *
 * Bytes are written and synced off the thread that asks: blobs may be large, and it may have
 * requests to answer.
 *
 * Invariants:
 * 1. A blob's name appears only when its bytes are durable, and `createIfAbsent` returns only when
 *    the name is.
 * 2. Nothing outside the directory is read or written, whatever the key.
 */
import { link, readdir, readFile, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SluiceError } from '../../../schemas/kernel/errors.ts';
import { systemCodeOf } from '../../../schemas/kernel/errors.ts';
import { fileFault } from '../../../schemas/kernel/file-fault.ts';
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';
import { checkBlobKey, folderOfPrefix } from '../blob-key.ts';
import { makeDirectory, storeDirectory, storeDurable, temporaryPath } from './durable-file.ts';

/**
 * `dir` is made when the first blob is. Throws `SluiceError` `blob-key-invalid`, `disk-full`
 * (retryable), `blob-store-failed` (retryable).
 */
export function localBlobStore(dir: string): BlobStore {
  const pathOf = (key: string): string => {
    checkBlobKey(key);
    return join(dir, key);
  };
  const failed = (key: string, thrown: unknown): SluiceError =>
    fileFault('blob-store-failed', `blob '${key}'`, thrown);
  return {
    async createIfAbsent(key, bytes) {
      const path = pathOf(key);
      const folder = dirname(path);
      const temporary = temporaryPath(folder);
      try {
        makeDirectory(folder);
        await storeDurable(temporary, bytes);
        await link(temporary, path);
        await storeDirectory(folder);
        return true;
      } catch (thrown) {
        if (systemCodeOf(thrown) === 'EEXIST') return false;
        throw failed(key, thrown);
      } finally {
        // What cannot be removed is never listed; the outcome above is the answer.
        await rm(temporary, { force: true }).catch(() => undefined);
      }
    },
    async get(key) {
      try {
        return await readFile(pathOf(key));
      } catch (thrown) {
        if (systemCodeOf(thrown) === 'ENOENT') return undefined;
        throw failed(key, thrown);
      }
    },
    async list(prefix) {
      const folder = folderOfPrefix(prefix);
      const keys: string[] = [];
      const walk = async (at: string): Promise<void> => {
        const entries = await readdir(join(dir, at), { withFileTypes: true }).catch(
          (thrown: unknown) => {
            if (systemCodeOf(thrown) === 'ENOENT') return [];
            throw failed(prefix, thrown);
          },
        );
        for (const entry of entries) {
          // No key has a part that starts with a dot: what does is being written.
          if (entry.name.startsWith('.')) continue;
          const key = at === '' ? entry.name : `${at}/${entry.name}`;
          if (entry.isDirectory()) await walk(key);
          else if (key.startsWith(prefix)) keys.push(key);
        }
      };
      await walk(folder);
      return keys.sort();
    },
    async delete(key) {
      try {
        await unlink(pathOf(key));
      } catch (thrown) {
        if (systemCodeOf(thrown) !== 'ENOENT') throw failed(key, thrown);
      }
    },
  };
}

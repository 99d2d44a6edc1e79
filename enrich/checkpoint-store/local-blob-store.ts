/**
 * Blobs as files of a directory. `link` is the atomic create-if-absent of a file system: it fails when the name exists.
 */
import { link, mkdir, readdir, readFile, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import { syncDirectory, writeDurable } from '../durable-file.ts';

const keyPattern = /^[A-Za-z0-9._=-]+(?:\/[A-Za-z0-9._=-]+)*$/;
const temporaryPrefix = '.tmp-';

export function localBlobStore(dir: string): BlobStore {
  let made = 0;
  const pathOf = (key: string): string => {
    if (!keyPattern.test(key) || key.split('/').some((part) => part.startsWith('.')))
      throw new SluiceError('blob-key-invalid', `'${key}' is no blob key`);
    return join(dir, key);
  };
  return {
    async createIfAbsent(key, bytes) {
      const path = pathOf(key);
      const folder = dirname(path);
      await mkdir(folder, { recursive: true });
      const temporary = join(folder, `${temporaryPrefix}${process.pid}-${process.hrtime.bigint()}-${made++}`);
      writeDurable(temporary, bytes);
      try {
        await link(temporary, path);
      } catch (thrown) {
        if (systemCodeOf(thrown) === 'EEXIST') return false;
        throw thrown;
      } finally {
        await unlink(temporary);
      }
      syncDirectory(folder);
      return true;
    },
    async get(key) {
      try {
        return await readFile(pathOf(key));
      } catch (thrown) {
        if (systemCodeOf(thrown) === 'ENOENT') return undefined;
        throw thrown;
      }
    },
    async list(prefix) {
      const folder = prefix.includes('/') ? prefix.slice(0, prefix.lastIndexOf('/')) : '';
      const keys: string[] = [];
      const walk = async (at: string): Promise<void> => {
        const entries = await readdir(join(dir, at), { withFileTypes: true }).catch((thrown: unknown) => {
          if (systemCodeOf(thrown) === 'ENOENT') return [];
          throw thrown;
        });
        for (const entry of entries) {
          const key = at === '' ? entry.name : `${at}/${entry.name}`;
          if (entry.isDirectory()) await walk(key);
          else if (key.startsWith(prefix) && !entry.name.startsWith(temporaryPrefix)) keys.push(key);
        }
      };
      await walk(folder);
      return keys.sort();
    },
    async delete(key) {
      try {
        await unlink(pathOf(key));
      } catch (thrown) {
        if (systemCodeOf(thrown) !== 'ENOENT') throw thrown;
      }
    },
  };
}

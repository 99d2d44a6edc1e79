/**
 * What may name a blob (schemas/ports/blob-store.ts). Pure.
 *
 * Invariant: a key that passes names a place below the store's own, on every file system and in
 * every object store.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';

const keyPattern = /^[A-Za-z0-9._=-]+(?:\/[A-Za-z0-9._=-]+)*$/;

/** Throws `blob-key-invalid`. */
export function checkBlobKey(key: string): void {
  if (!keyPattern.test(key) || key.split('/').some((part) => part.startsWith('.')))
    throw new SluiceError('blob-key-invalid', `'${key}' is not a blob key`);
}

/** The folder of a prefix of keys, '' for the root. Throws `blob-key-invalid`. */
export function folderOfPrefix(prefix: string): string {
  const folder = prefix.includes('/') ? prefix.slice(0, prefix.lastIndexOf('/')) : '';
  if (folder !== '') checkBlobKey(folder);
  return folder;
}

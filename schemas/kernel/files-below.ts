/** The files in a folder and all folders below. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Their paths, each beginning with `folder`, in no order. Links are neither given nor followed: they
 * may lead out of the folder. (What `recursive` of `readdirSync` gives follows them on Node 24, and
 * does not on Node 20.) Throws the file system's own error.
 */
export function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}

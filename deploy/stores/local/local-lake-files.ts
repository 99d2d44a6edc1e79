/**
 * The lake as a folder: files written and synced, then renamed to where readers look.
 *
 * Everything is done before the promise is returned: nothing of the same thread comes between.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { publishedFiles } from '../../../enrich/lake/published-files.ts';
import { footerColumns } from '../../../enrich/parquet/footer-columns.ts';
import { SluiceError, systemCodeOf } from '../../../schemas/kernel/errors.ts';
import { filesBelow } from '../../../schemas/kernel/files-below.ts';
import type { LakeFiles, LakeStore } from '../../../schemas/ports/lake-files.ts';
import { stagedMissing } from '../../../schemas/ports/lake-files.ts';
import { makeDirectory, replaceFile, syncDirectory, writeDurable } from './durable-file.ts';

/**
 * Files of a table, the latest, whose columns are read where its description does not say which
 * there were.
 */
const tableFootersMax = 1_000;

/** The lake of the folder `dir`. */
export const localLake = (dir: string): LakeStore => ({ module: import.meta.url, place: dir });

/** @public Loaded by its module's URL. */
export function lakeFiles(dir: string): LakeFiles {
  const at = (path: string): string => join(dir, inside(path));
  return {
    continuesLogs: true,
    async makeFolder(folder) {
      makeDirectory(at(folder));
    },
    async read(path) {
      return orMissing(() => readFileSync(at(path)));
    },
    async exists(path) {
      return existsSync(at(path));
    },
    async names(folder) {
      return orMissing(() => readdirSync(at(folder))) ?? [];
    },
    async list(folder) {
      const files = orMissing(() => filesBelow(at(folder))) ?? [];
      return files.map((path) => relative(dir, path));
    },
    async columns(table) {
      return footerColumns(
        (orMissing(() => publishedFiles(dir, inside(table))) ?? []).slice(-tableFootersMax),
      );
    },
    async write(path, bytes) {
      writeDurable(at(path), bytes);
    },
    async replace(path, bytes) {
      replaceFile(at(path), bytes);
    },
    async append(path, offset, bytes) {
      const file = openSync(at(path), offset === 0 ? 'w' : 'r+');
      try {
        for (let done = 0; done < bytes.length; )
          done += writeSync(file, bytes, done, bytes.length - done, offset + done);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    },
    async readLog(path, bytes) {
      if (!existsSync(at(path))) return undefined;
      truncateSync(at(path), bytes);
      return readFileSync(at(path));
    },
    async settle(folder) {
      syncDirectory(at(folder));
    },
    async publish(files) {
      publishStaged(files, at);
    },
    async remove(path) {
      rmSync(at(path), { recursive: true, force: true });
    },
    letGo(paths) {
      for (const path of paths) rmSync(at(path), { recursive: true, force: true });
    },
    close: () => Promise.resolve(),
  };
}

/**
 * A name of a path that leads up, or ends early, is of no file of a lake. Throws `SluiceError`
 * `lake-path-invalid`.
 */
function inside(path: string): string {
  if (!path.includes('\0') && !path.split(/[/\\]/).includes('..')) return path;
  throw new SluiceError(
    'lake-path-invalid',
    `'${path}' is not a path in the folder of the tables`,
    {
      fix: 'restore the checkpoints and the folder `.staging` of the tables from a copy',
    },
  );
}

/** Each staged file is renamed to its target, unless a run before did it. */
function publishStaged(
  files: Parameters<LakeFiles['publish']>[0],
  at: (path: string) => string,
): void {
  const folders = new Set<string>();
  for (const { staged, target } of files) {
    const to = at(target);
    if (existsSync(at(staged))) {
      makeDirectory(dirname(to));
      renameSync(at(staged), to);
      folders.add(dirname(to));
    } else if (!existsSync(to)) throw stagedMissing({ staged, target });
  }
  for (const folder of folders) syncDirectory(folder);
}

function orMissing<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (thrown) {
    if (systemCodeOf(thrown) === 'ENOENT' || systemCodeOf(thrown) === 'ENOTDIR') return undefined;
    throw thrown;
  }
}

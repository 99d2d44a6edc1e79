/**
 * The lake in a bucket, which several machines may reach at once. A log is a folder of objects, one
 * for each append, named by where it begins; published files carry the mark of what was staged for
 * them.
 *
 * Invariants:
 * 1. A key that is staged or a log's part is written by one run only: its name is part of it.
 * 2. A published object is replaced only under its tag, after its mark was found to be an older
 *    one: a run that was taken over, and continues late, replaces nothing that its successor
 *    published.
 * 3. What is staged is removed after it is visible, so it is always in one of two places.
 * 4. Calls that do not need each other's answers are in flight side by side, `lakeCallsMax` of a
 *    table at once. What is removed is nobody's to wait for: that continues beside what comes,
 *    until `close`.
 */
import { decidePublication, isOfAnother, markOf } from '../../../enrich/lake/staged-name.ts';
import { boundedEach } from '../../../schemas/kernel/bounded-each.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { LakeFiles, LakeStore, StagedContent } from '../../../schemas/ports/lake-files.ts';
import { stagedMissing } from '../../../schemas/ports/lake-files.ts';
import type { RunOrder } from '../../../schemas/run-id.ts';
import type { S3Objects, S3Place } from './s3-objects.ts';
import { s3Objects } from './s3-objects.ts';

const offsetDigits = 12;

export const s3Lake = (place: S3Place): LakeStore => ({ module: import.meta.url, place });

/** @public Loaded by its module's URL. */
export function lakeFiles(place: S3Place, run: RunOrder): LakeFiles {
  const objects = s3Objects({
    ...place,
    clock: systemClock,
    random: systemRandom,
    patienceMs: limits.s3PatienceMs,
  });
  const letGo = new LetGo(objects);
  const below = (folder: string): string => (folder === '' ? '' : `${folder}/`);
  return {
    continuesLogs: false,
    makeFolder: () => Promise.resolve(),
    read: (path) => objects.get(path),
    exists: async (path) => (await objects.head(path)) !== undefined,
    async names(folder) {
      return (await objects.names(below(folder))).map((name) => name.slice(below(folder).length));
    },
    list: (folder) => objects.list(below(folder)),
    write: (path, bytes) => objects.put(path, bytes),
    replace: (path, bytes) => objects.put(path, bytes),
    append: (path, offset, bytes) =>
      objects.put(`${path}/${String(offset).padStart(offsetDigits, '0')}`, bytes),
    async readLog(path, bytes) {
      const offsetOf = (key: string): number => Number(key.slice(path.length + 1));
      const keys = (await objects.list(`${path}/`)).filter((key) => offsetOf(key) < bytes);
      const parts = new Map<string, Uint8Array | undefined>();
      await boundedEach(keys, limits.lakeCallsMax, async (key) => {
        parts.set(key, await objects.get(key));
      });
      const log: Uint8Array[] = [];
      let end = 0;
      for (const key of keys) {
        const part = offsetOf(key) === end ? parts.get(key) : undefined;
        if (part === undefined) return undefined;
        log.push(part);
        end += part.length;
      }
      return end === bytes ? Buffer.concat(log) : undefined;
    },
    settle: () => Promise.resolve(),
    async publish(files) {
      letGo.check();
      await boundedEach(files, limits.lakeCallsMax, (file) => publishObject(objects, file, run));
      letGo.of(files.map(({ staged }) => staged));
    },
    remove: (path) => removeAll(objects, path),
    letGo: (paths) => letGo.of(paths),
    async close() {
      await letGo.settled();
      objects.close();
    },
  };
}

/** A file, or all of a log. */
async function removeAll(objects: S3Objects, path: string): Promise<void> {
  const [keys] = await Promise.all([objects.list(`${path}/`), objects.delete(path)]);
  await boundedEach(keys, limits.lakeCallsMax, (key) => objects.delete(key));
}

/** Removes beside what else continues. A failure is met by the next publication. */
class LetGo {
  readonly #objects: S3Objects;
  #waiting: string[] = [];
  #removing: Promise<void> | undefined;
  #failed: { readonly fault: unknown } | undefined;

  constructor(objects: S3Objects) {
    this.#objects = objects;
  }

  check(): void {
    if (this.#failed !== undefined) throw this.#failed.fault;
  }

  of(paths: readonly string[]): void {
    this.#waiting.push(...paths);
    this.#removing ??= this.#remove().finally(() => {
      this.#removing = undefined;
    });
  }

  settled(): Promise<void> {
    return this.#removing ?? Promise.resolve();
  }

  async #remove(): Promise<void> {
    while (this.#waiting.length > 0 && this.#failed === undefined) {
      const paths = this.#waiting.splice(0);
      try {
        await boundedEach(paths, limits.lakeCallsMax, (path) => removeAll(this.#objects, path));
      } catch (fault) {
        this.#failed ??= { fault };
      }
    }
  }
}

/** Resolves when it is visible; what is staged is the caller's to let go of. */
async function publishObject(
  objects: S3Objects,
  { staged, target }: StagedContent,
  run: RunOrder,
): Promise<void> {
  for (let tries = 0; tries < limits.s3AttemptsMax; tries++) {
    const [head, bytes] = await Promise.all([objects.head(target), objects.get(staged)]);
    const decision = decidePublication(head?.mark, staged, run);
    if (decision === 'taken-over') {
      throw new SluiceError(
        'lake-taken-over',
        `${target} was published by a later run than attempt ${run.attempt}`,
        {
          fix: 'nothing is lost while that run continues; if its checkpoints were removed, move the table away or rename it',
        },
      );
    }
    if (decision === 'put') {
      if (bytes === undefined) {
        // Published and removed between the two looks, by a run that had the same checkpoint.
        const now = await objects.head(target);
        if (now === undefined) throw stagedMissing({ staged, target });
        if (decidePublication(now.mark, staged, run) !== 'put') continue;
        // A run of another lineage has published here since.
        if (isOfAnother(now.mark, staged)) return;
        throw stagedMissing({ staged, target });
      }
      if ((await objects.replace(target, bytes, markOf(staged), head)) === 'unclear') continue;
    }
    return;
  }
  throw new SluiceError('s3-failed', `${target} is replaced by others again and again`, {
    retryable: true,
  });
}

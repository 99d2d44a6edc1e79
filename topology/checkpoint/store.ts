/**
 * Checkpoints of one topology on a blob store, fenced by attempt.
 *
 * Invariants:
 * 1. Checkpoint numbers form one sequence; a number's manifest is created once, by whoever is first.
 * 2. A run begins by creating a manifest of its own (its fence) that repeats the latest state under a higher attempt. From then on an
 *    older run cannot create the number it wants next, learns of the newer attempt, and stops before its sinks commit anything.
 * 3. Sinks commit checkpoint n only after its manifest exists.
 * 4. Creating one's own manifest again does no harm: one that is there already, as the answer to an earlier try was lost, counts as created.
 * 5. The newest manifest that is no fence is kept: what goes back needs it.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { Manifest } from './manifest.ts';
import { decodeManifest, encodeManifest } from './manifest.ts';

export interface CheckpointStore {
  /** The newest manifest, or undefined. */
  latest(): Promise<Manifest | undefined>;
  /**
   * Takes over: creates the fence of a new attempt after the newest manifest and returns it. `begin` makes the first one from nothing.
   * What it returns is the state to restore. With `goBack` it repeats the newest manifest that is no fence: runs that completed nothing are passed over.
   */
  takeOver(
    begin: (attempt: number, checkpoint: number, previous: Manifest | undefined) => Manifest,
    options?: { readonly goBack: boolean },
  ): Promise<Manifest>;
  /** Creates `manifest`, whose text is `bytes`; throws `SluiceError` `fenced` when another attempt already has that number. */
  create(manifest: Pick<Manifest, 'checkpoint' | 'attempt'>, bytes: Uint8Array): Promise<void>;
  /** Throws `SluiceError` `fenced` when there is a newer manifest than `checkpoint` of a newer attempt. */
  checkFence(held: Pick<Manifest, 'checkpoint' | 'attempt'>): Promise<void>;
  /** After a checkpoint was completed: deletes all but the newest `keep`. */
  prune(keep: number): Promise<void>;
  /** The same when a run begins, whose newest manifest is a fence. */
  pruneFences(keep: number): Promise<void>;
}

const folder = 'checkpoints/';

/** The topologies that have checkpoints, sorted. */
export async function checkpointedTopologies(blobs: BlobStore): Promise<readonly string[]> {
  const keys = await blobs.list(folder);
  const parts = keys.map((key) => key.slice(folder.length).split('/'));
  // What is not in a folder of its own, such as the lock, is none.
  return [...new Set(parts.flatMap(([topology, ...file]) => (topology === undefined || file.length === 0 ? [] : [topology])))].sort();
}

export function checkpointStore(blobs: BlobStore, topology: string): CheckpointStore {
  const prefix = `${folder}${topology}/`;
  const keyOf = (checkpoint: number): string => `${prefix}${String(checkpoint).padStart(12, '0')}.json`;

  const latest = async (): Promise<Manifest | undefined> => {
    const keys = await blobs.list(prefix);
    const key = keys.at(-1);
    if (key === undefined) return undefined;
    const bytes = await blobs.get(key);
    if (bytes === undefined) return latest();
    return decodeManifest(key, bytes);
  };

  /** `newest`, or the next older one that is no fence; undefined when no run completed anything. */
  const completedBefore = async (newest: Manifest | undefined): Promise<Manifest | undefined> => {
    if (newest?.fence !== true) return newest;
    for (const key of (await blobs.list(prefix)).toReversed()) {
      if (key >= keyOf(newest.checkpoint)) continue;
      const bytes = await blobs.get(key);
      const older = bytes === undefined ? undefined : decodeManifest(key, bytes);
      if (older !== undefined && older.fence !== true) return older;
    }
    return undefined;
  };

  const fenced = (attempt: number, newer: number | undefined): SluiceError =>
    new SluiceError('fenced', `attempt ${attempt} of '${topology}' was taken over by attempt ${newer ?? '?'}`, {
      fix: 'nothing is lost: the newer run goes on from the last checkpoint; stop this one',
    });

  const attemptOf = async (key: string): Promise<number | undefined> => {
    const bytes = await blobs.get(key);
    return bytes === undefined ? undefined : decodeManifest(key, bytes).attempt;
  };

  const remove = async (keys: readonly string[]): Promise<void> => {
    for (const key of keys) await blobs.delete(key);
  };

  return {
    latest,
    async takeOver(begin, { goBack } = { goBack: false }) {
      for (;;) {
        const newest = await latest();
        const previous = goBack ? await completedBefore(newest) : newest;
        const fence: Manifest = { ...begin((newest?.attempt ?? 0) + 1, (newest?.checkpoint ?? 0) + 1, previous), fence: true };
        if (await blobs.createIfAbsent(keyOf(fence.checkpoint), encodeManifest(fence))) return fence;
      }
    },
    async create({ checkpoint, attempt }, bytes) {
      const key = keyOf(checkpoint);
      const created = await blobs.createIfAbsent(key, bytes);
      const own = created || (await attemptOf(key)) === attempt;
      const newest = (await blobs.list(prefix)).at(-1);
      if (own && newest === key) return;
      // A number that was pruned can be created again by a run that slept through it; a newer manifest gives it away.
      if (own) await blobs.delete(key);
      throw fenced(attempt, (await latest())?.attempt);
    },
    async checkFence({ checkpoint, attempt }) {
      const newest = (await blobs.list(prefix)).at(-1);
      if (newest === undefined || newest <= keyOf(checkpoint)) return;
      const newer = await attemptOf(newest);
      if (newer !== undefined && newer > attempt) throw fenced(attempt, newer);
    },
    async prune(keep) {
      const keys = await blobs.list(prefix);
      await remove(keys.slice(0, Math.max(0, keys.length - keep)));
    },
    async pruneFences(keep) {
      const keys = await blobs.list(prefix);
      if (keys.length <= keep) return;
      const completed = await completedBefore(await latest());
      const kept = completed === undefined ? undefined : keyOf(completed.checkpoint);
      await remove(keys.slice(0, keys.length - keep).filter((key) => key !== kept));
    },
  };
}

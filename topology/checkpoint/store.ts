/**
 * Checkpoints of one topology on a blob store, fenced by attempt.
 *
 * Invariants:
 * 1. Checkpoint numbers form one sequence; a number's manifest is created once, by whoever is first.
 * 2. A run begins by creating a manifest of its own (its fence) that repeats the latest state under a higher attempt. From then on an
 *    older run cannot create the number it wants next, learns of the newer attempt, and stops before its sinks commit anything.
 * 3. Sinks commit checkpoint n only after its manifest exists.
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
  /** Creates `manifest`; throws `SluiceError` `fenced` when another attempt already has that number. */
  create(manifest: Manifest): Promise<void>;
  /** Deletes all but the newest `keep`. */
  prune(keep: number): Promise<void>;
}

export function checkpointStore(blobs: BlobStore, topology: string): CheckpointStore {
  const prefix = `checkpoints/${topology}/`;
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
    async create(manifest) {
      const key = keyOf(manifest.checkpoint);
      const created = await blobs.createIfAbsent(key, encodeManifest(manifest));
      const newest = (await blobs.list(prefix)).at(-1);
      if (created && newest === key) return;
      // A number that was pruned can be created again by a run that slept through it; a newer manifest gives it away.
      if (created) await blobs.delete(key);
      const newer = await latest();
      throw new SluiceError('fenced', `attempt ${manifest.attempt} of '${topology}' was taken over by attempt ${newer?.attempt ?? '?'}`, {
        fix: 'nothing is lost: the newer run goes on from the last checkpoint; stop this one',
      });
    },
    async prune(keep) {
      const keys = await blobs.list(prefix);
      for (const key of keys.slice(0, Math.max(0, keys.length - keep))) await blobs.delete(key);
    },
  };
}

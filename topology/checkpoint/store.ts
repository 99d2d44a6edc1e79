/**
 * Checkpoints of one topology on a blob store, fenced by lineage and attempt.
 *
 * Invariants:
 * 1. Checkpoint numbers form one sequence; a number's manifest is created once, by whoever is
 *    first.
 * 2. A run begins by creating a manifest of its own (its fence) that repeats the latest state under
 *    a higher attempt. From then on an older run cannot create the number it wants next, learns of
 *    the newer attempt, and stops before its sinks commit anything.
 * 3. Sinks commit checkpoint n only after its manifest exists.
 * 4. Creating one's own manifest again does no harm: one that is there already, as the answer to an
 *    earlier try was lost, counts as created.
 * 5. The newest manifest that is no fence is kept: what goes back needs it.
 * 6. Where no manifest is, a new lineage begins. A run whose manifests were removed, and that finds
 *    those of another lineage, was taken over.
 */
import { boundedEach } from '../../schemas/kernel/bounded-each.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import { newLineage } from '../../schemas/run-id.ts';
import type { Manifest } from './manifest.ts';
import { decodeManifest, encodeManifest } from './manifest.ts';

/** A manifest as the run knows it that made it. */
export type HeldManifest = Pick<Manifest, 'checkpoint' | 'attempt' | 'lineage'>;

export interface TakeOverOptions {
  /** Repeats the newest manifest that is no fence: runs that completed nothing are passed over. */
  readonly goBack?: boolean;
  /**
   * To an attempt far later than the next: sinks know later ones than the checkpoints, an older
   * copy of which was put back.
   */
  readonly leap?: boolean;
}

export interface CheckpointStore {
  /** The newest manifest, or undefined. */
  latest(): Promise<Manifest | undefined>;
  /**
   * Takes over: creates the fence of a new attempt after the newest manifest and returns it.
   * `begin` makes the first one from nothing. Its lineage is that of the newest manifest, or a new
   * one. What it returns is the state to restore.
   */
  takeOver(
    random: Random,
    begin: (attempt: number, checkpoint: number, previous: Manifest | undefined) => Manifest,
    options?: TakeOverOptions,
  ): Promise<Manifest>;
  /**
   * Creates `manifest`, whose text is `bytes`; throws `SluiceError` `fenced` when another run
   * already has that number, or another lineage the one before.
   */
  create(manifest: HeldManifest, bytes: Uint8Array): Promise<void>;
  /**
   * Throws `SluiceError` `fenced` when the newest manifest is of a newer attempt, or of another
   * lineage.
   */
  checkFence(held: Pick<Manifest, 'attempt' | 'lineage'>): Promise<void>;
  /** After a checkpoint was completed: deletes all but the newest `keep`. */
  prune(keep: number): Promise<void>;
  /** The same when a run begins, whose newest manifest is a fence. */
  pruneFences(keep: number): Promise<void>;
}

const folder = 'checkpoints/';
/** A run that is still behind leaps again: a few leaps pass any number of attempts. */
const leapFactor = 10;

/** The topologies that have checkpoints, sorted. */
export async function checkpointedTopologies(blobs: BlobStore): Promise<readonly string[]> {
  const keys = await blobs.list(folder);
  const parts = keys.map((key) => key.slice(folder.length).split('/'));
  // What is not in a folder of its own, such as the lock, is none.
  return [
    ...new Set(
      parts.flatMap(([topology, ...file]) =>
        topology === undefined || file.length === 0 ? [] : [topology],
      ),
    ),
  ].sort();
}

export function checkpointStore(blobs: BlobStore, topology: string): CheckpointStore {
  const prefix = `${folder}${topology}/`;
  const keyOf = (checkpoint: number): string =>
    `${prefix}${String(checkpoint).padStart(12, '0')}.json`;

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

  const fenced = (
    { attempt, lineage }: Pick<Manifest, 'attempt' | 'lineage'>,
    by: Manifest | undefined,
  ): SluiceError => {
    if (by !== undefined && by.lineage !== lineage) {
      return new SluiceError(
        'fenced',
        `attempt ${attempt} of '${topology}' was taken over by a run that began without its checkpoints`,
        {
          fix: 'the newer run reads from the start, as the checkpoints were removed; stop this one',
        },
      );
    }
    return new SluiceError(
      'fenced',
      `attempt ${attempt} of '${topology}' was taken over by attempt ${by?.attempt ?? '?'}`,
      {
        fix: 'nothing is lost: the newer run goes on from the last checkpoint; stop this one',
      },
    );
  };

  const read = async (key: string | undefined): Promise<Manifest | undefined> => {
    const bytes = key === undefined ? undefined : await blobs.get(key);
    return bytes === undefined ? undefined : decodeManifest(key as string, bytes);
  };
  /** Whether `key` has what `held` says, as an earlier try created it. */
  const isHeld = async (key: string, { attempt, lineage }: HeldManifest): Promise<boolean> => {
    const there = await read(key);
    return there !== undefined && there.attempt === attempt && there.lineage === lineage;
  };
  /** The newest key that this run created: its manifest needs no look. */
  let known: string | undefined;

  /** The manifest at `key`, when it is of another lineage. */
  const strangerAt = async (
    key: string | undefined,
    { lineage }: HeldManifest,
  ): Promise<Manifest | undefined> => {
    const there = await read(key);
    return there === undefined || there.lineage === lineage ? undefined : there;
  };

  const remove = async (keys: readonly string[]): Promise<void> => {
    await boundedEach(keys, limits.checkpointDeletesMax, (key) => blobs.delete(key));
  };

  return {
    latest,
    async takeOver(random, begin, { goBack = false, leap = false } = {}) {
      for (;;) {
        const newest = await latest();
        const previous = goBack ? await completedBefore(newest) : newest;
        const attempt = ((newest?.attempt ?? 0) + 1) * (leap ? leapFactor : 1);
        const begun = begin(attempt, (newest?.checkpoint ?? 0) + 1, previous);
        const fence: Manifest = {
          ...begun,
          lineage: newest?.lineage ?? newLineage(random),
          fence: true,
        };
        known = keyOf(fence.checkpoint);
        if (await blobs.createIfAbsent(known, encodeManifest(fence))) return fence;
      }
    },
    async create(held, bytes) {
      const key = keyOf(held.checkpoint);
      const created = await blobs.createIfAbsent(key, bytes);
      const own = created || (await isHeld(key, held));
      const [before, newest] = (await blobs.list(prefix)).slice(-2);
      const foreign =
        own && newest === key && before !== known ? await strangerAt(before, held) : undefined;
      if (own && (newest ?? before) === key && foreign === undefined) {
        known = key;
        return;
      }
      // A number that was pruned can be created again by a run that slept through it; a newer
      // manifest gives it away.
      if (own) await blobs.delete(key);
      throw fenced(held, foreign ?? (await latest()));
    },
    async checkFence(held) {
      const newest = (await blobs.list(prefix)).at(-1);
      const by = newest === known ? undefined : await read(newest);
      if (by !== undefined && (by.lineage !== held.lineage || by.attempt > held.attempt))
        throw fenced(held, by);
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

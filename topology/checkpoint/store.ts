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
 * 4. Creating one's own manifest again is harmless: one that already exists, because the answer to
 *    an earlier attempt was lost, counts as created.
 * 5. The newest manifest that is not a fence is kept, because a rollback needs it.
 * 6. Without any manifest, a new lineage begins. A run whose manifests were removed, and that finds
 *    those of another lineage, was taken over.
 */
import { boundedEach } from '../../schemas/kernel/bounded-each.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import { newLineage } from '../../schemas/run-id.ts';
import type { Manifest } from './manifest.ts';
import { decodeManifest, encodeManifest } from './manifest.ts';
import { checkpointFolder, stateFolder } from './sorted-runs/state-files.ts';

/** Old ones that are deleted beside each other. */
const checkpointDeletesMax = 8;

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
  /**
   * A savepoint is restored: `begin` repeats nothing, so a later run may go back to what it makes.
   * Numbers up to the savepoint's are not given again.
   */
  readonly after?: Pick<Manifest, 'checkpoint'> | undefined;
}

/** Makes the first manifest of a run. `checkpoint`: its number. */
export type Begin = (
  attempt: number,
  checkpoint: number,
  previous: Manifest | undefined,
  lineage: string,
) => Manifest | Promise<Manifest>;

export interface CheckpointStore {
  /** The newest manifest, or undefined. */
  latest(): Promise<Manifest | undefined>;
  /**
   * Takes over: creates the fence of a new attempt after the newest manifest and returns it.
   * `begin` makes the first one from nothing. Its lineage is that of the newest manifest, or a new
   * one. What it returns is the state to restore.
   */
  takeOver(random: Random, begin: Begin, options?: TakeOverOptions): Promise<Manifest>;
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
  /**
   * After a checkpoint was completed: deletes all but the newest `keep`. Resolves with the numbers
   * of those that are left.
   */
  prune(keep: number): Promise<readonly number[]>;
  /** All manifests that there are at one time, oldest first. */
  all(): Promise<readonly Manifest[]>;
  /** The same when a run begins, whose newest manifest is a fence. */
  pruneFences(keep: number): Promise<void>;
}

const folder = 'checkpoints/';
const manifestName = /^\d{12}\.json$/;
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
  return new BlobCheckpoints(blobs, topology);
}

class BlobCheckpoints implements CheckpointStore {
  readonly #blobs: BlobStore;
  readonly #topology: string;
  readonly #prefix: string;
  /** The newest key that this run created: its manifest needs no look. */
  #known: string | undefined;

  constructor(blobs: BlobStore, topology: string) {
    this.#blobs = blobs;
    this.#topology = topology;
    this.#prefix = checkpointFolder(topology);
  }

  async latest(): Promise<Manifest | undefined> {
    const key = (await this.#keys()).at(-1);
    if (key === undefined) return undefined;
    // One that was pruned since has a newer one.
    return (await this.#read(key)) ?? this.latest();
  }

  async takeOver(
    random: Random,
    begin: Begin,
    { goBack = false, leap = false, after }: TakeOverOptions = {},
  ): Promise<Manifest> {
    for (;;) {
      const newest = await this.latest();
      const previous = goBack ? await this.#completedBefore(newest) : newest;
      const attempt = ((newest?.attempt ?? 0) + 1) * (leap ? leapFactor : 1);
      const lineage = newest?.lineage ?? newLineage(random);
      const checkpoint = Math.max(newest?.checkpoint ?? 0, after?.checkpoint ?? 0) + 1;
      const begun = await begin(attempt, checkpoint, previous, lineage);
      const isFence = after === undefined ? { fence: true as const } : {};
      const fence: Manifest = { ...begun, lineage, ...isFence };
      this.#known = this.#keyOf(fence.checkpoint);
      if (!(await this.#blobs.createIfAbsent(this.#known, encodeManifest(fence)))) continue;
      if (newest === undefined || (await this.#keys())[0] !== this.#known) return fence;
      // It slept until its number, and the one before, were pruned: there are newer ones.
      await this.#blobs.delete(this.#known);
    }
  }

  async create(held: HeldManifest, bytes: Uint8Array): Promise<void> {
    const key = this.#keyOf(held.checkpoint);
    const created = await this.#blobs.createIfAbsent(key, bytes);
    const own = created || (await this.#isHeld(key, held));
    const [before, newest] = (await this.#keys()).slice(-2);
    const foreign =
      own && newest === key && before !== this.#known
        ? await this.#strangerAt(before, held)
        : undefined;
    if (own && (newest ?? before) === key && foreign === undefined) {
      this.#known = key;
      return;
    }
    // A number that was pruned can be created again by a run that slept through it; a newer
    // manifest gives it away.
    if (own) await this.#blobs.delete(key);
    throw fencedBy(this.#topology, held, foreign ?? (await this.latest()));
  }

  async checkFence(held: Pick<Manifest, 'attempt' | 'lineage'>): Promise<void> {
    const newest = (await this.#keys()).at(-1);
    const by = newest === this.#known ? undefined : await this.#read(newest);
    if (by !== undefined && (by.lineage !== held.lineage || by.attempt > held.attempt))
      throw fencedBy(this.#topology, held, by);
  }

  async prune(keep: number): Promise<readonly number[]> {
    const keys = await this.#keys();
    await this.#remove(keys.slice(0, Math.max(0, keys.length - keep)));
    return keys.slice(-keep).map((key) => this.#numberOf(key));
  }

  async all(): Promise<readonly Manifest[]> {
    for (;;) {
      const keys = await this.#keys();
      const found: Manifest[] = [];
      for (const key of keys) {
        const manifest = await this.#read(key);
        if (manifest !== undefined) found.push(manifest);
      }
      // One that was pruned meanwhile has newer ones.
      if (found.length === keys.length) return found;
    }
  }

  async pruneFences(keep: number): Promise<void> {
    const keys = await this.#keys();
    if (keys.length <= keep) return;
    const completed = await this.#completedBefore(await this.latest());
    const kept = completed === undefined ? undefined : this.#keyOf(completed.checkpoint);
    await this.#remove(keys.slice(0, keys.length - keep).filter((key) => key !== kept));
  }

  /** `newest`, or the next older one that is no fence; undefined when no run completed anything. */
  async #completedBefore(newest: Manifest | undefined): Promise<Manifest | undefined> {
    if (newest?.fence !== true) return newest;
    for (const key of (await this.#keys()).toReversed()) {
      if (key >= this.#keyOf(newest.checkpoint)) continue;
      const older = await this.#read(key);
      if (older !== undefined && older.fence !== true) return older;
    }
    return undefined;
  }

  /** Whether `key` has what `held` says, as an earlier try created it. */
  async #isHeld(key: string, { attempt, lineage }: HeldManifest): Promise<boolean> {
    const there = await this.#read(key);
    return there !== undefined && there.attempt === attempt && there.lineage === lineage;
  }

  /** The manifest at `key`, when it is of another lineage. */
  async #strangerAt(
    key: string | undefined,
    { lineage }: HeldManifest,
  ): Promise<Manifest | undefined> {
    const there = await this.#read(key);
    return there === undefined || there.lineage === lineage ? undefined : there;
  }

  async #read(key: string | undefined): Promise<Manifest | undefined> {
    if (key === undefined) return undefined;
    const bytes = await this.#blobs.get(key);
    if (bytes === undefined) return undefined;
    return decodeManifest(key, bytes, {
      filesIn: stateFolder(this.#topology),
      topology: this.#topology,
      checkpoint: this.#numberOf(key),
    });
  }

  async #remove(keys: readonly string[]): Promise<void> {
    await boundedEach(keys, checkpointDeletesMax, (key) => this.#blobs.delete(key));
  }

  /** Of all manifests, oldest first. */
  async #keys(): Promise<readonly string[]> {
    // Numbers begin with two zeros until there are ten billion: files of the state are not listed.
    const keys = await this.#blobs.list(`${this.#prefix}00`);
    return keys.filter((key) => manifestName.test(key.slice(this.#prefix.length)));
  }

  #numberOf(key: string): number {
    return Number.parseInt(key.slice(this.#prefix.length), 10);
  }

  #keyOf(checkpoint: number): string {
    return `${this.#prefix}${String(checkpoint).padStart(12, '0')}.json`;
  }
}

function fencedBy(
  topology: string,
  { attempt, lineage }: Pick<Manifest, 'attempt' | 'lineage'>,
  by: Manifest | undefined,
): SluiceError {
  const isStranger = by !== undefined && by.lineage !== lineage;
  const details = { topology, attempt, by: by?.attempt, restarted: isStranger };
  return isStranger
    ? new SluiceError(
        'fenced',
        `attempt ${attempt} of '${topology}' was taken over by a run that started without its checkpoints`,
        {
          fix: 'stop this run; the newer one reads from the beginning, because the checkpoints were removed',
          details,
        },
      )
    : new SluiceError(
        'fenced',
        `attempt ${attempt} of '${topology}' was taken over by attempt ${by?.attempt ?? '?'}`,
        {
          fix: 'stop this run; nothing is lost, because the newer one resumes from the last checkpoint',
          details,
        },
      );
}

/**
 * Puts pending rejections into new contents of the rejected table's files, one file after the
 * other, and into its index.
 *
 * Invariants:
 * 1. What is staged for a checkpoint is absolute (rows with their counts, not increments), so
 *    publishing it twice changes nothing.
 * 2. A row that is not where the index says goes where a new one goes.
 * 3. The index is durable before `stage` returns; it is read at the first rejection, so that a
 *    start costs the same whatever the table has.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { partitioner } from '../../schemas/partition.ts';
import type { RejectedEvent } from '../../schemas/rejection.ts';
import type { IndexEntry, IndexSegments } from './index-segments.ts';
import type { RejectedFiles } from './rejected-files.ts';
import type { RejectedIndex } from './rejected-index.ts';
import { indexKey } from './rejected-index.ts';
import type { PendingRejection, RejectedRow } from './rejected-row.ts';
import { mergedRow, rejectionBytes } from './rejected-row.ts';
import { rejectedPartitionBy } from './storable.ts';

/** How long rejections are kept. */
export const rejectedRetentionMs = 7 * 24 * 3_600_000;

/** By identity. */
export type Rejections = Map<string, PendingRejection>;

export interface StagedRejectionsOptions {
  readonly files: RejectedFiles;
  readonly segments: IndexSegments;
  readonly index: RejectedIndex;
  readonly fileMaxBytes: number;
  readonly clock: Clock;
}

const dayMs = 86_400_000;

export class StagedRejections {
  readonly #files: RejectedFiles;
  readonly #segments: IndexSegments;
  readonly #index: RejectedIndex;
  readonly #fileMaxBytes: number;
  readonly #clock: Clock;
  readonly #folderOf = partitioner(rejectedPartitionBy);
  #isIndexed = false;

  constructor({ files, segments, index, fileMaxBytes, clock }: StagedRejectionsOptions) {
    this.#files = files;
    this.#segments = segments;
    this.#index = index;
    this.#fileMaxBytes = fileMaxBytes;
    this.#clock = clock;
  }

  async stage(pending: Rejections): Promise<void> {
    await this.#loadIndex();
    const known = new Map<string, Rejections>();
    const fresh = new Map<string, Rejections>();
    for (const [identity, rejection] of pending) {
      const file = this.#index.fileOf(indexKey(identity));
      if (file === undefined)
        groupOf(fresh, this.#partitionOf(rejection.event)).set(identity, rejection);
      else groupOf(known, file).set(identity, rejection);
    }
    const strays = new Map<string, Rejections>();
    for (const [partition, group] of fresh) {
      const last = this.#files.nameOf(partition, await this.#files.lastNumberOf(partition));
      await this.#append(partition, group, known.get(last), strays);
      known.delete(last);
    }
    for (const [file, group] of known) {
      const rows = await this.#files.read(file);
      if (this.#mergeKnown(rows, group, file, strays))
        await this.#files.stage(file, [...rows.values()]);
    }
    for (const [partition, group] of strays)
      await this.#append(partition, group, undefined, strays);
    await this.#segments.add(this.#index.takeFresh());
  }

  async #loadIndex(): Promise<void> {
    if (this.#isIndexed) return;
    this.#isIndexed = true;
    const oldestMs = this.#clock.now() - rejectedRetentionMs - dayMs;
    const oldestDate = new Date(oldestMs).toISOString().slice(0, 10);
    const kept = await this.#segments.read(oldestDate);
    const entries = kept ?? (await entriesIn(this.#files, oldestDate, this.#index.max));
    this.#index.load(entries);
    if (kept === undefined) await this.#segments.begin(entries);
  }

  /**
   * New identities go to the partition's last file, beside what is `known` there, and to further
   * files as each gets full.
   */
  async #append(
    partition: string,
    group: Rejections,
    known: Rejections | undefined,
    strays: Map<string, Rejections>,
  ): Promise<void> {
    const files = this.#files;
    let number = await files.lastNumberOf(partition);
    let rows = await files.read(files.nameOf(partition, number));
    let changed =
      known !== undefined && this.#mergeKnown(rows, known, files.nameOf(partition, number), strays);
    let bytes = [...rows.values()].reduce((sum, row) => sum + rejectionBytes(row), 0);
    for (const [identity, rejection] of group) {
      if (bytes >= this.#fileMaxBytes) {
        if (changed) await files.stage(files.nameOf(partition, number), [...rows.values()]);
        number++;
        rows = new Map();
        bytes = 0;
      }
      this.#merge(rows, identity, rejection, files.nameOf(partition, number));
      bytes += rejectionBytes(rejection.event);
      changed = true;
    }
    await files.stage(files.nameOf(partition, number), [...rows.values()]);
  }

  /**
   * Says whether one was there. Those that are not, as the run that meant to write them never did,
   * go where new ones go.
   */
  #mergeKnown(
    rows: Map<string, RejectedRow>,
    group: Rejections,
    file: string,
    strays: Map<string, Rejections>,
  ): boolean {
    let any = false;
    for (const [identity, rejection] of group) {
      if (rows.has(identity)) {
        this.#merge(rows, identity, rejection, file);
        any = true;
      } else groupOf(strays, this.#partitionOf(rejection.event)).set(identity, rejection);
    }
    return any;
  }

  #merge(
    rows: Map<string, RejectedRow>,
    identity: string,
    rejection: PendingRejection,
    file: string,
  ): void {
    rows.set(identity, mergedRow(rows.get(identity), rejection));
    this.#index.remember(indexKey(identity), file);
  }

  #partitionOf({ receivedtime, team, app }: RejectedEvent): string {
    const folder = this.#folderOf(Date.parse(receivedtime), team, app);
    assert(typeof folder === 'string', 'a storable event has a folder');
    return folder;
  }
}

/**
 * Of the newest files, where no index was kept: of earlier versions, or because it was lost. In
 * order, the newest last; at most `max`.
 */
async function entriesIn(
  files: RejectedFiles,
  oldestDate: string,
  max: number,
): Promise<readonly IndexEntry[]> {
  const found: IndexEntry[] = [];
  for await (const file of files.published(oldestDate)) {
    for (const identity of [...(await files.identities(file))].reverse())
      found.push([indexKey(identity), file]);
    if (found.length >= max) break;
  }
  return found.slice(0, max).reverse();
}

function groupOf(groups: Map<string, Rejections>, key: string): Rejections {
  const known = groups.get(key);
  if (known !== undefined) return known;
  const made: Rejections = new Map();
  groups.set(key, made);
  return made;
}

/**
 * The `rejected` table: one row for each rejection identity, with `seen`, however often the event
 * is sent.
 *
 * A row lies in the hour of its first receivedtime, in a file that is rewritten whole and replaced
 * at once when a checkpoint commits: a reader always finds each identity once.
 *
 * Invariants:
 * 1. What is staged for a checkpoint is absolute (rows with their counts, not increments), so
 *    publishing it twice changes nothing.
 * 2. The index says in which file an identity lies; it is bounded in number and in age: an identity
 *    that comes again after it was let go gets a new row. It is durable before the state that names
 *    the row is returned (index-segments.ts).
 * 3. Every rejected event is taken: nothing that a record says can make this table refuse it.
 * 4. A start reads nothing of the table, and a checkpoint only the files that change, and writes
 *    them: neither grows with the table.
 * 5. Memory is bounded by one file's rows and what is pending; past that bound the pending ones are
 *    staged between two checkpoints.
 */
import { assert } from '../../schemas/kernel/assert.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { fileFault } from '../../schemas/kernel/file-fault.ts';
import { limits } from '../../schemas/limits.ts';
import { partitioner } from '../../schemas/partition.ts';
import type { LakeFiles, LakeStore, StagedContent } from '../../schemas/ports/lake-files.ts';
import { openLake } from '../../schemas/ports/lake-files.ts';
import type { RejectedEvent } from '../../schemas/rejection.ts';
import { rejectionIdentityOf } from '../../schemas/rejection.ts';
import type { RunId } from '../../schemas/run-id.ts';
import type { Sink } from '../../topology/index.ts';
import { describeTable } from '../lake/table-file.ts';
import type { IndexEntry } from './index-segments.ts';
import { IndexSegments } from './index-segments.ts';
import { RejectedFiles } from './rejected-files.ts';
import { indexKey, RejectedIndex } from './rejected-index.ts';
import type { PendingRejection, RejectedRow } from './rejected-row.ts';
import {
  addRejection,
  mergedRow,
  rejectedPartitionBy,
  rejectionBytes,
  storable,
} from './rejected-row.ts';
import { rejectedSchema } from './rejected-schema.ts';

export interface RejectedSinkOptions {
  readonly lake: LakeStore;
  readonly topology: string;
  readonly run: RunId;
  readonly clock: Clock;
  /** Default `limits.rejectedFileMaxBytes`. */
  readonly fileMaxBytes?: number;
  /** Default `limits.rejectedPendingMaxBytes`. */
  readonly pendingMaxBytes?: number;
  /** Identities whose `seen` is kept up to date. Default `limits.rejectedIndexMax`. */
  readonly indexMax?: number;
}

interface RejectedState {
  readonly staged: readonly StagedContent[];
}

type Group = Map<string, PendingRejection>;

const table = 'rejected';
const dayMs = 86_400_000;

/**
 * Faults: `disk-full`, `lake-write-failed`, `staged-file-missing`, `table-mismatch`; after one only
 * a new sink goes on.
 */
export function rejectedSink(options: RejectedSinkOptions): Sink {
  const { clock } = options;
  const fileMaxBytes = options.fileMaxBytes ?? limits.rejectedFileMaxBytes;
  const pendingMaxBytes = options.pendingMaxBytes ?? limits.rejectedPendingMaxBytes;
  let lake: LakeFiles | undefined;
  let opened: RejectedFiles | undefined;
  const folderOf = partitioner(rejectedPartitionBy);
  const index = new RejectedIndex(options.indexMax ?? limits.rejectedIndexMax);
  let segments: IndexSegments | undefined;
  let isIndexed = false;
  let pending: Group = new Map();
  let pendingBytes = 0;
  /** Events that were written since the last state, and those it named. */
  let writtenEvents = 0;
  let namedEvents = 0;

  const filesOf = (): RejectedFiles => {
    assert(opened !== undefined, 'the rejected table is open');
    return opened;
  };

  const segmentsOf = (): IndexSegments => {
    assert(segments !== undefined, 'the rejected table is open');
    return segments;
  };

  const partitionOf = ({ receivedtime, team, app }: RejectedEvent): string => {
    const timestampMs = Date.parse(receivedtime);
    const folder = folderOf(timestampMs, team, app);
    assert(typeof folder === 'string', 'a storable event has a folder');
    return folder;
  };

  /**
   * Which files identities are in is asked for by the first rejection, so that a start costs the
   * same whatever the table has.
   */
  const loadIndex = async (): Promise<void> => {
    if (isIndexed) return;
    isIndexed = true;
    const oldestDate = new Date(clock.now() - limits.rejectedRetentionMs - dayMs)
      .toISOString()
      .slice(0, 10);
    const kept = await segmentsOf().read(oldestDate);
    const entries = kept ?? (await entriesIn(filesOf(), oldestDate, index.max));
    index.load(entries);
    if (kept === undefined) await segmentsOf().begin(entries);
  };

  /** Writes what is pending into new contents of its files, one file after the other. */
  const stagePending = async (): Promise<void> => {
    if (pending.size === 0) return;
    await loadIndex();
    const files = filesOf();
    const known = new Map<string, Group>();
    const fresh = new Map<string, Group>();
    for (const [identity, rejection] of pending) {
      const file = index.fileOf(indexKey(identity));
      if (file === undefined) groupOf(fresh, partitionOf(rejection.event)).set(identity, rejection);
      else groupOf(known, file).set(identity, rejection);
    }
    const strays = new Map<string, Group>();
    for (const [partition, group] of fresh) {
      const last = files.nameOf(partition, await files.lastNumberOf(partition));
      await append(partition, group, known.get(last), strays);
      known.delete(last);
    }
    for (const [file, group] of known) {
      const rows = await files.read(file);
      if (mergeKnown(rows, group, file, strays)) await files.stage(file, [...rows.values()]);
    }
    for (const [partition, group] of strays) await append(partition, group, undefined, strays);
    await segmentsOf().add(index.takeFresh());
    pending = new Map();
    pendingBytes = 0;
  };

  const merge = (
    rows: Map<string, RejectedRow>,
    identity: string,
    rejection: PendingRejection,
    file: string,
  ): void => {
    rows.set(identity, mergedRow(rows.get(identity), rejection));
    index.remember(indexKey(identity), file);
  };

  /**
   * Says whether one was there. Those that are not, as the run that meant to write them never did,
   * go where new ones go.
   */
  const mergeKnown = (
    rows: Map<string, RejectedRow>,
    group: Group,
    file: string,
    strays: Map<string, Group>,
  ): boolean => {
    let any = false;
    for (const [identity, rejection] of group) {
      if (rows.has(identity)) {
        merge(rows, identity, rejection, file);
        any = true;
      } else groupOf(strays, partitionOf(rejection.event)).set(identity, rejection);
    }
    return any;
  };

  /**
   * New identities go to the partition's last file, beside what is `known` there, and to further
   * files as each gets full.
   */
  const append = async (
    partition: string,
    group: Group,
    known: Group | undefined,
    strays: Map<string, Group>,
  ): Promise<void> => {
    const files = filesOf();
    let number = await files.lastNumberOf(partition);
    let rows = await files.read(files.nameOf(partition, number));
    let changed =
      known !== undefined && mergeKnown(rows, known, files.nameOf(partition, number), strays);
    let bytes = [...rows.values()].reduce((sum, row) => sum + rejectionBytes(row), 0);
    for (const [identity, rejection] of group) {
      if (bytes >= fileMaxBytes) {
        if (changed) await files.stage(files.nameOf(partition, number), [...rows.values()]);
        number++;
        rows = new Map();
        bytes = 0;
      }
      merge(rows, identity, rejection, files.nameOf(partition, number));
      bytes += rejectionBytes(rejection.event);
      changed = true;
    }
    await files.stage(files.nameOf(partition, number), [...rows.values()]);
  };

  const guarded = async <T>(what: () => Promise<T>): Promise<T> => {
    try {
      return await what();
    } catch (thrown) {
      throw fileFault('lake-write-failed', `table '${table}'`, thrown);
    }
  };

  return {
    open: (restored) =>
      guarded(async () => {
        lake = await openLake(options.lake, options.run);
        await describeTable(lake, {
          table,
          schema: rejectedSchema,
          partitionBy: rejectedPartitionBy,
        });
        opened = new RejectedFiles(lake, table, options.topology, options.run);
        await opened.open((restored as RejectedState | undefined)?.staged ?? []);
        segments = new IndexSegments(lake, options.topology, options.run, clock);
      }),
    write: (batch) =>
      guarded(async () => {
        for (let i = 0; i < batch.length; i++) {
          const event = storable(batch.values[i] as RejectedEvent, clock.now());
          const identity = rejectionIdentityOf(event);
          const before = pending.get(identity);
          if (before === undefined) pendingBytes += rejectionBytes(event);
          pending.set(identity, addRejection(before, event));
          writtenEvents++;
        }
        if (pendingBytes >= pendingMaxBytes) await stagePending();
        return [];
      }),
    prepare: () =>
      guarded(async (): Promise<RejectedState> => {
        await stagePending();
        namedEvents += writtenEvents;
        writtenEvents = 0;
        return { staged: await filesOf().name() };
      }),
    commit: () =>
      guarded(async () => {
        await filesOf().publish();
        namedEvents = 0;
      }),
    pendingRows: () => writtenEvents + namedEvents,
    close: async () => lake?.close(),
  };
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

function groupOf(groups: Map<string, Group>, key: string): Group {
  const known = groups.get(key);
  if (known !== undefined) return known;
  const made: Group = new Map();
  groups.set(key, made);
  return made;
}

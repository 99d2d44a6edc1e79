/**
 * The first checkpoint of a run: what it restores of the last one, under an attempt of its own, so
 * that an older run is fenced.
 *
 * Invariants:
 * 1. Nothing is created before the topology and its tables fit: a run that cannot begin must not
 *    end an older one.
 * 2. One that cannot be stored is a failed checkpoint, and is reported as one. What does not fit is
 *    none.
 * 3. Of a savepoint the files are copied, so that it stays as it is whatever becomes of the run.
 */
import { present } from '../../schemas/kernel/assert.ts';
import { boundedEach } from '../../schemas/kernel/bounded-each.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { within } from '../../schemas/kernel/within.ts';
import { limits } from '../../schemas/limits.ts';
import type { RunId } from '../../schemas/run-id.ts';
import { newRun, nobody } from '../../schemas/run-id.ts';
import type { CheckpointNews } from '../checkpoint/health.ts';
import { failureOf } from '../checkpoint/health.ts';
import type { Manifest, ManifestState } from '../checkpoint/manifest.ts';
import { noState } from '../checkpoint/manifest.ts';
import type { CarriedState } from '../checkpoint/restore.ts';
import { carryOver, restoreNotes } from '../checkpoint/restore.ts';
import { backTo } from '../checkpoint/savepoint-state.ts';
import type { Savepoint } from '../checkpoint/savepoints.ts';
import { openSavepoint } from '../checkpoint/savepoints.ts';
import { ChunkWriter } from '../checkpoint/sorted-runs/entry-chunks.ts';
import { claimedHash, fileName } from '../checkpoint/sorted-runs/file-format.ts';
import type { NumberedTable, SortedRun } from '../checkpoint/sorted-runs/sorted-run.ts';
import { StateFiles } from '../checkpoint/sorted-runs/state-files.ts';
import { inlineStateWriter } from '../checkpoint/sorted-runs/state-writer.ts';
import type { CheckpointStore } from '../checkpoint/store.ts';
import type { StoredState } from '../checkpoint/stored-state.ts';
import { storedState } from '../checkpoint/stored-state.ts';
import { storeUnanswered } from './job-checkpoints.ts';
import { isolationAfter } from './job-isolation.ts';
import type { JobOptions } from './job-options.ts';
import { headOf } from './job-state.ts';
import { requireRestorable, requireTables } from './take-over.ts';

export interface TakenOver {
  readonly fence: Manifest;
  readonly id: RunId;
  /** What a person should know of how the run resumes from the last checkpoint. */
  readonly notes: readonly string[];
}

/** What is there does not fit: no checkpoint has failed. */
const misfitCodes: ReadonlySet<string> = new Set([
  'restore-refused',
  'table-mismatch',
  'savepoint-unknown',
]);

/** How long it may take to restore a savepoint, which is read and written. */
const savepointRestoreMaxMs = 3_600_000;
/** Files of at most 8 MiB that are copied at one time. */
const copiesMax = 4;

export async function takeOver(
  options: JobOptions,
  store: CheckpointStore,
  tell: (news: CheckpointNews) => void,
): Promise<TakenOver> {
  const { clock, savepoint } = options;
  const maxMs = savepoint === undefined ? limits.checkpointTryMaxMs : savepointRestoreMaxMs;
  try {
    return await within(clock, maxMs, createFence(options, store), () => storeUnanswered(maxMs));
  } catch (thrown) {
    if (thrown instanceof SluiceError && !misfitCodes.has(thrown.code)) {
      const failure = failureOf(thrown, { checkpoint: null, atMs: clock.now(), againInMs: null });
      tell({ kind: 'checkpoint-failed', failure });
    }
    throw thrown;
  }
}

async function createFence(options: JobOptions, store: CheckpointStore): Promise<TakenOver> {
  const { topology, blobs, clock, connectors, random, failure } = options;
  const { plan } = topology;
  const drop: ReadonlySet<string> = new Set(options.dropState);
  const savepoint =
    options.savepoint === undefined
      ? undefined
      : await openSavepoint(blobs, plan.name, options.savepoint);
  const previousOf = (newest: Manifest | undefined): Manifest | undefined =>
    savepoint === undefined ? newest : backTo(savepoint.manifest, newest);
  let [notes, id]: [readonly string[], RunId] = [[], nobody];
  await requireTables(previousOf(await store.latest()), plan, connectors);
  const fence = await store.takeOver(
    random,
    async (attempt, checkpoint, newest, lineage) => {
      id = newRun(attempt, lineage, random);
      const files = savepoint?.files ?? new StateFiles(blobs, plan.name, id);
      const manifest = previousOf(newest);
      const stored =
        manifest === undefined ? undefined : storedState(manifest, plan, files, random);
      await requireRestorable(stored, topology, drop, savepoint?.name);
      const previous = stored?.manifest;
      notes = previous === undefined ? [] : restoreNotes(previous, plan);
      if (savepoint !== undefined) notes = [savepointNote(savepoint), ...notes];
      const carried = carryOver(previous, plan, drop, clock.now());
      // Under a name of its own: the run counts its files from 1.
      const apart = new StateFiles(blobs, plan.name, newRun(attempt, lineage, random));
      return {
        ...headOf(plan),
        ...carried,
        ...(await ownFiles(stored, carried, savepoint, apart)),
        checkpoint,
        attempt,
        createdAtMs: clock.now(),
        ...isolationAfter(previous?.isolation, failure, clock.now()),
      };
    },
    {
      goBack: options.goBack === true,
      leap: options.leap === true,
      after: savepoint?.manifest,
    },
  );
  return { fence, id, notes };
}

/** The state in files of the run's own, where it is in none yet, or in those of a savepoint. */
async function ownFiles(
  stored: StoredState | undefined,
  carried: CarriedState,
  savepoint: Savepoint | undefined,
  files: StateFiles,
): Promise<Partial<Pick<Manifest, 'state'>>> {
  if (stored?.isWhole === true) return { state: await writeWhole(stored, carried, files) };
  if (savepoint === undefined || carried.state === undefined) return {};
  return { state: await copyFiles(carried.state, savepoint, files) };
}

/** Before the first manifest that names them. */
async function copyFiles(
  state: ManifestState,
  savepoint: Savepoint,
  files: StateFiles,
): Promise<ManifestState> {
  const runs = state.runs.map((run): SortedRun => {
    const { id, prefix } = files.name();
    const nameOf = (name: string): string =>
      fileName(prefix, present(claimedHash(name), 'the hash of a file of a savepoint'));
    return { id, files: run.files.map((file) => ({ ...file, name: nameOf(file.name) })) };
  });
  const [from, to] = [state.runs, runs].map((all) => all.flatMap((run) => run.files));
  await boundedEach([...(from ?? []).entries()], copiesMax, async ([index, { name }]) => {
    const file = present(to?.[index], 'the copy of a file');
    await files.put({ file, bytes: await savepoint.files.get(name) });
  });
  return { ...state, runs };
}

function savepointNote({ name, manifest }: Savepoint): string {
  const at = new Date(manifest.createdAtMs).toISOString();
  return `it starts from the savepoint '${name}' of ${at}: what tables and graphs got since then stays, and events of since then are read again`;
}

/** Files of what a manifest of before version 4 has whole, before the first that names them. */
async function writeWhole(
  { entries }: StoredState,
  { operators }: CarriedState,
  files: StateFiles,
): Promise<ManifestState> {
  const tables: NumberedTable[] = [];
  const [chunks, runs] = [new ChunkWriter(), inlineStateWriter()];
  for await (const part of entries())
    for (const { node, name, group, key, time, value } of part) {
      if (operators[node] === undefined || value === undefined) continue;
      let table = tables.find((one) => one.node === node && one.name === name);
      if (table === undefined) {
        table = { number: tables.length + 1, node, name };
        tables.push(table);
      }
      chunks.put(table.number, group, key, time, value);
    }
  runs.add(chunks.take());
  const { id, prefix } = files.name();
  const written = await runs.write(prefix, (made) => files.put(made));
  const run = written.length === 0 ? [] : [{ id, files: written }];
  return { ...noState, tables, lastTable: tables.length, runs: run };
}

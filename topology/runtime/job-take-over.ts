/**
 * The first checkpoint of a run: what it restores of the last one, under an attempt of its own, so
 * that an older run is fenced.
 *
 * Invariants:
 * 1. Nothing is created before the topology and its tables fit: a run that cannot begin must not
 *    end an older one.
 * 2. One that cannot be stored is a failed checkpoint, and is reported as one. What does not fit is
 *    none.
 */
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
import { ChunkWriter } from '../checkpoint/sorted-runs/entry-chunks.ts';
import type { NumberedTable } from '../checkpoint/sorted-runs/sorted-run.ts';
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
const misfitCodes: ReadonlySet<string> = new Set(['restore-refused', 'table-mismatch']);

export async function takeOver(
  options: JobOptions,
  store: CheckpointStore,
  tell: (news: CheckpointNews) => void,
): Promise<TakenOver> {
  const { clock } = options;
  try {
    return await within(clock, limits.checkpointTryMaxMs, createFence(options, store), () =>
      storeUnanswered(limits.checkpointTryMaxMs),
    );
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
  let [notes, id]: [readonly string[], RunId] = [[], nobody];
  await requireTables(await store.latest(), plan, connectors);
  const fence = await store.takeOver(
    random,
    async (attempt, checkpoint, newest, lineage) => {
      id = newRun(attempt, lineage, random);
      const files = new StateFiles(blobs, plan.name, id);
      const stored = newest === undefined ? undefined : storedState(newest, plan, files, random);
      await requireRestorable(stored, topology, drop);
      const previous = stored?.manifest;
      notes = previous === undefined ? [] : restoreNotes(previous, plan);
      const carried = carryOver(previous, plan, drop, clock.now());
      // Under a name of its own: the run counts its files from 1.
      const apart = (): StateFiles =>
        new StateFiles(blobs, plan.name, newRun(attempt, lineage, random));
      return {
        ...headOf(plan),
        ...carried,
        ...(stored?.isWhole === true ? { state: await writeWhole(stored, carried, apart()) } : {}),
        checkpoint,
        attempt,
        createdAtMs: clock.now(),
        ...isolationAfter(previous?.isolation, failure, clock.now()),
      };
    },
    { goBack: options.goBack === true, leap: options.leap === true },
  );
  return { fence, id, notes };
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

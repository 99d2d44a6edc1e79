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
import type { Manifest } from '../checkpoint/manifest.ts';
import { statefulNodes } from '../checkpoint/manifest.ts';
import { migrationsOf, noMigrations } from '../checkpoint/migrate-state.ts';
import { carryOver, restoreNotes } from '../checkpoint/restore.ts';
import { backTo } from '../checkpoint/savepoint-state.ts';
import type { Savepoint } from '../checkpoint/savepoints.ts';
import { openSavepoint } from '../checkpoint/savepoints.ts';
import { StateFiles } from '../checkpoint/sorted-runs/state-files.ts';
import type { Begin, CheckpointStore } from '../checkpoint/store.ts';
import { storedState } from '../checkpoint/stored-state.ts';
import { unreadable } from '../checkpoint/unreadable-state.ts';
import { versionedPart } from '../operators/state-version.ts';
import type { Plan } from '../plan/plan.ts';
import { storeUnanswered } from './job-checkpoints.ts';
import { isolationAfter } from './job-isolation.ts';
import type { JobOptions } from './job-options.ts';
import { headOf } from './job-state.ts';
import { ownState } from './own-state.ts';
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

/** How long it may take where all of the state may have to be read and written. */
const rewriteMaxMs = 3_600_000;

export async function takeOver(
  options: JobOptions,
  store: CheckpointStore,
  tell: (news: CheckpointNews) => void,
): Promise<TakenOver> {
  const { clock, savepoint, topology } = options;
  const mayRewrite = savepoint !== undefined || hasVersions(topology.plan);
  const maxMs = mayRewrite ? rewriteMaxMs : limits.checkpointTryMaxMs;
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

/** Whether a part of a state has a version of its schema beyond the first. */
function hasVersions(plan: Plan): boolean {
  return statefulNodes(plan).some(({ definition }) =>
    Object.keys(definition?.options ?? {}).some((option) => versionedPart(option) !== undefined),
  );
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
    reading(savepoint, async (attempt, checkpoint, newest, lineage) => {
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
      const migrations =
        previous === undefined ? noMigrations : migrationsOf(previous, topology, drop);
      // Under a name of its own: the run counts its files from 1.
      const apart = new StateFiles(blobs, plan.name, newRun(attempt, lineage, random));
      return {
        ...headOf(plan),
        ...carried,
        ...(await ownState(stored, carried, { savepoint, migrations, files: apart })),
        checkpoint,
        attempt,
        createdAtMs: clock.now(),
        ...isolationAfter(previous?.isolation, failure, clock.now()),
      };
    }),
    {
      goBack: options.goBack === true,
      leap: options.leap === true,
      after: savepoint?.manifest,
    },
  );
  return { fence, id, notes };
}

/** The same; what was stored and cannot be read is told so. */
function reading(savepoint: Savepoint | undefined, begin: Begin): Begin {
  const what =
    savepoint === undefined ? 'the last checkpoint' : `the savepoint '${savepoint.name}'`;
  return async (...args) => {
    try {
      return await begin(...args);
    } catch (thrown) {
      throw unreadable(thrown, what);
    }
  };
}

function savepointNote({ name, manifest }: Savepoint): string {
  const at = new Date(manifest.createdAtMs).toISOString();
  return `it starts from the savepoint '${name}' of ${at}: what tables and graphs got since then stays, and events of since then are read again`;
}

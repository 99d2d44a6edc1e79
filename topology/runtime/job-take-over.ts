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
import type { CheckpointNews } from '../checkpoint/health.ts';
import { failureOf } from '../checkpoint/health.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { carryOver, restoreNotes } from '../checkpoint/restore.ts';
import type { CheckpointStore } from '../checkpoint/store.ts';
import { storeUnanswered } from './job-checkpoints.ts';
import { isolationAfter } from './job-isolation.ts';
import type { JobOptions } from './job-options.ts';
import { headOf } from './job-state.ts';
import { requireRestorable, requireTables } from './take-over.ts';

export interface TakenOver {
  readonly fence: Manifest;
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
  const { topology, clock, connectors, random, failure } = options;
  const { plan } = topology;
  const drop: ReadonlySet<string> = new Set(options.dropState);
  let notes: readonly string[] = [];
  await requireTables(await store.latest(), plan, connectors);
  const fence = await store.takeOver(
    random,
    (attempt, checkpoint, previous) => {
      requireRestorable(previous, topology, drop);
      notes = previous === undefined ? [] : restoreNotes(previous, plan);
      return {
        ...headOf(plan),
        ...carryOver(previous, plan, drop, clock.now()),
        checkpoint,
        attempt,
        createdAtMs: clock.now(),
        ...isolationAfter(previous?.isolation, failure, clock.now()),
      };
    },
    { goBack: options.goBack === true, leap: options.leap === true },
  );
  return { fence, notes };
}

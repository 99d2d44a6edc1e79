/**
 * The parts of a run that has taken over: its operators, its sinks, its checkpoints and what it
 * keeps between two turns. Its sources are created last, when the sinks are open.
 *
 * Invariants:
 * 1. Operators are restored before anything else is made: a restored operator may refuse what it
 *    held, and knows what time it is before that.
 * 2. A part exists completely or not at all.
 */
import type { RunId } from '../../schemas/run-id.ts';
import type { CheckpointNews } from '../checkpoint/health.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { noState } from '../checkpoint/manifest.ts';
import { StateFiles } from '../checkpoint/sorted-runs/state-files.ts';
import { inlineStateWriter } from '../checkpoint/sorted-runs/state-writer.ts';
import type { CheckpointStore } from '../checkpoint/store.ts';
import { storedState } from '../checkpoint/stored-state.ts';
import type { Topology } from '../plan/plan.ts';
import { compileDag } from './compile-dag.ts';
import type { Connections } from './connections.ts';
import type { Dag } from './dag.ts';
import { JobCheckpoints } from './job-checkpoints.ts';
import { JobIsolation } from './job-isolation.ts';
import { JobLosses } from './job-losses.ts';
import type { JobOptions } from './job-options.ts';
import { JobSavepoints } from './job-savepoints.ts';
import { JobSinks } from './job-sinks.ts';
import { JobSkips } from './job-skips.ts';
import { restoreStates } from './job-state.ts';
import { KeyExamples } from './key-examples.ts';
import { openWorkers } from './parallel/worker-calls.ts';
import type { Rejections } from './rejections.ts';
import type { SealedTables } from './state-tables.ts';
import { StateTables } from './state-tables.ts';

export interface JobParts {
  readonly dag: Dag;
  readonly tables: StateTables;
  readonly rejections: Rejections;
  readonly isolation: JobIsolation;
  readonly keyExamples: KeyExamples;
  readonly skips: JobSkips;
  readonly losses: JobLosses;
  readonly sinks: JobSinks;
  readonly savepoints: JobSavepoints;
  readonly checkpoints: JobCheckpoints<SealedTables>;
}

/** The operators of a run, as the last checkpoint left them. */
export interface Operators {
  /** Its functions may be watched. */
  readonly topology: Topology;
  readonly dag: Dag;
  readonly isolation: JobIsolation;
}

/** What a run has when it has taken over. */
export interface RunBase {
  readonly options: JobOptions;
  readonly store: CheckpointStore;
  readonly rejections: Rejections;
  readonly fence: Manifest;
  readonly id: RunId;
  /** Epoch ms. */
  readonly startedAtMs: number;
  readonly tell: (news: CheckpointNews) => void;
}

/** `wake`: an operator that waited has something to emit. */
export function compileOperators(
  { options, rejections, fence }: RunBase,
  connections: Connections,
  wake: () => void,
): Operators {
  const {
    clock,
    random,
    freezes = 'shared',
    recordStore,
    liveStateMaxBytes,
    digestSegments,
  } = options;
  const isolation = new JobIsolation(fence.isolation, (news) => options.tell?.(news));
  const seen = isolation.watch(options.topology, options.calls);
  const host = { clock, random, wake };
  // What is suspected is looked for in one thread.
  const made = isolation.isSuspecting ? undefined : options.keyedWorkers?.(seen.topology);
  const workers = made && openWorkers(made, { freezes, rejectsFailing: false });
  const dag = compileDag(seen.topology, rejections.reject, {
    ...connections,
    host,
    freezes,
    room: { recordStore, liveStateMaxBytes, digestSegments },
    workers,
    begins: workers && ((stage) => rejections.begin(stage)),
    ...seen,
  });
  return { topology: seen.topology, dag, isolation };
}

export async function assembleParts(
  base: RunBase,
  { topology, dag, isolation }: Operators,
): Promise<JobParts> {
  const { options, store, rejections, fence, id, startedAtMs, tell } = base;
  const { clock, random, connectors, checkpointIntervalMs: intervalMs } = options;
  const { reject } = rejections;
  const { plan } = options.topology;
  const files = new StateFiles(options.blobs, plan.name, id);
  const tables = new StateTables(dag, {
    before: fence.state ?? noState,
    store: files,
    stateWriter: options.stateWriter ?? inlineStateWriter,
    clock,
    tell: (news) => options.tell?.(news),
  });
  const { entries } = storedState(fence, plan, files, random);
  try {
    await tables.begin(await store.all());
    await restoreStates(dag, tables, fence, entries, startedAtMs);
  } catch (thrown) {
    await tables.close();
    // Files of a run that was taken over may be gone: that is why.
    await store.checkFence(fence);
    throw thrown;
  }
  const keyExamples = new KeyExamples(topology, dag, fence.keyExamples);
  const skips = new JobSkips(clock, reject, fence.skips ?? []);
  const losses = new JobLosses(clock, reject, fence.losses, (news) => options.tell?.(news));
  const { retiring } = fence;
  const sinks = new JobSinks(dag, rejections, plan, { connectors, run: id, retiring, clock });
  const late = (): readonly string[] => sinks.late;
  const savepoints = new JobSavepoints({ blobs: options.blobs, topology: plan.name, clock, late });
  const checkpoints = new JobCheckpoints(
    { store, tables, sinks, savepoints, clock, random, intervalMs, tell },
    fence,
  );
  const kept = { isolation, keyExamples, skips, losses };
  return { dag, tables, rejections, ...kept, sinks, savepoints, checkpoints };
}

/**
 * Checkpoints of one table, one right after the other, as a job takes them: in a process of its
 * own, to be killed.
 *
 *   node job.js DIR OPERATION MS
 *
 * At that operation of its store, and so long after it began, it kills itself.
 */
import { jobStateThread } from '../../../deploy/host/state-thread.ts';
import { localBlobStore } from '../../../deploy/stores/local/local-blob-store.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';
import { newRun } from '../../../schemas/run-id.ts';
import type { Manifest } from '../../../topology/checkpoint/manifest.ts';
import {
  encodeManifest,
  lineageOf,
  manifestVersion,
  noState,
} from '../../../topology/checkpoint/manifest.ts';
import { StateFiles } from '../../../topology/checkpoint/sorted-runs/state-files.ts';
import { checkpointStore } from '../../../topology/checkpoint/store.ts';
import { storedState } from '../../../topology/checkpoint/stored-state.ts';
import type { Dag } from '../../../topology/runtime/dag.ts';
import { StateTables } from '../../../topology/runtime/state-tables.ts';
import { MapTable } from '../../topology/runtime/map-table.ts';
import { deadly } from './deadly.ts';
import { deadThroughOf, noPlan, play, stepOf, topology } from './steps.ts';

const kept = 3;

async function run(blobs: BlobStore): Promise<void> {
  const store = checkpointStore(blobs, topology);
  const fence = await store.takeOver(systemRandom, (attempt, checkpoint, previous) =>
    manifestOf(attempt, checkpoint, previous === undefined ? 0 : stepOf(previous), previous?.state),
  );
  const files = new StateFiles(
    blobs,
    topology,
    newRun(fence.attempt, lineageOf(fence), systemRandom),
  );
  const table = new MapTable();
  table.deadThrough = deadThroughOf(stepOf(fence));
  const tables = new StateTables(
    { stages: [{ nodes: [{ id: 'node' }], operator: { tables: [table] } }] } as unknown as Dag,
    {
      before: fence.state ?? noState,
      store: files,
      stateWriter: jobStateThread().stateWriter,
      clock: systemClock,
      tell: () => undefined,
    },
  );
  await tables.begin(await store.all());
  await tables.restore(storedState(fence, noPlan, files, systemRandom).entries, () => true);
  await store.pruneFences(kept);
  for (let n = 1; ; n++) {
    const step = stepOf(fence) + n;
    play(step, table);
    table.deadThrough = deadThroughOf(step);
    const sealed = tables.seal();
    const state = await tables.write(sealed, (what) => what());
    const manifest = {
      ...manifestOf(fence.attempt, fence.checkpoint + n, step, state),
      lineage: lineageOf(fence),
    };
    await store.create(manifest, encodeManifest(manifest));
    tables.stored(manifest);
    tables.tidy();
    await tables.kept(await store.prune(kept));
  }
}

function manifestOf(
  attempt: number,
  checkpoint: number,
  step: number,
  state: Manifest['state'] = noState,
): Manifest {
  return {
    manifestVersion,
    topology,
    version: 1,
    checkpoint,
    attempt,
    createdAtMs: 0,
    stateful: [],
    positions: {},
    operators: { node: { step } },
    state,
    sinks: {},
    retiring: [],
    keyExamples: {},
    counts: {},
  };
}

const [, , dir = '', operation, afterMs] = process.argv;
await run(deadly(Number(operation), Number(afterMs)).blobs(localBlobStore(dir)));

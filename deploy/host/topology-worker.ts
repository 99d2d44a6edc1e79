/**
 * One topology in one thread: binds it to where it runs, and runs the job until told to stop.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { present } from '../../schemas/kernel/assert.ts';
import type { Timer } from '../../schemas/kernel/clock.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import type { Job, JobConnectors, JobOptions, Plan, Topology } from '../../topology/index.ts';
import { beat, createJob } from '../../topology/index.ts';
import { bindTopology } from './bind-topology.ts';
import type { Bindings } from './bindings.ts';
import { notingTables } from './bindings.ts';
import { remoteGraph } from './graph-link.ts';
import { threadedWorkers } from './keyed-ports.ts';
import type { StateFolder } from './state-folder.ts';
import { openStateFolder } from './state-folder.ts';
import type { JobStateThread } from './state-thread.ts';
import { jobStateThread } from './state-thread.ts';
import { importTopology } from './topology-file.ts';
import type { Begin, FromWorker, ThreadInput, ToWorker } from './worker-protocol.ts';
import { dropsOf, faultOf, savepointOf } from './worker-protocol.ts';

const port = present(parentPort, 'the parent of a topology worker');
const input = workerData as ThreadInput;
const say = (message: FromWorker): void => port.postMessage(message);
/** Of a function's time. */
const beatsPerBound = 20;
const graphOfHost = remoteGraph((id, call) => say({ kind: 'graph', id, call }));

/** Shows the host that this thread turns. Gives how to end that. */
function beating(): () => void {
  let timer: Timer | undefined;
  const again = (): void => {
    beat(input.calls);
    timer = systemClock.setTimer(input.functionMaxMs / beatsPerBound, again);
  };
  again();
  return () => timer?.cancel();
}

async function main(): Promise<void> {
  const { topology, plan } = await importTopology(input);
  const { early, keyed } = await begun(plan);
  const bindings = await bindTopology(input, graphOfHost.database);
  const { connectors, tables } = notingTables(bindings.connectors, input.file);
  const { stateFolder } = input;
  const disk = stateFolder === undefined ? undefined : await openStateFolder(stateFolder);
  const state = jobStateThread();
  const job = createJob(jobOptions(topology, bindings, connectors, { disk, state, keyed }));
  const hear = (message: ToWorker): void => obey(message, job, bindings);
  const ends = beating();
  early.forEach(hear);
  port.on('message', hear);
  try {
    await job.open();
    say({ kind: 'ready', plan, tables: Object.fromEntries(tables), notes: job.notes });
    await job.run();
    const status = await job.status();
    if (status.drained) say({ kind: 'drained', status });
  } catch (thrown) {
    // Before what is open is closed: that may take as long as what failed did.
    fail(thrown);
  } finally {
    ends();
    await job.close();
    await state.close();
    disk?.close();
    await bindings.close();
  }
  say({ kind: 'stopped' });
}

function jobOptions(
  topology: Topology,
  { checkpoints: blobs }: Bindings,
  connectors: JobConnectors,
  {
    disk,
    state,
    keyed,
  }: { readonly disk: StateFolder | undefined; readonly state: JobStateThread } & Pick<
    Begin,
    'keyed'
  >,
): JobOptions {
  const workers = keyed.length === 0 ? undefined : threadedWorkers(keyed);
  return {
    topology,
    blobs,
    connectors,
    clock: systemClock,
    random: systemRandom,
    checkpointIntervalMs: input.checkpointIntervalMs,
    dropState: dropsOf(input, topology.plan.name),
    // On a developer's machine every change of a value is found; in production only what several
    // hold is protected, which costs less.
    freezes: input.place.kind === 'local' ? 'all' : 'shared',
    goBack: input.goBack,
    from: input.from,
    savepoint: savepointOf(input, topology.plan.name),
    calls: input.calls,
    stateWriter: state.stateWriter,
    recordStore: disk?.recordStore ?? state.recordStore,
    digestSegments: disk?.digestSegments,
    stateFolder: disk?.stateFolder,
    keyedWorkers: workers && (() => workers),
    ...(input.failure === undefined ? {} : { failure: input.failure }),
    tell: (news) => say({ kind: 'news', news }),
  };
}

function obey(message: ToWorker, job: Job, bindings: Bindings): void {
  switch (message.kind) {
    case 'stop':
      job.stop();
      return;
    case 'drain':
      job.drain().catch(fail);
      return;
    case 'status': {
      const { id } = message;
      // A question may fail; the topology does not end of it.
      job.status().then(
        (status) =>
          say({ kind: 'status', id, status: { job: status, happened: bindings.happened() } }),
        () => say({ kind: 'status', id, status: undefined }),
      );
      return;
    }
    case 'skip': {
      const { id, request } = message;
      job.skip(request).then(
        (done) => say({ kind: 'skipped', id, answer: { done } }),
        (thrown: unknown) => say({ kind: 'skipped', id, answer: { fault: faultOf(thrown) } }),
      );
      return;
    }
    case 'savepoint': {
      const { id, name } = message;
      job.savepoint(name).then(
        (done) => say({ kind: 'saved', id, answer: { done } }),
        (thrown: unknown) => say({ kind: 'saved', id, answer: { fault: faultOf(thrown) } }),
      );
      return;
    }
    case 'graph':
      graphOfHost.settle(message.id, message.reply);
      return;
  }
}

/** What its host said until it may begin, and the threads that run its keyed nodes. */
interface Begun extends Pick<Begin, 'keyed'> {
  readonly early: readonly ToWorker[];
}

/** Says what it is, and waits until it may begin. */
function begun(plan: Plan): Promise<Begun> {
  const early: ToWorker[] = [];
  return new Promise((resolve) => {
    const hear = (message: ToWorker | Begin): void => {
      if (message.kind !== 'begin') {
        early.push(message);
        return;
      }
      port.off('message', hear);
      resolve({ early, keyed: message.keyed });
    };
    port.on('message', hear);
    say({ kind: 'imported', plan });
  });
}

function fail(thrown: unknown): void {
  say({ kind: 'failed', fault: faultOf(thrown) });
}

main().then(
  () => port.close(),
  (thrown: unknown) => {
    fail(thrown);
    port.close();
  },
);

/**
 * One topology in one thread: binds it to where it runs, and runs the job until told to stop.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { present } from '../../schemas/kernel/assert.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import { checkJob, createJob } from '../../topology/index.ts';
import type { Bindings } from './bindings.ts';
import { remoteGraph } from './graph-link.ts';
import { importTopology } from './topology-file.ts';
import type { FromWorker, ToWorker, WorkerFault, WorkerInput } from './worker-protocol.ts';

const port = present(parentPort, 'the parent of a topology worker');
const input = workerData as WorkerInput;
const say = (message: FromWorker): void => port.postMessage(message);
const graphOfHost = remoteGraph((id, call) => say({ kind: 'graph', id, call }));

/** Loaded when it is needed: each brings the libraries of its own place. */
async function bind(): Promise<Bindings> {
  const { place, file } = input;
  if (place.kind === 'services') {
    const { serviceBindings } = await import('../services/service-bindings.ts');
    return serviceBindings(place, file);
  }
  const { localBindings } = await import('../local/local-bindings.ts');
  return localBindings(place, file, graphOfHost.database);
}

async function main(): Promise<void> {
  const { topology, graph } = await importTopology(input);
  const bindings = await bind();
  const options = {
    topology,
    blobs: bindings.checkpoints,
    connectors: bindings.connectors,
    clock: systemClock,
    random: systemRandom,
    checkpointIntervalMs: input.checkpointIntervalMs,
    dropState: input.dropState,
  };
  if (input.task === 'check') {
    await checkJob(options);
    await bindings.close();
    say({ kind: 'ready', graph });
    say({ kind: 'stopped' });
    return;
  }
  const job = createJob(options);
  port.on('message', (message: ToWorker) => {
    switch (message.kind) {
      case 'stop':
        job.stop();
        return;
      case 'drain':
        job.drain().catch(fail);
        return;
      case 'status':
        job
          .status()
          .then((status) => say({ kind: 'status', id: message.id, status: { job: status, happened: bindings.happened() } }), fail);
        return;
      case 'graph':
        graphOfHost.settle(message.id, message.reply);
        return;
    }
  });
  await job.open();
  say({ kind: 'ready', graph });
  try {
    await job.run();
    const status = await job.status();
    if (status.drained) say({ kind: 'drained', status });
  } finally {
    await job.close();
    await bindings.close();
  }
  say({ kind: 'stopped' });
}

function fail(thrown: unknown): void {
  const fault: WorkerFault =
    thrown instanceof SluiceError
      ? { code: thrown.code, message: thrown.message, fix: thrown.fix }
      : { code: 'defect', message: messageOf(thrown), stack: thrown instanceof Error ? thrown.stack : undefined };
  say({ kind: 'failed', fault });
}

main().then(
  () => port.close(),
  (thrown: unknown) => {
    fail(thrown);
    port.close();
  },
);

/**
 * One topology in one thread: binds the embedded streams and the lake to the engine's ports and runs the job until told to stop.
 */
import { dirname, join, resolve } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { localBlobStore } from '../../enrich/checkpoint-store/local-blob-store.ts';
import { graphSink } from '../../enrich/graph/graph-sink.ts';
import { readFileTable } from '../../enrich/lookup/file-table.ts';
import { httpLookup } from '../../enrich/lookup/http-lookup.ts';
import { tableSink } from '../../enrich/parquet/table-sink.ts';
import { rejectedSink } from '../../enrich/rejected/rejected-sink.ts';
import { present } from '../../schemas/kernel/assert.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { JobConnectors } from '../../topology/index.ts';
import { checkJob, createJob } from '../../topology/index.ts';
import { embeddedReader } from './embedded-log.ts';
import { remoteGraph } from './graph-link.ts';
import { claimsDir, graphStagingDir, lakeDir } from './layout.ts';
import { importTopology } from './topology-file.ts';
import type { FromWorker, ToWorker, WorkerFault, WorkerInput } from './worker-protocol.ts';

const port = present(parentPort, 'the parent of a topology worker');
const input = workerData as WorkerInput;
const say = (message: FromWorker): void => port.postMessage(message);
const graphOfHost = remoteGraph((id, call) => say({ kind: 'graph', id, call }));

function connectors(): JobConnectors {
  const lake = lakeDir(input.dir);
  return {
    readers: async (stream) => {
      const handles = input.streams[stream];
      if (handles !== undefined) return handles.map(embeddedReader);
      const known = Object.keys(input.streams).join(', ');
      throw new SluiceError('stream-missing', `${input.file}: the configuration has no stream '${stream}'; there are ${known}`);
    },
    claims: localBlobStore(claimsDir(input.dir)),
    sink: (node, graph, attempt) => {
      if (node.sink.kind === 'graph') {
        return graphSink({
          database: graphOfHost.database,
          model: node.sink.model,
          dir: graphStagingDir(input.dir, graph.name, node.id),
          sink: `${graph.name}/${node.id}`,
          attempt,
        });
      }
      if (node.sink.kind !== 'table') throw new SluiceError('sink-unknown', `'${node.id}' is neither a table nor a graph`);
      return tableSink({
        dir: lake,
        table: node.sink.table,
        schema: node.sink.schema,
        partitionBy: node.sink.partitionBy,
        owner: graph.owner,
        topology: graph.name,
        attempt,
        fileMaxBytes: limits.parquetFileMaxBytes,
        fileMaxAgeMs: input.parquetFileMaxAgeMs,
        clock: systemClock,
      });
    },
    table: (lookup) => Promise.resolve(readFileTable(resolve(dirname(input.file), lookup.file))),
    lookup: (name) => {
      const found = Object.hasOwn(input.lookups, name) ? input.lookups[name] : undefined;
      if (found !== undefined) return httpLookup(name, found);
      const known = Object.keys(input.lookups).join(', ') || 'none';
      throw new SluiceError('connector-missing', `${input.file}: the configuration has no look-up '${name}'; there are: ${known}`, {
        fix: `add lookups: { ${name}: { url: ... } } to the configuration`,
      });
    },
    rejected: (graph, attempt) => rejectedSink({ dir: lake, topology: graph.name, attempt, clock: systemClock }),
  };
}

async function main(): Promise<void> {
  const { topology, graph } = await importTopology(input);
  const options = {
    topology,
    blobs: localBlobStore(join(input.dir)),
    connectors: connectors(),
    clock: systemClock,
    random: systemRandom,
    checkpointIntervalMs: input.checkpointIntervalMs,
    dropState: input.dropState,
  };
  if (input.task === 'check') {
    await checkJob(options);
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
        job.status().then((status) => say({ kind: 'status', id: message.id, status }), fail);
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

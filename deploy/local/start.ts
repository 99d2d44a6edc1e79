/**
 * `sluice start`: one process that captures, enriches and lands events, with nothing else needed.
 * The embedded log stands for Kinesis and Kafka, local disk for S3, an embedded graph for Neo4j.
 *
 * Order of starting: lock, streams, ingress, metrics, control, topologies; of stopping: ingress
 * (drained), topologies (last checkpoint), graph, streams, metrics, control, lock: commands are
 * answered to the end.
 */
import { resolve } from 'node:path';
import type { Ingress } from '../../ingest/ingress.ts';
import type { Log } from '../../ingest/telemetry/log.ts';
import type { MetricsText } from '../../ingest/telemetry/metrics.ts';
import type { SluiceConfig } from '../../schemas/config.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { StartFrom } from '../../topology/index.ts';
import {
  drainAnswer,
  graphAnswer,
  jsonAnswer,
  savepointAnswer,
  skipAnswer,
} from '../host/commands.ts';
import { reloadOnChange } from '../host/config-watch.ts';
import { serveControl } from '../host/control-server.ts';
import type { TopologyHost } from '../host/hosted-topology.ts';
import type { Instance } from '../host/instance.ts';
import { instanceNow, lockInstance, unknownInstance } from '../host/instance.ts';
import { buildDir, spoolDir, stateDir } from '../host/layout.ts';
import { metricsPorts, serveMetrics } from '../host/metrics-server.ts';
import { openIngress } from '../host/open-ingress.ts';
import { refuseOpenToAll } from '../host/open-to-all.ts';
import type { PlainServer } from '../host/plain-server.ts';
import { disksOf } from '../host/process-metrics.ts';
import { unusedSavepoints } from '../host/start-place.ts';
import type { InstanceStatus } from '../host/status.ts';
import { StopSteps } from '../host/stop-steps.ts';
import { topologyHost } from '../host/topology-host.ts';
import { joinMetrics, topologyMetrics } from '../host/topology-metrics.ts';
import { TopologyNames } from '../host/topology-names.ts';
import { localBlobStore } from '../stores/local/local-blob-store.ts';
import type { LocalData } from './local-data.ts';
import { keepClaimsSwept, openLocalData } from './local-data.ts';
import { settleOrphans } from './settle-orphans.ts';

export interface StartOptions {
  readonly config: SluiceConfig;
  readonly dir: string;
  readonly clock: Clock;
  readonly random: Random;
  /** What `--drop-state` names; an empty list is refused with what there is. */
  readonly dropState?: readonly string[];
  /** Where splits begin that cannot resume from a checkpoint. */
  readonly from?: StartFrom | undefined;
  /** What topologies go back to: a name, or `<topology>/<name>`. */
  readonly savepoint?: string | undefined;
  readonly tell: (line: string) => void;
  readonly log: Log;
  /**
   * Where the configuration can be read again while it runs. Throws `SluiceError` when it is not
   * valid.
   */
  readonly readConfig?: () => SluiceConfig;
  /** The file of `--key-file`: a change of it is a change of the configuration. */
  readonly keyFile?: string | undefined;
}

export interface RunningLocal {
  readonly instance: Instance;
  /** Resolves when every topology runs or its first try has failed. */
  readonly topologiesStarted: Promise<void>;
  status(): Promise<InstanceStatus>;
  stop(): Promise<void>;
}

/**
 * Throws `SluiceError` `open-to-all`, `drop-state-unknown`, `savepoint-unknown`, `already-running`,
 * `folder-in-use`, `port-taken`, `stream-corrupt`. When it resolves, events are accepted.
 */
export async function startLocal(options: StartOptions): Promise<RunningLocal> {
  await refuseOpenToAll(options.config);
  const dir = resolve(options.dir);
  const lock = await lockInstance(dir);
  const stops = new StopSteps();
  stops.add('lock', async () => lock.release());
  try {
    const data = await openLocalData(options, dir, stops);
    const captured = await openCapture(options, dir, data, stops);
    const { ingress, metrics, hosts } = captured;
    const instance = instanceNow(ingress.url, metrics.url, options.clock);
    captured.instance = instance;
    lock.publish(instance);
    hosts.push(...topologyHosts(options, dir, data));
    stops.add('topologies', async () => void (await Promise.all(hosts.map((host) => host.stop()))));
    const status = (): Promise<InstanceStatus> => statusOf(captured);
    const topologiesStarted = Promise.all(hosts.map((host) => host.start())).then(() =>
      settleRest(options, dir, data, status),
    );
    return {
      instance,
      topologiesStarted,
      status,
      async stop() {
        await topologiesStarted;
        await stops.stop();
      },
    };
  } catch (thrown) {
    await stops.undo();
    throw thrown;
  }
}

/** The ingress with what is asked of the instance: metrics, status, commands. */
interface Capture {
  readonly ingress: Ingress;
  readonly metrics: PlainServer;
  /** Of the topologies, once they are begun. */
  readonly hosts: TopologyHost[];
  instance: Instance;
}

async function openCapture(
  options: StartOptions,
  dir: string,
  { streams, graph, claims }: LocalData,
  stops: StopSteps,
): Promise<Capture> {
  const { config, clock, random, log, readConfig } = options;
  const hosts: TopologyHost[] = [];
  const ingress = await openIngress({
    config,
    writers: { kinesis: streams.writer('kinesis'), kafka: streams.writer('kafka') },
    spoolDir: spoolDir(dir),
    blobs: claims,
    clock,
    random,
    log,
  });
  stops.add('ingress', () => ingress.shutDown());
  const read = async (): Promise<MetricsText> => {
    const topologies = Promise.all(hosts.map((host) => host.status()));
    const own = await ingress.metrics();
    return joinMetrics(own, await topologyMetrics(await topologies, clock.now()));
  };
  const defaultPort = metricsPorts.start;
  const metrics = await serveMetrics({
    config: config.metrics,
    defaultPort,
    read,
    disks: disksOf(dir, config.local.state),
  });
  stops.add('metrics', () => metrics.close());
  const captured: Capture = { ingress, metrics, hosts, instance: unknownInstance };
  const control = await serveControl(dir, {
    reads: { '/_sluice/status': async () => jsonAnswer(200, await statusOf(captured)) },
    commands: {
      '/_sluice/drain': async (body) => drainAnswer(hosts, body),
      '/_sluice/skip': async (body) => skipAnswer(hosts, body),
      '/_sluice/savepoint': async (body) => savepointAnswer(hosts, body, clock),
      '/_sluice/graph': async (body, gone) => graphAnswer(graph, body, gone),
    },
  });
  stops.add('control', () => control.close());
  stops.add('changes', keepClaimsSwept(claims, config.local.retentionMaxMs, clock));
  if (readConfig !== undefined)
    stops.add('changes', reloadOnChange(config, readConfig, ingress, options));
  return captured;
}

async function statusOf({ instance, ingress, hosts }: Capture): Promise<InstanceStatus> {
  return {
    instance,
    ingress: ingress.counts(),
    configuration: ingress.reloads(),
    paths: ingress.routes(),
    topologies: await Promise.all(hosts.map((host) => host.status())),
  };
}

function topologyHosts(
  { config, clock, random, tell, from }: StartOptions,
  dir: string,
  { bound, streams, graph, dropState, savepoints }: LocalData,
): readonly TopologyHost[] {
  const { local, lookups } = config;
  const { parquetFileMaxAgeMs, checkpointIntervalMs, functionMaxMs, parallelism, state } = local;
  const handles = Object.fromEntries(bound.map(({ name }) => [name, streams.handles(name)]));
  const names = new TopologyNames();
  return config.topologies.map((file) =>
    topologyHost({
      file,
      buildDir: buildDir(dir),
      input: {
        place: { kind: 'local', dir, streams: handles, lookups, parquetFileMaxAgeMs },
        checkpointIntervalMs,
        functionMaxMs,
        stateFolder: state.backend === 'disk' ? (state.folder ?? stateDir(dir)) : undefined,
        parallelism,
        dropState,
        savepoints,
        from,
      },
      graph,
      names,
      clock,
      random,
      tell,
    }),
  );
}

/** Of topologies that are no longer configured, what they staged becomes visible. */
async function settleRest(
  { clock, tell }: StartOptions,
  dir: string,
  { graph, savepoints }: LocalData,
  status: () => Promise<InstanceStatus>,
): Promise<void> {
  const names = (await status()).topologies.map(({ name }) => name);
  for (const line of unusedSavepoints(savepoints, names)) tell(line);
  await settleOrphans({ dir, blobs: localBlobStore(dir), graph, names, clock, tell });
}

/**
 * The enrich service: runs the topologies of the configuration on Kinesis and Kafka, into S3 and
 * what its sinks write to. One topology is run by one process at a time: a later one takes over,
 * and the earlier one ends by itself.
 *
 * Order of starting: lock, health, metrics, checks, control, topologies; of stopping: readiness,
 * topologies (last checkpoint), health, metrics, control, lock.
 */
// Before the ingress: its binary reads a bound when it is loaded.
import '../host/http-server.ts';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { PlainAnswer } from '../../ingest/http/plain-answer.ts';
import type { SluiceConfig } from '../../schemas/config.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { DropState, Savepoints, StartFrom } from '../../topology/index.ts';
import { resolveDropState, resolveSavepoint } from '../../topology/index.ts';
import { requireBuilt } from '../host/built-topology.ts';
import { drainAnswer, jsonAnswer, savepointAnswer, skipAnswer } from '../host/commands.ts';
import type { ControlRoutes } from '../host/control-server.ts';
import { serveControl } from '../host/control-server.ts';
import type { TopologyHost } from '../host/hosted-topology.ts';
import type { Instance } from '../host/instance.ts';
import { instanceNow, lockInstance, unknownInstance } from '../host/instance.ts';
import { buildDir } from '../host/layout.ts';
import { metricsPorts, serveMetrics } from '../host/metrics-server.ts';
import type { PlainServer } from '../host/plain-server.ts';
import { servePlain, textAnswer } from '../host/plain-server.ts';
import { disksOf } from '../host/process-metrics.ts';
import { unusedSavepoints } from '../host/start-place.ts';
import type { InstanceStatus } from '../host/status.ts';
import { StopSteps } from '../host/stop-steps.ts';
import { topologyHost } from '../host/topology-host.ts';
import { topologyMetrics } from '../host/topology-metrics.ts';
import { TopologyNames } from '../host/topology-names.ts';
import { topologiesNotReady } from '../host/topology-readiness.ts';
import { s3BlobStore } from '../stores/s3/s3-blob-store.ts';
import { s3Place } from '../stores/s3/s3-place.ts';
import { enrichChecks } from './enrich-checks.ts';
import { runStartupChecks } from './startup-checks.ts';

export interface EnrichOptions {
  readonly config: SluiceConfig;
  /** Compiled topologies, and who runs here. */
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
}

export interface RunningEnrich {
  readonly instance: Instance;
  /**
   * Resolves when other processes have taken over every topology, so that there is nothing left to
   * do here.
   */
  readonly fenced: Promise<void>;
  stop(): Promise<void>;
}

const fencePollMs = 500;

/**
 * Throws `SluiceError` `already-running`, `topology-unbuilt`, `topology-altered`, `port-taken`,
 * `config-incomplete`, `startup-checks-failed`. When it resolves, the topologies are starting.
 */
export async function startEnrich(options: EnrichOptions): Promise<RunningEnrich> {
  const { config, clock, random, tell } = options;
  const dir = resolve(options.dir);
  const lock = await lockInstance(dir);
  const stops = new StopSteps();
  stops.add('lock', async () => lock.release());
  try {
    requireBuilt(config.topologies);
    rmSync(buildDir(dir), { recursive: true, force: true });
    const topologies = new ServedTopologies();
    const server = await serveHealth(config.enrich, () => topologies.notReady());
    stops.add('health', () => server.close());
    const metrics = await serveMetrics({
      config: config.metrics,
      defaultPort: metricsPorts.enrich,
      read: async () => topologyMetrics(await topologies.statuses(), clock.now()),
      disks: disksOf(dir, config.enrich.state),
    });
    stops.add('metrics', () => metrics.close());
    await runStartupChecks(enrichChecks(config, { clock, random }), tell);
    const begin = await beginOf(options);
    let instance = unknownInstance;
    const control = await serveControl(
      dir,
      controlOf(topologies, () => instance, clock),
    );
    stops.add('control', () => control.close());
    topologies.hosts.push(...topologyHosts(options, dir, begin));
    instance = instanceNow(server.url, metrics.url, clock);
    lock.publish(instance);
    topologies.start();
    void topologies.started().then((statuses) => {
      const names = statuses.map(({ name }) => name);
      for (const line of unusedSavepoints(begin.savepoints, names)) tell(line);
    });
    stops.add('topologies', () => topologies.stop());
    return { instance, fenced: topologies.fenced(clock), stop: () => stops.stop() };
  } catch (thrown) {
    await stops.undo();
    throw thrown;
  }
}

/** The topologies of a service, from before they are begun until they have ended. */
class ServedTopologies {
  readonly hosts: TopologyHost[] = [];
  #started: Promise<unknown> = Promise.resolve();
  #isStopping = false;

  statuses(): Promise<InstanceStatus['topologies']> {
    return Promise.all(this.hosts.map((host) => host.status()));
  }

  async notReady(): Promise<string | undefined> {
    if (this.#isStopping) return 'stopping';
    if (this.hosts.length === 0) return 'starting';
    return topologiesNotReady(await this.statuses());
  }

  start(): void {
    this.#started = Promise.all(this.hosts.map((host) => host.start()));
  }

  /** Once each runs, or its first try has failed. */
  async started(): Promise<InstanceStatus['topologies']> {
    await this.#started;
    return this.statuses();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#started;
    await Promise.all(this.hosts.map((host) => host.stop()));
  }

  /** Resolves when other processes have taken over all that were not drained. */
  async fenced(clock: Clock): Promise<void> {
    while (!this.#isStopping) {
      const states = (await this.statuses()).map(({ state }) => state);
      if (
        states.includes('taken-over') &&
        states.every((state) => state === 'taken-over' || state === 'drained')
      )
        return;
      await sleep(clock, fencePollMs);
    }
  }
}

/** What the commands on this machine ask and order. */
function controlOf(
  topologies: ServedTopologies,
  instance: () => Instance,
  clock: Clock,
): ControlRoutes {
  return {
    reads: {
      '/_sluice/status': async () => jsonAnswer(200, await statusOf(topologies, instance())),
    },
    commands: {
      '/_sluice/drain': async (body) => drainAnswer(topologies.hosts, body),
      '/_sluice/skip': async (body) => skipAnswer(topologies.hosts, body),
      '/_sluice/savepoint': async (body) => savepointAnswer(topologies.hosts, body, clock),
    },
  };
}

async function statusOf(topologies: ServedTopologies, instance: Instance): Promise<InstanceStatus> {
  return {
    instance,
    ingress: null,
    configuration: null,
    paths: [],
    topologies: await topologies.statuses(),
  };
}

function topologyHosts(
  { config, clock, random, tell, from }: EnrichOptions,
  dir: string,
  begin: Begin,
): readonly TopologyHost[] {
  const { streams, kinesis, kafka, s3, sinks, enrich, lookups } = config;
  const { checkpointIntervalMs, functionMaxMs, parallelism, state } = enrich;
  const names = new TopologyNames();
  return config.topologies.map((file) =>
    topologyHost({
      file,
      buildDir: buildDir(dir),
      built: true,
      input: {
        place: {
          kind: 'services',
          config: { streams, kinesis, kafka, s3, sinks, enrich, lookups },
        },
        checkpointIntervalMs,
        functionMaxMs,
        stateFolder: state.backend === 'disk' ? state.folder : undefined,
        parallelism,
        ...begin,
        from,
      },
      names,
      clock,
      random,
      tell,
    }),
  );
}

/** What topologies go back to, and what of their state is dropped. */
interface Begin {
  readonly dropState: DropState;
  readonly savepoints: Savepoints;
}

async function beginOf(options: EnrichOptions): Promise<Begin> {
  const { config, clock, random, dropState, savepoint } = options;
  if (dropState === undefined && savepoint === undefined) return { dropState: {}, savepoints: {} };
  const blobs = s3BlobStore({ ...s3Place(config.s3, ''), clock, random });
  try {
    const savepoints = savepoint === undefined ? {} : await resolveSavepoint(blobs, savepoint);
    return {
      savepoints,
      dropState:
        dropState === undefined ? {} : await resolveDropState(blobs, dropState, savepoints),
    };
  } finally {
    blobs.close();
  }
}

/** Whether it lives and is ready: it names no topology, as whoever reaches the port may ask. */
function serveHealth(
  { host, port }: SluiceConfig['enrich'],
  notReady: () => Promise<string | undefined>,
): Promise<PlainServer> {
  return servePlain({
    host,
    port,
    section: 'enrich',
    routes: healthRoutes(notReady),
  });
}

/** `GET` of each path. `notReady` says why it is not ready; undefined: it is. */
export function healthRoutes(
  notReady: () => Promise<string | undefined>,
): Readonly<Record<'/healthz' | '/readyz', () => Promise<PlainAnswer>>> {
  return {
    '/healthz': async () => textAnswer(200, 'ok'),
    '/readyz': async () => {
      const why = await notReady();
      return why === undefined ? textAnswer(200, 'ready') : textAnswer(503, why);
    },
  };
}

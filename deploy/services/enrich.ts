/**
 * The enrich service: the topologies of the configuration on Kinesis and Kafka, into S3, Firehose
 * and Neo4j. One topology is run by one process at a time: a later one takes over, and the earlier
 * one ends by itself.
 *
 * Order of starting: lock, health, metrics, checks, control, topologies; of stopping: readiness,
 * topologies (last checkpoint), health, metrics, control, lock.
 */
// Before the ingress: its binary reads a bound when it is loaded.
import '../host/http-server.ts';
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { MetricsText } from '../../ingest/telemetry/metrics.ts';
import type { SluiceConfig } from '../../schemas/config.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { DropState, StartFrom } from '../../topology/index.ts';
import { resolveDropState } from '../../topology/index.ts';
import { requireBuilt } from '../host/built-topology.ts';
import { drainAnswer, jsonAnswer, skipAnswer } from '../host/commands.ts';
import { serveControl } from '../host/control-server.ts';
import type { TopologyHost } from '../host/hosted-topology.ts';
import type { Instance } from '../host/instance.ts';
import { lockInstance, unknownInstance } from '../host/instance.ts';
import { buildDir } from '../host/layout.ts';
import { metricsPorts, serveMetrics } from '../host/metrics-server.ts';
import type { PlainServer } from '../host/plain-server.ts';
import { servePlain, textAnswer } from '../host/plain-server.ts';
import type { InstanceStatus } from '../host/status.ts';
import { topologyHost } from '../host/topology-host.ts';
import { topologyMetrics } from '../host/topology-metrics.ts';
import { TopologyNames } from '../host/topology-names.ts';
import { topologiesNotReady } from '../host/topology-readiness.ts';
import { s3BlobStore } from '../stores/s3/s3-blob-store.ts';
import { s3Place } from './connections.ts';
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
  /** Where splits begin that cannot go on from a checkpoint. */
  readonly from?: StartFrom | undefined;
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
  const undo: (() => Promise<void>)[] = [() => lock.release()];
  try {
    requireBuilt(config.topologies);
    rmSync(buildDir(dir), { recursive: true, force: true });
    const { streams, kinesis, kafka, s3, firehose, neo4j, enrich, lookups } = config;
    let stopping = false;
    const hosts: TopologyHost[] = [];
    const statuses = (): Promise<InstanceStatus['topologies']> =>
      Promise.all(hosts.map((host) => host.status()));
    let instance = unknownInstance;
    const notReady = async (): Promise<string | undefined> => {
      if (stopping) return 'stopping';
      if (hosts.length === 0) return 'starting';
      return topologiesNotReady(await statuses());
    };
    const server = await serveHealth(enrich, notReady);
    undo.unshift(() => server.close());
    const read = async (): Promise<MetricsText> => topologyMetrics(await statuses(), clock.now());
    const metrics = await serveMetrics({
      config: config.metrics,
      defaultPort: metricsPorts.enrich,
      read,
    });
    undo.splice(-1, 0, () => metrics.close());
    await runStartupChecks(enrichChecks(config, { clock, random }), tell);
    const dropState =
      options.dropState === undefined ? {} : await dropStateIn(options, options.dropState);
    const status = async (): Promise<InstanceStatus> => ({
      instance,
      ingress: null,
      configuration: null,
      paths: [],
      topologies: await statuses(),
    });
    const control = await serveControl(dir, {
      reads: { '/_sluice/status': async () => jsonAnswer(200, await status()) },
      commands: {
        '/_sluice/drain': async (body) => drainAnswer(hosts, body),
        '/_sluice/skip': async (body) => skipAnswer(hosts, body),
      },
    });
    undo.splice(-1, 0, () => control.close());
    const names = new TopologyNames();
    for (const file of config.topologies) {
      hosts.push(
        topologyHost({
          file,
          buildDir: buildDir(dir),
          built: true,
          input: {
            place: {
              kind: 'services',
              config: { streams, kinesis, kafka, s3, firehose, neo4j, enrich, lookups },
            },
            checkpointIntervalMs: enrich.checkpointIntervalMs,
            functionMaxMs: enrich.functionMaxMs,
            dropState,
            from: options.from,
          },
          names,
          clock,
          random,
          tell,
        }),
      );
    }
    instance = {
      pid: process.pid,
      url: server.url,
      metrics: metrics.url,
      startedAt: new Date(clock.now()).toISOString(),
    };
    lock.publish(instance);
    const started = Promise.all(hosts.map((host) => host.start()));
    undo.unshift(async () => {
      stopping = true;
      await started;
      await Promise.all(hosts.map((host) => host.stop()));
    });
    const fenced = async (): Promise<void> => {
      while (!stopping) {
        const states = (await statuses()).map(({ state }) => state);
        if (
          states.includes('taken-over') &&
          states.every((state) => state === 'taken-over' || state === 'drained')
        )
          return;
        await sleep(clock, fencePollMs);
      }
    };
    return {
      instance,
      fenced: fenced(),
      async stop() {
        for (const step of undo) await step();
      },
    };
  } catch (thrown) {
    for (const step of undo) await step().catch(() => undefined);
    throw thrown;
  }
}

async function dropStateIn(
  { config, clock, random }: EnrichOptions,
  names: readonly string[],
): Promise<DropState> {
  const blobs = s3BlobStore({ ...s3Place(config.s3, ''), clock, random });
  try {
    return await resolveDropState(blobs, names);
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
    routes: {
      '/healthz': async () => textAnswer(200, 'ok'),
      '/readyz': async () => {
        const why = await notReady();
        return why === undefined ? textAnswer(200, 'ready') : textAnswer(503, why);
      },
    },
  });
}

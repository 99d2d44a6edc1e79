/**
 * `sluice start`: one process that captures, enriches and lands events, with nothing else needed.
 * The embedded log stands for Kinesis and Kafka, local disk for S3, an embedded graph for Neo4j.
 *
 * Order of starting: lock, streams, ingress, metrics, control, topologies; of stopping: ingress
 * (drained), topologies (last checkpoint), graph, streams, metrics, control, lock: commands are
 * answered to the end.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { sweepClaims } from '../../ingest/delivery/claim-check.ts';
import type { Log } from '../../ingest/telemetry/log.ts';
import type { MetricsText } from '../../ingest/telemetry/metrics.ts';
import type { SluiceConfig } from '../../schemas/config.ts';
import { ledgerStream } from '../../schemas/config.ts';
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { lockFolder } from '../../schemas/kernel/folder-lock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { StartFrom } from '../../topology/index.ts';
import { resolveDropState } from '../../topology/index.ts';
import { drainAnswer, graphAnswer, jsonAnswer, skipAnswer } from '../host/commands.ts';
import { reloadOnChange } from '../host/config-watch.ts';
import { serveControl } from '../host/control-server.ts';
import type { Instance } from '../host/instance.ts';
import { lockInstance, unknownInstance } from '../host/instance.ts';
import {
  buildDir,
  checkpointsDir,
  claimsDir,
  graphCopiesDir,
  graphFile,
  graphStagingDir,
  lakeDir,
  logDir,
  spoolDir,
} from '../host/layout.ts';
import { metricsPorts, serveMetrics } from '../host/metrics-server.ts';
import { openIngress } from '../host/open-ingress.ts';
import { refuseOpenToAll } from '../host/open-to-all.ts';
import type { InstanceStatus } from '../host/status.ts';
import type { TopologyHost } from '../host/topology-host.ts';
import { topologyHost } from '../host/topology-host.ts';
import { joinMetrics, topologyMetrics } from '../host/topology-metrics.ts';
import { TopologyNames } from '../host/topology-names.ts';
import { localBlobStore } from '../stores/local/local-blob-store.ts';
import { openEmbeddedStreams } from '../streams/embedded/embedded-log.ts';
import { graphOwner } from './graph-owner.ts';
import { settleOrphans } from './settle-orphans.ts';

export interface StartOptions {
  readonly config: SluiceConfig;
  readonly dir: string;
  readonly clock: Clock;
  readonly random: Random;
  /** What `--drop-state` names; an empty list is refused with what there is. */
  readonly dropState?: readonly string[];
  /** Where splits begin that cannot go on from a checkpoint. */
  readonly from?: StartFrom | undefined;
  readonly tell: (line: string) => void;
  readonly log: Log;
  /**
   * Where the configuration can be read again while it runs. Throws `SluiceError` when it is not
   * valid.
   */
  readonly readConfig?: () => SluiceConfig;
}

export interface RunningLocal {
  readonly instance: Instance;
  /** Resolves when every topology runs or its first try has failed. */
  readonly topologiesStarted: Promise<void>;
  status(): Promise<InstanceStatus>;
  stop(): Promise<void>;
}

/**
 * Throws `SluiceError` `open-to-all`, `drop-state-unknown`, `already-running`, `folder-in-use`,
 * `port-taken`, `stream-corrupt`. When it resolves, events are accepted.
 */
export async function startLocal(options: StartOptions): Promise<RunningLocal> {
  const { config, clock, random, tell, log } = options;
  await refuseOpenToAll(config);
  const dir = resolve(options.dir);
  const lock = await lockInstance(dir);
  const undo: (() => Promise<void>)[] = [() => lock.release()];
  try {
    // Scripts of earlier runs: each is named by its content, so they would only pile up.
    rmSync(buildDir(dir), { recursive: true, force: true });
    for (const folder of [lakeDir(dir), checkpointsDir(dir), claimsDir(dir), graphStagingDir(dir)])
      undo.unshift(await own(folder));
    const dropState =
      options.dropState === undefined
        ? {}
        : await resolveDropState(localBlobStore(dir), options.dropState);
    const bound = [...config.streams, ledgerStream];
    const streams = await openEmbeddedStreams({
      root: logDir(dir),
      streams: bound,
      local: config.local,
      clock,
    });
    undo.unshift(() => streams.close());
    const graph = graphOwner({ path: graphFile(dir), copies: graphCopiesDir(dir), clock });
    undo.unshift(() => graph.close());

    const claims = localBlobStore(claimsDir(dir));
    let instance: Instance | undefined;
    const hosts: TopologyHost[] = [];
    const status = async (): Promise<InstanceStatus> => ({
      instance: instance ?? unknownInstance,
      ingress: ingress.counts(),
      configuration: ingress.reloads(),
      paths: ingress.paths(),
      topologies: await Promise.all(hosts.map((host) => host.status())),
    });
    const ingress = await openIngress({
      config,
      writers: { kinesis: streams.writer('kinesis'), kafka: streams.writer('kafka') },
      spoolDir: spoolDir(dir),
      blobs: claims,
      clock,
      random,
      log,
    });
    const drain = (): Promise<void> => ingress.drain();
    undo.unshift(drain);
    const read = async (): Promise<MetricsText> => {
      const topologies = Promise.all(hosts.map((host) => host.status()));
      return joinMetrics(
        await ingress.metrics(),
        await topologyMetrics(await topologies, clock.now()),
      );
    };
    const metrics = await serveMetrics({
      config: config.metrics,
      defaultPort: metricsPorts.start,
      read,
    });
    undo.splice(-1, 0, () => metrics.close());
    const control = await serveControl(dir, {
      reads: { '/_sluice/status': async () => jsonAnswer(200, await status()) },
      commands: {
        '/_sluice/drain': async (body) => drainAnswer(hosts, body),
        '/_sluice/skip': async (body) => skipAnswer(hosts, body),
        '/_sluice/graph': async (body, gone) => graphAnswer(graph, body, gone),
      },
    });
    undo.splice(-1, 0, () => control.close());
    undo.unshift(keepClaimsSwept(claims, config.local.retentionMaxMs, clock));
    if (options.readConfig !== undefined)
      undo.unshift(reloadOnChange(config, options.readConfig, ingress, options));
    instance = {
      pid: process.pid,
      url: ingress.url,
      metrics: metrics.url,
      startedAt: new Date(clock.now()).toISOString(),
    };
    lock.publish(instance);

    const handles = Object.fromEntries(
      bound.map((stream) => [stream.name, streams.handles(stream.name)]),
    );
    const names = new TopologyNames();
    for (const file of config.topologies) {
      hosts.push(
        topologyHost({
          file,
          buildDir: buildDir(dir),
          input: {
            place: {
              kind: 'local',
              dir,
              streams: handles,
              lookups: config.lookups,
              parquetFileMaxAgeMs: config.local.parquetFileMaxAgeMs,
            },
            checkpointIntervalMs: config.local.checkpointIntervalMs,
            functionMaxMs: config.local.functionMaxMs,
            dropState,
            from: options.from,
          },
          graph,
          names,
          clock,
          random,
          tell,
        }),
      );
    }
    undo.splice(
      undo.indexOf(drain) + 1,
      0,
      async () => void (await Promise.all(hosts.map((host) => host.stop()))),
    );
    const settleRest = async (): Promise<void> => {
      const names = (await status()).topologies.map(({ name }) => name);
      await settleOrphans({ dir, blobs: localBlobStore(dir), graph, names, clock, tell });
    };
    const topologiesStarted = Promise.all(hosts.map((host) => host.start())).then(settleRest);
    return {
      instance,
      topologiesStarted,
      status,
      async stop() {
        await topologiesStarted;
        for (const step of undo) await step();
      },
    };
  } catch (thrown) {
    for (const step of undo) await step().catch(() => undefined);
    throw thrown;
  }
}

/**
 * Keeps a folder to this process wherever a link leads: one instance's folder may be another's,
 * too. Streams, spools and the graph do so themselves.
 */
async function own(folder: string): Promise<() => Promise<void>> {
  mkdirSync(folder, { recursive: true });
  const lock = await lockFolder(folder);
  return async () => lock.release();
}

const sweepEveryMs = 3_600_000;

/** Lets go of claims when the records that point to them are gone, now and every hour. */
function keepClaimsSwept(
  claims: BlobStore,
  retentionMs: number,
  clock: Clock,
): () => Promise<void> {
  let timer: Timer;
  let sweeping: Promise<unknown> = Promise.resolve();
  const sweep = (): void => {
    // What cannot be deleted now is met again.
    sweeping = sweepClaims(claims, clock.now(), retentionMs).catch(() => undefined);
    timer = clock.setTimer(sweepEveryMs, sweep);
  };
  sweep();
  return async () => {
    timer.cancel();
    await sweeping;
  };
}

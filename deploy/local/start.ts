/**
 * `sluice start`: one process that captures, enriches and lands events, with nothing else needed. The embedded log stands for Kinesis and
 * Kafka, local disk for S3, an embedded graph for Neo4j.
 *
 * Order of starting: lock, streams, ingress, topologies; of stopping: ingress (drained), topologies (last checkpoint), graph, streams, lock.
 */
import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { createIngress } from '../../ingest/ingress.ts';
import type { IngressCounts } from '../../ingest/telemetry/metrics.ts';
import type { SluiceConfig } from '../../schemas/config.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { drainAnswer, graphAnswer, jsonAnswer } from './commands.ts';
import { openEmbeddedStreams } from './embedded-log.ts';
import { graphOwner } from './graph-owner.ts';
import type { Instance } from './instance.ts';
import { lockInstance } from './instance.ts';
import { buildDir, graphFile, logDir } from './layout.ts';
import type { TopologyHost, TopologyHostStatus } from './topology-host.ts';
import { topologyHost } from './topology-host.ts';

export interface StartOptions {
  readonly config: SluiceConfig;
  readonly dir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly dropState?: boolean;
  readonly tell: (line: string) => void;
}

export interface LocalStatus {
  readonly instance: Instance;
  readonly ingress: IngressCounts;
  readonly topologies: readonly TopologyHostStatus[];
}

export interface RunningLocal {
  readonly instance: Instance;
  /** Resolves when every topology runs or its first try has failed. */
  readonly topologiesStarted: Promise<void>;
  status(): Promise<LocalStatus>;
  stop(): Promise<void>;
}

/** Throws `SluiceError` `already-running`, `port-taken`, `stream-corrupt`. When it resolves, events are accepted. */
export async function startLocal(options: StartOptions): Promise<RunningLocal> {
  const { config, clock, random, tell } = options;
  const dir = resolve(options.dir);
  const lock = await lockInstance(dir);
  // Scripts of earlier runs: each is named by its content, so they would only pile up.
  rmSync(buildDir(dir), { recursive: true, force: true });
  const undo: (() => Promise<void>)[] = [() => lock.release()];
  try {
    const streams = await openEmbeddedStreams({ root: logDir(dir), streams: config.streams, local: config.local, clock });
    undo.unshift(() => streams.close());
    const graph = graphOwner(graphFile(dir));
    undo.unshift(() => graph.close());

    let instance: Instance | undefined;
    const hosts: TopologyHost[] = [];
    const status = async (): Promise<LocalStatus> => ({
      instance: instance ?? { pid: process.pid, url: '', startedAt: '' },
      ingress: ingress.counts(),
      topologies: await Promise.all(hosts.map((host) => host.status())),
    });
    const ingress = await createIngress({
      config,
      writers: { kinesis: streams.writer('kinesis'), kafka: streams.writer('kafka') },
      clock,
      random,
      local: {
        reads: { '/_sluice/status': async () => jsonAnswer(200, await status()) },
        commands: {
          '/_sluice/drain': async (body) => drainAnswer(hosts, body),
          '/_sluice/graph': async (body) => graphAnswer(graph, body),
        },
      },
    });
    undo.unshift(() => ingress.drain());
    instance = { pid: process.pid, url: ingress.url, startedAt: new Date(clock.now()).toISOString() };
    lock.publish(instance);

    const handles = Object.fromEntries(config.streams.map((stream) => [stream.name, streams.handles(stream.name)]));
    for (const file of config.topologies) {
      hosts.push(
        topologyHost({
          file,
          buildDir: buildDir(dir),
          input: {
            dir,
            streams: handles,
            lookups: config.lookups,
            checkpointIntervalMs: config.local.checkpointIntervalMs,
            parquetFileMaxAgeMs: config.local.parquetFileMaxAgeMs,
            dropState: options.dropState ?? false,
          },
          graph,
          clock,
          random,
          tell,
        }),
      );
    }
    undo.splice(1, 0, async () => void (await Promise.all(hosts.map((host) => host.stop()))));
    const topologiesStarted = Promise.all(hosts.map((host) => host.start())).then(() => undefined);
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

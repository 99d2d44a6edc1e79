/**
 * From configured streams to deliveries: the real limits of each stream, its two routes, their
 * spools. An impossible route refuses to start.
 */
import type { SluiceConfig, StreamConfig } from '../schemas/config.ts';
import { ledgerStream } from '../schemas/config.ts';
import type { Clock } from '../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../schemas/kernel/errors.ts';
import type { Random } from '../schemas/kernel/random.ts';
import { limits } from '../schemas/limits.ts';
import type { BlobStore } from '../schemas/ports/blob-store.ts';
import type { Route } from '../schemas/ports/record.ts';
import { routes } from '../schemas/ports/record.ts';
import type { RecordWriter } from '../schemas/ports/record-writer.ts';
import type { DataCheck } from './data-check.ts';
import { loadDataCheck } from './data-check.ts';
import { createClaimCheck } from './delivery/claim-check.ts';
import type { RouteLimits } from './delivery/route.ts';
import type { DeliveryNews, RouteDelivery } from './delivery/route-delivery.ts';
import { createRouteDelivery } from './delivery/route-delivery.ts';
import type { Spool } from './delivery/spool.ts';
import { openSpool } from './delivery/spool.ts';
import type { SpoolFolder } from './delivery/spool-folders.ts';
import { isSpool, listSpoolFolders, spoolFolder } from './delivery/spool-folders.ts';
import { SpoolMemory } from './delivery/spool-memory.ts';
import { StreamDelivery } from './delivery/stream-delivery.ts';
import type { BoundStream } from './intake.ts';
import type { Log } from './telemetry/log.ts';
import type { IngressMetrics } from './telemetry/metrics.ts';

export interface BindOptions {
  readonly config: Pick<SluiceConfig, 'streams' | 'routing' | 'ingress'>;
  readonly writers: Readonly<Record<Route, RecordWriter>>;
  readonly spoolDir?: string;
  readonly blobs?: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: IngressMetrics;
  readonly log: Log;
}

interface Binding extends BindOptions {
  readonly memory: SpoolMemory;
}

/**
 * Throws `SluiceError` `schema-unreadable`, `schema-invalid`, `stream-missing`,
 * `stream-unreachable`, `route-impossible`, `stream-corrupt`.
 */
export async function bindStreams(given: BindOptions): Promise<ReadonlyMap<string, BoundStream>> {
  const options: Binding = { ...given, memory: new SpoolMemory() };
  const bound = new Map<string, BoundStream>();
  const streams = [...options.config.streams, ledgerStream];
  // Before anything is opened: a schema that does not compile ends the start.
  const checks = streams.map(loadDataCheck);
  await tellOfLeftovers(options, new Set(streams.map(({ name }) => name)));
  try {
    for (const [index, stream] of streams.entries())
      bound.set(stream.name, await bindStream(options, stream, checks[index]));
    return bound;
  } catch (thrown) {
    // What is bound empties its spools already; it must not continue behind a start that failed.
    await Promise.all([...bound.values()].map(({ delivery }) => delivery.close()));
    throw thrown;
  }
}

async function bindStream(
  options: Binding,
  stream: StreamConfig,
  check: DataCheck | undefined,
): Promise<BoundStream> {
  const { config, blobs, metrics, log, clock, random } = options;
  const bounds = await boundsOf(options, stream);
  const kinesis = await routeOf(options, stream, 'kinesis');
  const kafka = await routeOf(options, stream, 'kafka').catch(async (thrown: unknown) => {
    await kinesis.close();
    throw thrown;
  });
  const delivery = new StreamDelivery({
    stream,
    bounds,
    byRoute: { kinesis, kafka },
    failover: config.routing.failover,
    claimCheck:
      config.routing.claimCheck && blobs !== undefined
        ? createClaimCheck({ store: blobs, clock, random, bounds })
        : undefined,
    bufferMaxBytes: config.ingress.bufferMaxBytes,
    dropped(refusal) {
      metrics.dropped(stream.name);
      log.warn(
        { stream: stream.name, code: refusal.code },
        'an event that was acknowledged from memory is lost',
      );
    },
  });
  return { config: stream, delivery, ...(check === undefined ? {} : { check }) };
}

async function boundsOf(
  { config, writers }: BindOptions,
  stream: StreamConfig,
): Promise<RouteLimits> {
  const [kinesis, kafka] = await Promise.all(
    routes.map((route) => writers[route].describe(stream.name)),
  );
  const bounds: RouteLimits = {
    thresholdBytes: config.routing.largeMessageThresholdBytes,
    kinesisRecordMaxBytes: kinesis?.recordMaxBytes ?? 0,
    kafkaRecordMaxBytes: kafka?.recordMaxBytes ?? 0,
  };
  if (bounds.thresholdBytes + limits.recordHeadMaxBytes > bounds.kinesisRecordMaxBytes) {
    const found = `a record of '${stream.name}' may have at most ${bounds.kinesisRecordMaxBytes} bytes on the small route`;
    throw new SluiceError(
      'route-impossible',
      `${found}, too few for the threshold of ${bounds.thresholdBytes}`,
      {
        fix: 'lower routing.large_message_threshold_kb',
      },
    );
  }
  return bounds;
}

async function routeOf(
  options: Binding,
  stream: StreamConfig,
  route: Route,
): Promise<RouteDelivery> {
  const { writers, spoolDir, clock, random, metrics, log } = options;
  const spools =
    spoolDir !== undefined && (stream.ack !== 'replicated' || stream.whenDown === 'spool');
  const folder = spoolFolder(spoolDir ?? '', stream.name, route, 'waiting');
  // What an earlier run left is written also when nothing may join it any more.
  const hasSpool = spools || (spoolDir !== undefined && (await isSpool(folder)));
  const spool = hasSpool ? await open(options, folder) : undefined;
  if (spool !== undefined && spool.records > 0) {
    log.info(
      { stream: stream.name, path: route, records: spool.records, bytes: spool.bytes },
      'an earlier run left events in the spool',
    );
  }
  return createRouteDelivery({
    writer: writers[route],
    stream: stream.name,
    order: stream.order,
    aggregate: stream.aggregate,
    spool,
    spools,
    memory: options.memory,
    openAside: () => open(options, spoolFolder(spoolDir ?? '', stream.name, route, 'refused')),
    clock,
    random,
    wrote: (outcomes, bytes, tookMs) => metrics.batch(stream.name, route, outcomes, bytes, tookMs),
    tell: (news) => tell(log, news),
  });
}

function open({ config, clock, memory }: Binding, { dir }: SpoolFolder): Promise<Spool> {
  return openSpool({ dir, clock, maxBytes: config.ingress.spoolMaxBytes, memory });
}

/**
 * Events on the disk that nothing here writes: their stream is no longer configured, or it
 * refused them permanently.
 */
async function tellOfLeftovers(options: Binding, configured: ReadonlySet<string>): Promise<void> {
  const { spoolDir, log } = options;
  for (const folder of spoolDir === undefined ? [] : await listSpoolFolders(spoolDir)) {
    const { stream, route, holds, dir } = folder;
    if ((holds === 'waiting' && configured.has(stream)) || !(await isSpool(folder))) continue;
    try {
      const spool = await open(options, folder);
      const { records, bytes } = spool;
      await spool.close();
      if (records === 0) continue;
      const why =
        holds === 'refused'
          ? 'that their stream refused permanently'
          : 'whose stream is no longer configured';
      log.warn(
        { stream, path: route, records, bytes, dir },
        `there are events on the disk ${why}; they are kept${holds === 'refused' ? ': `sluice refused list`' : ''}`,
      );
    } catch (thrown) {
      log.error(
        { stream, path: route, dir, err: messageOf(thrown) },
        'events on the disk cannot be read',
      );
    }
  }
}

function tell(log: Log, news: DeliveryNews): void {
  const { kind: _kind, ...facts } = news;
  switch (news.kind) {
    case 'breaker':
      if (news.state === 'open') log.warn(facts, 'breaker open: the stream does not answer');
      else log.info(facts, `breaker ${news.state}`);
      return;
    case 'spool-drained':
      log.info(facts, 'spool drained');
      return;
    case 'set-aside':
      log.error(facts, 'a spooled record was refused permanently and set aside');
      return;
    case 'spool-fault':
      log.error(facts, 'the spool cannot be emptied now; retrying');
      return;
  }
}

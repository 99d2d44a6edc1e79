/**
 * From configured streams to deliveries: the real limits of each stream, its two paths, their spools. An impossible route refuses to start.
 */
import { join } from 'node:path';
import type { SluiceConfig, StreamConfig } from '../schemas/config.ts';
import { ledgerStream } from '../schemas/config.ts';
import type { Clock } from '../schemas/kernel/clock.ts';
import { SluiceError } from '../schemas/kernel/errors.ts';
import type { Random } from '../schemas/kernel/random.ts';
import { limits } from '../schemas/limits.ts';
import type { BlobStore } from '../schemas/ports/blob-store.ts';
import type { OutgoingRecord, Path } from '../schemas/ports/record.ts';
import { paths } from '../schemas/ports/record.ts';
import type { RecordWriter } from '../schemas/ports/record-writer.ts';
import { createClaimCheck } from './delivery/claim-check.ts';
import type { DeliveryNews, PathDelivery } from './delivery/path-delivery.ts';
import { createPathDelivery } from './delivery/path-delivery.ts';
import type { RouteLimits } from './delivery/route.ts';
import type { Spool, SpoolOutcome } from './delivery/spool.ts';
import { openSpool } from './delivery/spool.ts';
import { createStreamDelivery } from './delivery/stream-delivery.ts';
import type { BoundStream } from './intake.ts';
import type { Log } from './telemetry/log.ts';
import type { IngressMetrics } from './telemetry/metrics.ts';

export interface BindOptions {
  readonly config: Pick<SluiceConfig, 'streams' | 'routing' | 'ingress'>;
  readonly writers: Readonly<Record<Path, RecordWriter>>;
  readonly spoolDir?: string;
  readonly blobs?: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: IngressMetrics;
  readonly log: Log;
}

/** Throws `SluiceError` `stream-missing`, `stream-unreachable`, `route-impossible`, `stream-corrupt`. */
export async function bindStreams(options: BindOptions): Promise<ReadonlyMap<string, BoundStream>> {
  const bound = new Map<string, BoundStream>();
  for (const stream of [...options.config.streams, ledgerStream]) bound.set(stream.name, await bindStream(options, stream));
  return bound;
}

async function bindStream(options: BindOptions, stream: StreamConfig): Promise<BoundStream> {
  const { config, blobs, metrics, log, clock, random } = options;
  const bounds = await boundsOf(options, stream);
  const byPath: Record<string, PathDelivery> = {};
  for (const path of paths) byPath[path] = await pathOf(options, stream, path);
  const delivery = createStreamDelivery({
    stream,
    bounds,
    byPath: byPath as Record<Path, PathDelivery>,
    failover: config.routing.failover,
    claimCheck: config.routing.claimCheck && blobs !== undefined ? createClaimCheck({ store: blobs, clock, random, bounds }) : undefined,
    bufferMaxBytes: config.ingress.bufferMaxBytes,
    dropped(refusal) {
      metrics.dropped(stream.name);
      log.warn({ stream: stream.name, code: refusal.code }, 'an event that was answered from memory is lost');
    },
  });
  return { config: stream, delivery };
}

async function boundsOf({ config, writers }: BindOptions, stream: StreamConfig): Promise<RouteLimits> {
  const [kinesis, kafka] = await Promise.all(paths.map((path) => writers[path].describe(stream.name)));
  const bounds: RouteLimits = {
    thresholdBytes: config.routing.largeMessageThresholdBytes,
    kinesisRecordMaxBytes: kinesis?.recordMaxBytes ?? 0,
    kafkaRecordMaxBytes: kafka?.recordMaxBytes ?? 0,
  };
  if (bounds.thresholdBytes + limits.recordHeadMaxBytes > bounds.kinesisRecordMaxBytes) {
    const found = `a record of '${stream.name}' takes ${bounds.kinesisRecordMaxBytes} bytes on the small path`;
    throw new SluiceError('route-impossible', `${found}, too few for the threshold of ${bounds.thresholdBytes}`, {
      fix: 'lower routing.large_message_threshold_kb',
    });
  }
  return bounds;
}

async function pathOf(options: BindOptions, stream: StreamConfig, path: Path): Promise<PathDelivery> {
  const { config, writers, spoolDir, clock, random, metrics, log } = options;
  const open = (name: string): Promise<Spool> =>
    openSpool({ dir: join(spoolDir ?? '', stream.team, stream.app, name), clock, maxBytes: config.ingress.spoolMaxBytes });
  const spools = spoolDir !== undefined && (stream.ack !== 'replicated' || stream.whenDown === 'spool');
  // A record that its stream will never take must not keep the others: it is kept beside.
  let aside: Promise<Spool> | undefined;
  const setAside = async (record: OutgoingRecord): Promise<SpoolOutcome> => {
    aside ??= open(`${path}.refused`);
    return (await aside).append([record]);
  };
  return createPathDelivery({
    writer: writers[path],
    stream: stream.name,
    order: stream.order,
    spool: spools ? await open(path) : undefined,
    setAside,
    clock,
    random,
    wrote: (records, bytes, tookMs) => metrics.batch(stream.name, path, records, bytes, tookMs),
    tell: (news) => tell(log, news),
  });
}

function tell(log: Log, news: DeliveryNews): void {
  const { kind, ...facts } = news;
  switch (news.kind) {
    case 'breaker':
      if (news.state === 'open') log.warn(facts, 'breaker open: the stream does not answer');
      else log.info(facts, `breaker ${news.state}`);
      return;
    case 'spool-drained':
      log.info(facts, 'spool drained');
      return;
    case 'set-aside':
      log.error(facts, 'a spooled record was refused for good and set aside');
      return;
  }
}

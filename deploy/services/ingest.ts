/**
 * The ingest service: the ingress on Kinesis and Kafka, with claims in S3 and spools on this
 * machine's disk. As many of them as the load wants run beside each other, each with a directory of
 * its own.
 *
 * Order of starting: lock, checks, ingress; of stopping: ingress (drained), writers, lock.
 */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Ingress } from '../../ingest/ingress.ts';
import type { Log } from '../../ingest/telemetry/log.ts';
import { awsOptions } from '../../schemas/config/aws-place.ts';
import type { SluiceConfig } from '../../schemas/config.ts';
import { ledgerStream } from '../../schemas/config.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { Route } from '../../schemas/ports/record.ts';
import type { RecordWriter } from '../../schemas/ports/record-writer.ts';
import type { StartupCheck } from '../../schemas/ports/startup-check.ts';
import { jsonAnswer } from '../host/commands.ts';
import { reloadOnChange } from '../host/config-watch.ts';
import { serveControl } from '../host/control-server.ts';
import type { Instance } from '../host/instance.ts';
import { instanceNow, lockInstance, unknownInstance } from '../host/instance.ts';
import { spoolDir } from '../host/layout.ts';
import { metricsPorts, serveMetrics } from '../host/metrics-server.ts';
import { openIngress } from '../host/open-ingress.ts';
import { openNotice, refuseOpenToAll } from '../host/open-to-all.ts';
import type { InstanceStatus } from '../host/status.ts';
import { StopSteps } from '../host/stop-steps.ts';
import { checkBucket, s3BlobStore } from '../stores/s3/s3-blob-store.ts';
import { s3Place } from '../stores/s3/s3-place.ts';
import { kafkaConnection } from '../streams/kafka/kafka-access.ts';
import { createKafkaWriter } from '../streams/kafka/kafka-writer.ts';
import { createKinesisWriter } from '../streams/kinesis/kinesis-writer.ts';
import type { ToldFailure } from '../streams/told-failures.ts';
import type { Happenings } from './happenings.ts';
import { createHappenings } from './happenings.ts';
import { runStartupChecks } from './startup-checks.ts';

export interface ServiceOptions {
  readonly config: SluiceConfig;
  /** Spools, and who runs here. */
  readonly dir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly tell: (line: string) => void;
  readonly log: Log;
  /**
   * Where the configuration can be read again while it runs. Throws `SluiceError` when it is not
   * valid.
   */
  readonly readConfig: () => SluiceConfig;
  /** The file of `--key-file`: a change of it is a change of the configuration. */
  readonly keyFile?: string | undefined;
}

export interface RunningService {
  readonly instance: Instance;
  stop(): Promise<void>;
}

/**
 * Throws `SluiceError` `open-to-all`, `already-running`, `config-incomplete`,
 * `startup-checks-failed`, and what the ingress throws. When it resolves, events are accepted.
 */
export async function startIngest(options: ServiceOptions): Promise<RunningService> {
  const { config, clock, random, tell, log } = options;
  await refuseOpenToAll(config);
  const dir = resolve(options.dir);
  const lock = await lockInstance(dir);
  const stops = new StopSteps();
  stops.add('lock', async () => lock.release());
  try {
    const happenings = createHappenings();
    const { writers, claims, checks } = openWriters(options, happenings, stops);
    await runStartupChecks(checks, tell);
    const ingress = await openIngress({
      config,
      writers,
      spoolDir: spoolDir(dir),
      ...(claims === undefined ? {} : { blobs: claims }),
      clock,
      random,
      log,
      instance: hostname(),
      happened: () => happenings.counts(),
    });
    stops.add('ingress', () => ingress.shutDown());
    const metrics = await serveMetrics({
      config: config.metrics,
      defaultPort: metricsPorts.ingest,
      read: () => ingress.metrics(),
      disks: { data: dir },
    });
    stops.add('metrics', () => metrics.close());
    let instance = unknownInstance;
    const control = await serveControl(dir, {
      reads: { '/_sluice/status': async () => jsonAnswer(200, statusOf(ingress, instance)) },
    });
    stops.add('control', () => control.close());
    stops.add('changes', reloadOnChange(config, options.readConfig, ingress, options));
    const open = openNotice(config);
    if (open !== undefined) tell(open);
    instance = instanceNow(ingress.url, metrics.url, clock);
    lock.publish(instance);
    return { instance, stop: () => stops.stop() };
  } catch (thrown) {
    await stops.undo();
    throw thrown;
  }
}

function statusOf(ingress: Ingress, instance: Instance): InstanceStatus {
  return {
    instance,
    ingress: ingress.counts(),
    configuration: ingress.reloads(),
    paths: ingress.routes(),
    topologies: [],
  };
}

/** What the ingress writes to, and what has to be there before it starts. */
interface Writers {
  readonly writers: Readonly<Record<Route, RecordWriter>>;
  readonly claims: BlobStore | undefined;
  readonly checks: readonly StartupCheck[];
}

function openWriters(
  { config, clock, random, log }: ServiceOptions,
  happenings: Happenings,
  stops: StopSteps,
): Writers {
  const bound = [...config.streams, ledgerStream];
  const kinesis = createKinesisWriter({
    ...awsOptions(config.kinesis),
    streams: new Map(bound.map(({ name, kinesisStream }) => [name, kinesisStream])),
    tell: tellFailures(log, 'kinesis'),
    failedForGood: () => happenings.count('kinesis-permanent-failure'),
  });
  stops.add('data', () => kinesis.close());
  const kafka = createKafkaWriter({
    connection: kafkaConnection(config.kafka, {
      clock,
      random,
      tell: (news) => happenings.count(`kafka-${news}`),
    }),
    topics: new Map(bound.map(({ name, kafkaTopic }) => [name, kafkaTopic])),
    ...(config.kafka.compression === undefined ? {} : { compression: config.kafka.compression }),
    clock,
    random,
    compactedTopics: config.kafka.compactedTopics ?? 'refuse',
    tell: tellFailures(log, 'kafka'),
    failedForGood: () => happenings.count('kafka-permanent-failure'),
  });
  stops.add('data', () => kafka.close());
  const checks = bound.flatMap(({ name, kinesisStream, kafkaTopic }) => [
    streamCheck(kinesis, name, kinesisStream, log),
    streamCheck(kafka, name, kafkaTopic, log),
  ]);
  const writers = { kinesis, kafka };
  if (!config.routing.claimCheck) return { writers, claims: undefined, checks };
  const place = { ...s3Place(config.s3, 'claims'), clock, random };
  const claims = s3BlobStore(place);
  stops.add('data', async () => claims.close());
  return { writers, claims, checks: [...checks, claimsCheck(place)] };
}

function claimsCheck(place: Parameters<typeof checkBucket>[0]): StartupCheck {
  return {
    what: `S3 bucket ${place.bucket} (claims)`,
    look: async () => {
      await checkBucket(place);
      return 'can be listed, read, written and deleted from';
    },
  };
}

/** A failure with a fix fails every write until somebody acts. */
function tellFailures(
  log: Log,
  route: Route,
): (stream: string, failure: ToldFailure, cause: unknown) => void {
  return (stream, { code, message, fix }, cause) => {
    if (fix === undefined)
      log.warn({ stream, path: route, code, err: cause }, 'a write failed as a whole');
    else
      log.error(
        { stream, path: route, code, fix, err: cause },
        `writes fail until somebody acts: ${message}; ${fix}`,
      );
  };
}

function streamCheck(
  writer: RecordWriter,
  stream: string,
  physical: string,
  log: Log,
): StartupCheck {
  const what = writer.route === 'kinesis' ? 'Kinesis stream' : 'Kafka topic';
  return {
    what: `${what} ${physical} (${stream})`,
    look: async () => {
      const { recordMaxBytes, splits, warnings = [] } = await writer.describe(stream);
      for (const warning of warnings) log.warn({ stream, path: writer.route }, warning);
      return `${splits.length} ${writer.route === 'kinesis' ? 'shards' : 'partitions'}, records of at most ${recordMaxBytes} bytes`;
    },
  };
}

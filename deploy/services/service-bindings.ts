/**
 * A topology of the enrich service: bound to Kinesis and Kafka, to the lake and the checkpoints in
 * S3, to Firehose and to Neo4j. Nothing that a checkpoint names lies on this machine's disk.
 */
import type { GraphDatabase } from '../../enrich/graph/graph-database.ts';
import { cypherDatabase } from '../../enrich/graph/graph-database.ts';
import type { Neo4jSession } from '../../enrich/graph/neo4j-session.ts';
import { createNeo4jSession } from '../../enrich/graph/neo4j-session.ts';
import type { SinkPlace } from '../../enrich/sink-binding.ts';
import { sinkConnectors } from '../../enrich/sinks.ts';
import type { SluiceConfig } from '../../schemas/config.ts';
import { ledgerStream } from '../../schemas/config.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { JobConnectors } from '../../topology/index.ts';
import type { Bindings } from '../host/bindings.ts';
import { boundStream, lookupConnectors, publishedEarly } from '../host/bindings.ts';
import { graphStagingFolder } from '../host/layout.ts';
import { s3BlobStore } from '../stores/s3/s3-blob-store.ts';
import { s3Lake } from '../stores/s3/s3-lake-files.ts';
import { firehoseStream } from '../streams/firehose/firehose-stream.ts';
import { createKafkaReader } from '../streams/kafka/kafka-reader.ts';
import { consumerName } from '../streams/kinesis/fan-out-client.ts';
import { createKinesisReader } from '../streams/kinesis/kinesis-reader.ts';
import { awsOptions, kafkaConnection, neo4jAccess, s3Place } from './connections.ts';
import type { Happenings } from './happenings.ts';
import { createHappenings } from './happenings.ts';

/** Structured-clonable. */
export interface ServicesPlace {
  readonly kind: 'services';
  readonly config: Pick<
    SluiceConfig,
    'streams' | 'kinesis' | 'kafka' | 's3' | 'firehose' | 'neo4j' | 'enrich' | 'lookups'
  >;
}

/** `file` is the topology's. Throws `SluiceError` `config-incomplete`. */
export function serviceBindings({ config }: ServicesPlace, file: string): Bindings {
  const { s3 } = config;
  const happenings = createHappenings();
  const [clock, random] = [systemClock, systemRandom];
  const readers = streamReaders(config, file, happenings);
  const blobs = s3BlobStore({ ...s3Place(s3, ''), clock, random });
  const claims = s3BlobStore({ ...s3Place(s3, 'claims'), clock, random });
  // A sink waits for what passes: its failure would begin the topology again.
  const patienceMs = limits.s3PatienceMs;
  const staging = s3BlobStore({ ...s3Place(s3, ''), clock, random, patienceMs });
  const neo4j = neo4jSessions(config.neo4j);
  return {
    checkpoints: blobs,
    happened: () => happenings.counts(),
    connectors: {
      ...lookupConnectors(file, config.lookups),
      readers,
      claims,
      ...sinkConnectors({
        lake: s3Lake(s3Place(s3, 'lake')),
        fileMaxAgeMs: config.enrich.parquetFileMaxAgeMs,
        deliveryOf: deliveryStreams(config.firehose),
        staging,
        stagingFolder: graphStagingFolder,
        graph: neo4j.database,
        graphMayBeAway: true,
        clock,
        random,
        countEarly: (partitions) => happenings.count(publishedEarly, partitions),
        countDelivered: (what, rows) => happenings.count(`firehose-${what}`, rows),
      }),
    },
    async close() {
      await neo4j.close();
      for (const store of [blobs, claims, staging]) store.close();
    },
  };
}

/** Of each stream both routes. */
function streamReaders(
  config: ServicesPlace['config'],
  file: string,
  happenings: Happenings,
): JobConnectors['readers'] {
  const [clock, random] = [systemClock, systemRandom];
  const { kinesis } = config;
  const connection = kafkaConnection(config.kafka, { clock, random, happenings });
  const streams = Object.fromEntries(
    [...config.streams, ledgerStream].map((stream) => [stream.name, stream]),
  );
  return async (name, { name: topology }) => {
    const { kinesisStream, kafkaTopic } = boundStream(file, streams, name);
    return [
      createKinesisReader({
        ...awsOptions(kinesis),
        readEveryMs: kinesis.readEveryMs,
        idleReadEveryMs: kinesis.idleReadEveryMs,
        consumer: kinesis.fanOut ? consumerName(topology) : undefined,
        streamName: kinesisStream,
        clock,
        random,
        tell: (news) => happenings.count(`kinesis-${news}`),
      }),
      createKafkaReader({
        connection,
        topic: kafkaTopic,
        tell: (news) => happenings.count(`kafka-${news}`),
      }),
    ];
  };
}

/** By table. */
function deliveryStreams(firehose: ServicesPlace['config']['firehose']): SinkPlace['deliveryOf'] {
  return (table) => {
    const deliveryStream = Object.hasOwn(firehose.tables, table)
      ? firehose.tables[table]
      : undefined;
    if (deliveryStream === undefined) return undefined;
    return () => firehoseStream({ ...awsOptions(firehose), deliveryStream, clock: systemClock });
  };
}

/** A session for each graph sink: one that waits for a lock holds no other back. */
function neo4jSessions(config: ServicesPlace['config']['neo4j']): {
  readonly database: () => GraphDatabase;
  readonly close: () => Promise<void>;
} {
  const sessions: Neo4jSession[] = [];
  return {
    database() {
      const session = createNeo4jSession(neo4jAccess(config));
      sessions.push(session);
      return cypherDatabase(session);
    },
    close: async () => void (await Promise.all(sessions.map((session) => session.close()))),
  };
}

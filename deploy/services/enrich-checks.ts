/**
 * What the enrich service needs of the world: every stream on both routes, the bucket, the delivery
 * streams, the graph.
 */
import { describeStream } from '../../enrich/firehose/deliver-call.ts';
import { createNeo4jSession } from '../../enrich/graph/neo4j-session.ts';
import type { KafkaConfig, SluiceConfig } from '../../schemas/config.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { RecordReader } from '../../schemas/ports/record-reader.ts';
import { checkBucket } from '../stores/s3/s3-blob-store.ts';
import { firehoseStream } from '../streams/firehose/firehose-stream.ts';
import type { KafkaConnection } from '../streams/kafka/kafka-connection.ts';
import { compactedError, warningsOf } from '../streams/kafka/kafka-outcomes.ts';
import { describeTopic } from '../streams/kafka/kafka-producer.ts';
import { createKafkaReader } from '../streams/kafka/kafka-reader.ts';
import { createKinesisReader } from '../streams/kinesis/kinesis-reader.ts';
import { awsOptions, kafkaConnection, neo4jAccess, s3Place } from './connections.ts';
import { createHappenings } from './happenings.ts';
import type { StartupCheck } from './startup-checks.ts';

interface Looking {
  readonly clock: Clock;
  readonly random: Random;
}

/** Throws `SluiceError` `config-incomplete`. */
export function enrichChecks(config: SluiceConfig, looking: Looking): readonly StartupCheck[] {
  return [
    ...streamChecks(config, looking),
    bucketCheck(config, looking),
    ...deliveryChecks(config, looking),
    ...(config.neo4j.url === undefined ? [] : [graphCheck(config.neo4j)]),
  ];
}

/** Each stream on both routes. */
function streamChecks(
  { streams, kinesis, kafka }: SluiceConfig,
  { clock, random }: Looking,
): readonly StartupCheck[] {
  const connection = kafkaConnection(kafka, { clock, random, happenings: createHappenings() });
  return streams.flatMap(({ name, kinesisStream, kafkaTopic }): readonly StartupCheck[] => [
    {
      what: `Kinesis stream ${kinesisStream} (${name})`,
      look: () => {
        const options = { ...awsOptions(kinesis), streamName: kinesisStream, clock, random };
        return readable(createKinesisReader(options), 'shards');
      },
    },
    {
      what: `Kafka topic ${kafkaTopic} (${name})`,
      look: async () => {
        const reader = createKafkaReader({ connection, topic: kafkaTopic });
        const found = await readable(reader, 'partitions');
        const warnings = await compaction(connection, kafkaTopic, kafka.compactedTopics);
        return [found, ...warnings].join('; ');
      },
    },
  ]);
}

function bucketCheck({ s3 }: SluiceConfig, looking: Looking): StartupCheck {
  const bucket = s3Place(s3, '');
  return {
    what: `S3 bucket ${bucket.bucket}`,
    look: async () => {
      await checkBucket({ ...bucket, ...looking });
      return 'can be listed, read, written and deleted from';
    },
  };
}

function deliveryChecks(
  { firehose }: SluiceConfig,
  { clock, random }: Looking,
): readonly StartupCheck[] {
  return Object.entries(firehose.tables).map(([table, deliveryStream]) => ({
    what: `Firehose delivery stream ${deliveryStream} (table ${table})`,
    look: async () => {
      const stream = firehoseStream({ ...awsOptions(firehose), deliveryStream, clock });
      try {
        await describeStream({ stream, clock, random });
        return 'is there';
      } finally {
        stream.close();
      }
    },
  }));
}

function graphCheck(neo4j: SluiceConfig['neo4j']): StartupCheck {
  const access = neo4jAccess(neo4j);
  return {
    what: 'Neo4j',
    look: async () => {
      const session = createNeo4jSession(access);
      try {
        return await session.check();
      } finally {
        await session.close();
      }
    },
  };
}

/**
 * Warnings. Who reads need not be allowed to ask for a topic's settings: then ingest alone looks.
 */
async function compaction(
  connection: KafkaConnection,
  topic: string,
  compacted: KafkaConfig['compactedTopics'],
): Promise<readonly string[]> {
  const description = await describeTopic(connection, topic).catch(() => undefined);
  if (description === undefined) return [];
  if (description.compacted && compacted === undefined) throw compactedError(topic);
  return warningsOf(topic, description);
}

/** One record of the first split is asked for: whether it may be read is not known before. */
async function readable(reader: RecordReader, called: string): Promise<string> {
  try {
    const splits = await reader.splits();
    const [first] = splits;
    if (first !== undefined) await reader.read(first.id, undefined, { maxRecords: 1, maxBytes: 1 });
    return `${splits.length} ${called}`;
  } finally {
    await reader.close();
  }
}

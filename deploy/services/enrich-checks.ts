/**
 * What the enrich service needs of the world: every stream on both paths, the bucket, the delivery
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

/** Throws `SluiceError` `config-incomplete`. */
export function enrichChecks(
  config: SluiceConfig,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): readonly StartupCheck[] {
  const { streams, kinesis, kafka, s3, firehose, neo4j } = config;
  const connection = kafkaConnection(kafka, { clock, random, happenings: createHappenings() });
  const bucket = s3Place(s3, '');
  const checks: StartupCheck[] = streams.flatMap(
    ({ name, kinesisStream, kafkaTopic }): readonly StartupCheck[] => [
      {
        what: `Kinesis stream ${kinesisStream} (${name})`,
        look: () =>
          readable(
            createKinesisReader({
              ...awsOptions(kinesis),
              streamName: kinesisStream,
              clock,
              random,
            }),
            'shards',
          ),
      },
      {
        what: `Kafka topic ${kafkaTopic} (${name})`,
        look: async () => {
          const found = await readable(
            createKafkaReader({ connection, topic: kafkaTopic }),
            'partitions',
          );
          return [found, ...(await compaction(connection, kafkaTopic, kafka.compactedTopics))].join(
            '; ',
          );
        },
      },
    ],
  );
  checks.push({
    what: `S3 bucket ${bucket.bucket}`,
    look: async () => {
      await checkBucket({ ...bucket, clock, random });
      return 'can be listed, read, written and deleted from';
    },
  });
  for (const [table, deliveryStream] of Object.entries(firehose.tables)) {
    checks.push({
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
    });
  }
  if (neo4j.url !== undefined) {
    const access = neo4jAccess(neo4j);
    checks.push({
      what: 'Neo4j',
      look: async () => {
        const session = createNeo4jSession(access);
        try {
          return await session.check();
        } finally {
          await session.close();
        }
      },
    });
  }
  return checks;
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

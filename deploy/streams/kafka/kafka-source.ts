/**
 * Kafka as where a service reads streams from.
 */
import type { KafkaConfig } from '../../../schemas/config.ts';
import type { OpenSource } from '../stream-source.ts';
import { readable } from '../stream-source.ts';
import { kafkaConnection } from './kafka-access.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { compactedError, warningsOf } from './kafka-outcomes.ts';
import { describeTopic } from './kafka-producer.ts';
import { createKafkaReader } from './kafka-reader.ts';

export const kafkaSource: OpenSource = ({ kafka }, { clock, random, count }) => {
  const tell = (news: string): void => count(`kafka-${news}`);
  const connection = kafkaConnection(kafka, { clock, random, tell });
  return {
    check: ({ name, kafkaTopic: topic }) => ({
      what: `Kafka topic ${topic} (${name})`,
      look: async () => {
        const found = await readable(createKafkaReader({ connection, topic }), 'partitions');
        const warnings = await compaction(connection, topic, kafka.compactedTopics);
        return [found, ...warnings].join('; ');
      },
    }),
    reader: ({ kafkaTopic: topic }) => createKafkaReader({ connection, topic, tell }),
  };
};

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

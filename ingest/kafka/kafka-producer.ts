/**
 * kafkajs as the writer uses it: an idempotent producer and what it asks of topics. kafkajs' types end here.
 *
 * Invariants:
 * 1. A producer that a request failed of takes no more: the broker may hold its sequence number, and would take the next request for a repetition
 *    of that one, and say so as success.
 * 2. Tries within one request keep their sequence number, so that the broker drops what it has already.
 */
import { createRequire } from 'node:module';
import type { Admin, Kafka as KafkaClient, Producer } from 'kafkajs';
import { limits } from '../../schemas/limits.ts';
import type { KafkaConnection } from '../../schemas/ports/kafka-connection.ts';
import { kafkaClientOptions } from '../../schemas/ports/kafka-connection.ts';

// CommonJS, whose names an import does not find.
const { ConfigResourceTypes, Kafka, logLevel, Partitioners } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');

export interface KafkaMessage {
  readonly key: string;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface TopicDescription {
  readonly partitions: number;
  /** `max.message.bytes`: of a batch of records. */
  readonly batchMaxBytes: number;
}

export interface KafkaProducer {
  connect(): Promise<void>;
  /** One request for one partition; the offset of its first record. */
  send(topic: string, partition: number, messages: readonly KafkaMessage[]): Promise<bigint>;
  disconnect(): Promise<void>;
}

function clientOf(connection: KafkaConnection): KafkaClient {
  return new Kafka({
    ...kafkaClientOptions(connection),
    logLevel: logLevel.NOTHING,
    retry: { retries: limits.kafkaRetriesMax, initialRetryTime: 100, maxRetryTime: 1_000 },
  });
}

export function createKafkaProducer(connection: KafkaConnection): KafkaProducer {
  const producer: Producer = clientOf(connection).producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: Partitioners.DefaultPartitioner,
    retry: { retries: limits.kafkaRetriesMax },
  });
  return {
    connect: () => producer.connect(),
    async send(topic, partition, messages) {
      const [placed] = await producer.send({ topic, acks: -1, messages: messages.map((message) => ({ ...message, partition })) });
      return BigInt(placed?.baseOffset ?? -1);
    },
    disconnect: () => producer.disconnect(),
  };
}

/** Connects, asks and disconnects. Rejects with kafkajs' error. */
export async function describeTopic(connection: KafkaConnection, topic: string): Promise<TopicDescription> {
  const admin: Admin = clientOf(connection).admin();
  try {
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['max.message.bytes'] }],
    });
    const value = resources[0]?.configEntries.find(({ configName }) => configName === 'max.message.bytes')?.configValue;
    return { partitions: topics[0]?.partitions.length ?? 0, batchMaxBytes: Number(value ?? limits.kafkaBatchDefaultBytes) };
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

const partition = Partitioners.DefaultPartitioner();

/** The partition of a key, as Kafka's own clients choose it (murmur2). */
export function partitionOf(topic: string, key: string, partitions: number): number {
  const partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 0,
    replicas: [],
    isr: [],
  }));
  return partition({ topic, message: { key, value: null }, partitionMetadata });
}

/**
 * Kafka topics as `sluice topics` finds, creates and alters them.
 *
 * Invariants:
 * 1. `plan` only asks.
 * 2. Settings that are not named stay as they are: `alterKey` of alter-topic-request.ts.
 */
import { createRequire } from 'node:module';
import type { Admin } from 'kafkajs';
import type { KafkaConfig, StreamConfig } from '../../../schemas/config.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import type { ShapedResource, ShapePlan } from '../shape-plan.ts';
import { alterKey, checkAlterAnswer, encodeAlterTopic } from './alter-topic-request.ts';
import type { FoundTopic, TopicAction, TopicSettings } from './decide-topic.ts';
import { decideTopic } from './decide-topic.ts';
import { kafkaConnection } from './kafka-access.ts';
import { createCluster } from './kafka-cluster.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { kafkaClientOptions } from './kafka-connection.ts';
import { deriveKafkaFailure } from './kafka-failure.ts';

// CommonJS, whose names an import does not find.
const { ConfigResourceTypes, Kafka, logLevel } = createRequire(import.meta.url)(
  'kafkajs',
) as typeof import('kafkajs');

const kafkaShapeRetriesMax = 2;
/** As the brokers say, in a request to create a topic (KIP-464). */
const asBrokersSay = -1;
/** What to do, by the broker's error: https://kafka.apache.org/protocol#protocol_error_codes */
const fixes: Readonly<Record<string, string>> = {
  INVALID_REPLICATION_FACTOR:
    'set kafka.replicas of the stream to at most as many as there are brokers',
  INVALID_TOPIC_EXCEPTION:
    'choose another kafka_topic: to Kafka . and _ are the same, and another topic may have the name',
};
const settingNames = ['retention.ms', 'max.message.bytes'] as const;

export interface KafkaShapes {
  of(stream: StreamConfig): ShapedResource;
  close(): Promise<void>;
}

/** Throws `SluiceError` `config-incomplete`. */
export function kafkaShapes(kafka: KafkaConfig, clock: Clock, random: Random): KafkaShapes {
  const connection = kafkaConnection(kafka, { clock, random });
  const admin = new Kafka({
    ...kafkaClientOptions(connection),
    logLevel: logLevel.NOTHING,
    retry: { retries: kafkaShapeRetriesMax, initialRetryTime: 100, maxRetryTime: 1_000 },
  }).admin();
  let connecting: Promise<void> | undefined;
  const connected = async (): Promise<Admin> => {
    connecting ??= admin.connect();
    await connecting;
    return admin;
  };
  return {
    of: (stream) => shapedTopic(connected, connection, stream),
    close: () => admin.disconnect().catch(() => undefined),
  };
}

function shapedTopic(
  connected: () => Promise<Admin>,
  connection: KafkaConnection,
  stream: StreamConfig,
): ShapedResource {
  const { name, kafkaTopic: topic } = stream;
  const told = <T>(work: Promise<T>): Promise<T> =>
    work.catch((thrown: unknown) => {
      throw asError(topic, thrown);
    });
  return {
    what: `Kafka topic ${topic}`,
    stream: name,
    plan: () =>
      told(connected().then(async (admin) => decideTopic(stream, await find(admin, topic)))),
    apply: ({ actions }) =>
      told(
        connected().then(async (admin) => {
          for (const action of actions as ShapePlan<TopicAction>['actions'])
            await act(admin, connection, topic, action);
        }),
      ),
  };
}

async function find(admin: Admin, topic: string): Promise<FoundTopic | undefined> {
  const partitions = await partitionsOf(admin, topic);
  if (partitions === undefined) return undefined;
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: [...settingNames] }],
  });
  const settings = new Map(
    resources[0]?.configEntries.map(({ configName, configValue }) => [
      configName,
      Number(configValue),
    ]),
  );
  const [retentionMs, messageMaxBytes] = settingNames.map((name) => settings.get(name));
  return {
    partitions: partitions.length,
    replicas: Math.min(...partitions.map(({ replicas }) => replicas.length)),
    retentionMs,
    messageMaxBytes,
  };
}

async function partitionsOf(
  admin: Admin,
  topic: string,
): Promise<readonly { readonly replicas: readonly number[] }[] | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics[0]?.partitions;
  } catch (thrown) {
    if (deriveKafkaFailure(thrown) === 'topic-missing') return undefined;
    throw thrown;
  }
}

async function act(
  admin: Admin,
  connection: KafkaConnection,
  topic: string,
  action: TopicAction,
): Promise<void> {
  switch (action.do) {
    case 'create': {
      const { partitions, replicas = asBrokersSay, settings } = action;
      const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
      await admin.createTopics({
        // The client's own waiting fails while a broker has not heard of the topic yet.
        waitForLeaders: false,
        topics: [{ topic, numPartitions: partitions, replicationFactor: replicas, configEntries }],
      });
      return;
    }
    case 'add-partitions':
      await admin.createPartitions({ topicPartitions: [{ topic, count: action.partitions }] });
      return;
    case 'configure':
      await configure(connection, topic, action.settings);
  }
}

async function configure(
  connection: KafkaConnection,
  topic: string,
  settings: TopicSettings,
): Promise<void> {
  const cluster = createCluster(connection);
  try {
    await cluster.connect();
    const broker = await cluster.brokerPool.findConnectedBroker();
    const body = encodeAlterTopic(topic, settings);
    await broker.connectionPool.send({
      request: {
        apiKey: alterKey,
        apiVersion: 0,
        apiName: 'IncrementalAlterConfigs',
        encode: async () => ({ buf: body, buffer: body }),
      },
      response: {
        decode: async (payload) => ({ payload, clientSideThrottleTime: payload.readInt32BE() }),
        parse: async ({ payload }) => checkAlterAnswer(payload),
      },
    });
  } finally {
    await cluster.disconnect().catch(() => undefined);
  }
}

function asError(topic: string, thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  const of = `Kafka topic '${topic}'`;
  // Of several topics in one request each has an error of its own.
  const [cause = thrown] = (thrown as { readonly errors?: readonly unknown[] }).errors ?? [];
  const { type = '', name = '' } = cause as { readonly type?: string; readonly name?: string };
  switch (deriveKafkaFailure(thrown)) {
    case 'denied':
    case 'principal-changed':
      return new SluiceError('stream-denied', `${of}: ${messageOf(cause)}`, {
        cause: thrown,
        fix: 'allow kafka-cluster:Connect, DescribeTopic, DescribeTopicDynamicConfiguration, CreateTopic, AlterTopic and AlterTopicDynamicConfiguration',
      });
    case 'not-connected':
      return new SluiceError('stream-unreachable', `${of}: the brokers cannot be reached`, {
        cause: thrown,
        retryable: true,
        fix: 'check kafka.brokers, kafka.tls and the network',
      });
    default:
      if (name.startsWith('KafkaJSConnection'))
        return new SluiceError('stream-unreachable', `${of}: ${messageOf(cause)}`, {
          cause: thrown,
          retryable: true,
          fix: 'check kafka.brokers, kafka.tls, kafka.auth and the network',
        });
      return new SluiceError('topics-failed', `${of}: ${messageOf(cause)}`, {
        cause: thrown,
        fix: fixes[type] ?? 'correct what the message says, then run the command again',
      });
  }
}

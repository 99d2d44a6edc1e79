/**
 * kafkajs as the writer uses it: an idempotent producer and what it asks of topics. kafkajs' types
 * end here.
 *
 * Invariants:
 * 1. `send` is one try. A request that failed and goes again by the same producer, before any other
 *    of its partition, keeps its sequence number, so that the broker drops what it has already.
 * 2. `writes` is called each time before a request is put together, after which kafkajs hands it to
 *    a connection; when it throws, it is not sent. A message's timestamp, which we leave open, is
 *    what kafkajs reads at that point and never before.
 * 3. `send` resolves only with an offset that the broker gave. kafkajs answers for a partition that
 *    is not in its metadata without asking anybody, as if all had gone well: a topic that was
 *    created again with fewer partitions. Each try looks at the metadata that it uses.
 */
import { createRequire } from 'node:module';
import type { Admin, Kafka as KafkaClient, Message, PartitionerArgs, Producer } from 'kafkajs';
import type { KafkaCompression } from '../../../schemas/kafka-compressions.ts';
import { kafkaCompressions } from '../../../schemas/kafka-compressions.ts';
import { assert } from '../../../schemas/kernel/assert.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { KafkaCodec } from './codecs/codecs.ts';
import { kafkaCodec } from './codecs/codecs.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { kafkaClientOptions } from './kafka-connection.ts';
import { deriveKafkaFailure } from './kafka-failure.ts';

/** Retries of requests that ask and do not write. */
const kafkaRetriesMax = 2;
/** How long a leader waits for its replicas in one try. */
const kafkaAcksMaxMs = 4_000;
/**
 * How old what is known of the partitions of a topic and their leaders may get. After an error that
 * says so they are asked for at once.
 */
const kafkaMetadataMaxAgeMs = 30_000;
/**
 * `max.message.bytes` where a topic does not say:
 * https://kafka.apache.org/documentation/#topicconfigs_max.message.bytes
 */
const kafkaBatchDefaultBytes = 1_048_588;

// CommonJS, whose names an import does not find.
const { CompressionCodecs, ConfigResourceTypes, Kafka, logLevel } = createRequire(import.meta.url)(
  'kafkajs',
) as typeof import('kafkajs');

// kafkajs has gzip alone; its numbers are the protocol's.
for (const name of ['snappy', 'lz4', 'zstd'] as const)
  Object.assign(CompressionCodecs, { [numberOf(name)]: () => codecOf(name) });

export interface KafkaMessage {
  readonly key: string;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface TopicDescription {
  readonly partitions: number;
  /** `max.message.bytes`: of a batch of records. */
  readonly batchMaxBytes: number;
  /** `cleanup.policy` has `compact`: of each key only the newest record stays. */
  readonly compacted: boolean;
}

export interface KafkaProducer {
  connect(): Promise<void>;
  /**
   * One try of one request for one partition; the offset of its first record. Rejects with
   * `partition-missing` when the topic has no such partition.
   */
  send(
    topic: string,
    partition: number,
    messages: readonly KafkaMessage[],
    writes: () => void,
  ): Promise<bigint>;
  disconnect(): Promise<void>;
}

function clientOf(connection: KafkaConnection): KafkaClient {
  return new Kafka({
    ...kafkaClientOptions(connection),
    logLevel: logLevel.NOTHING,
    retry: { retries: kafkaRetriesMax, initialRetryTime: 100, maxRetryTime: 1_000 },
  });
}

/** As kafkajs wants one. Throws `SluiceError` `codec-missing`. */
function codecOf(name: KafkaCompression): {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
} {
  const codec = requireCodec(name);
  return { compress: ({ buffer }) => codec.deflate(buffer), decompress: codec.inflate };
}

function numberOf(name: KafkaCompression): number {
  return kafkaCompressions.indexOf(name);
}

/** Throws `SluiceError` `codec-missing`. */
export function requireCodec(name: KafkaCompression): KafkaCodec {
  const codec = kafkaCodec(name);
  if (!('missing' in codec)) return codec;
  throw new SluiceError(
    'codec-missing',
    `records are to be compressed with ${name}, ${codec.missing}`,
    {
      fix: `${codec.fix ?? ''}, or choose another \`kafka.compression\``,
    },
  );
}

/** `saw`: told how many partitions a topic has, as the producer's metadata say. */
export function createKafkaProducer(
  connection: KafkaConnection,
  compression: KafkaCompression,
  saw: (topic: string, partitions: number) => void,
): KafkaProducer {
  /** What was looked at last: one try asks for each of its messages. */
  let looked:
    | { readonly partition: number; readonly metadata: PartitionerArgs['partitionMetadata'] }
    | undefined;
  const chosen = ({
    topic,
    partitionMetadata: metadata,
    message: { partition },
  }: PartitionerArgs): number => {
    assert(partition !== undefined, 'a message names its partition');
    if (looked?.partition === partition && looked.metadata === metadata) return partition;
    saw(topic, metadata.length);
    if (!metadata.some(({ partitionId }) => partitionId === partition)) {
      throw new SluiceError(
        'partition-missing',
        `topic '${topic}' has ${metadata.length} partitions, and not partition ${partition}`,
        {
          retryable: true,
        },
      );
    }
    looked = { partition, metadata };
    return partition;
  };
  const producer: Producer = clientOf(connection).producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    metadataMaxAge: kafkaMetadataMaxAgeMs,
    createPartitioner: () => chosen,
    // An idempotent producer may not be without tries of its own; of not-a-number none comes after
    // the first.
    retry: { retries: Number.NaN },
  });
  return {
    connect: () => producer.connect(),
    async send(topic, partition, messages, writes) {
      const placed = await producer.send({
        topic,
        acks: -1,
        timeout: kafkaAcksMaxMs,
        compression: numberOf(compression),
        messages: messages.map((message, n) =>
          n === 0 ? announced({ ...message, partition }, writes) : { ...message, partition },
        ),
      });
      const found = placed.find((each) => each.topicName === topic && each.partition === partition);
      const first = BigInt(found?.baseOffset ?? -1);
      if (first < 0n)
        throw new SluiceError('position-missing', 'the broker gave no offset', { retryable: true });
      return first;
    },
    disconnect: () => producer.disconnect(),
  };
}

function announced(message: Message, writes: () => void): Message {
  return Object.defineProperty(message, 'timestamp', {
    enumerable: true,
    get: () => {
      writes();
      return undefined;
    },
  });
}

/**
 * Whether the broker said that it took nothing of a request that was sent. A denial that kafkajs
 * gives as it came, and not as the cause of an error of its own, is the first that it met: no other
 * answer is after it.
 */
export function isUntaken(thrown: unknown): boolean {
  const failure = deriveKafkaFailure(thrown);
  if (failure === 'denied')
    return thrown instanceof Error && thrown.name === 'KafkaJSProtocolError';
  return (
    failure === 'replicas-missing' ||
    failure === 'too-large' ||
    failure === 'not-valid' ||
    failure === 'codec-refused'
  );
}

/** Connects, asks and disconnects. Rejects with kafkajs' error. */
export async function describeTopic(
  connection: KafkaConnection,
  topic: string,
): Promise<TopicDescription> {
  const admin: Admin = clientOf(connection).admin();
  try {
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const partitions = topics[0]?.partitions ?? [];
    if (partitions.length === 0)
      throw new SluiceError('stream-unreachable', `topic '${topic}' has no partition yet`, {
        retryable: true,
      });
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: topic,
          configNames: ['max.message.bytes', 'cleanup.policy'],
        },
      ],
    });
    const settings = new Map(
      resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]),
    );
    return {
      partitions: partitions.length,
      batchMaxBytes: Number(settings.get('max.message.bytes') ?? kafkaBatchDefaultBytes),
      compacted: (settings.get('cleanup.policy') ?? '')
        .split(',')
        .some((policy) => policy.trim() === 'compact'),
    };
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

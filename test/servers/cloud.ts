/**
 * Everything that the services need, on loopback, from public packages: Kafka with its IAM
 * listener, Kinesis, S3 and Firehose, Neo4j; and what a test asks of them. Kinesis, S3, Firehose
 * and Kafka's plain listener are reached through fault proxies.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CreateDeliveryStreamCommand, FirehoseClient } from '@aws-sdk/client-firehose';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  NoSuchKey,
  S3Client,
} from '@aws-sdk/client-s3';
import { pythonMissing } from './cache.ts';
import type { FaultProxy } from './fault-proxy.ts';
import { startFaultProxy } from './fault-proxy.ts';
import { javaMissing } from './jars.ts';
import type { KafkaServer } from './kafka.ts';
import { startKafka } from './kafka.ts';
import type { KafkaProxy } from './kafka-proxy.ts';
import { startKafkaProxy } from './kafka-proxy.ts';
import type { KinesisServer } from './kinesis.ts';
import { startKinesis, testCredentials } from './kinesis.ts';
import type { Moto } from './moto.ts';
import { startMoto } from './moto.ts';
import type { Neo4jServer } from './neo4j.ts';
import { startNeo4j } from './neo4j.ts';

/** Kafka takes these two; the others take any. */
export const otherCredentials = {
  AWS_ACCESS_KEY_ID: 'AKIDOTHER',
  AWS_SECRET_ACCESS_KEY: 'other-secret',
} as const;

const ledger = 'sluice-ledger';
const topicBatchMaxBytes = 8 * 1_024 * 1_024;

/** Without what the SDK has to say of versions of Node. */
const quiet = { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' } as const;

export interface Cloud {
  readonly kafka: KafkaServer;
  readonly kinesis: KinesisServer;
  readonly neo4j: Neo4jServer;
  readonly kinesisProxy: FaultProxy;
  /** In front of the plain listener of Kafka. */
  readonly kafkaProxy: KafkaProxy;
  /** In front of S3 and Firehose. */
  readonly awsProxy: FaultProxy;
  /** What a configuration names, and credentials. */
  readonly env: Readonly<Record<string, string>>;
  /** On both routes, under one name. */
  createStream(name: string, splits: number): Promise<void>;
  createBucket(name: string): Promise<void>;
  createDeliveryStream(name: string, bucket: string, prefix: string): Promise<void>;
  /** What is below `prefix` goes. */
  remove(bucket: string, prefix: string): Promise<void>;
  /** Keys below `prefix`. */
  keys(bucket: string, prefix: string): AsyncGenerator<string>;
  /** Below `prefix`, by key. */
  objects(
    bucket: string,
    prefix: string,
  ): AsyncGenerator<{ readonly key: string; readonly bytes: Uint8Array }>;
  /**
   * With a Kafka of its own of so many brokers, each of which has a replica of each topic; all but
   * one have to be in sync. All else is the same.
   */
  withBrokers(brokers: number): Promise<Cloud>;
  stop(): Promise<void>;
}

/** What is missing here, as a sentence. With CI=1 that is a failure. */
export const cloudMissing = (): string | undefined => javaMissing() ?? pythonMissing();

export interface CloudOptions {
  /** Of the IAM listener's sessions. */
  readonly kafkaSessionMaxMs?: number;
}

export async function startCloud({ kafkaSessionMaxMs }: CloudOptions = {}): Promise<Cloud> {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_REGION: region,
  } = testCredentials;
  const keys = {
    [accessKeyId]: secretAccessKey,
    [otherCredentials.AWS_ACCESS_KEY_ID]: otherCredentials.AWS_SECRET_ACCESS_KEY,
  };
  Object.assign(process.env, quiet);
  const started: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of started.splice(0).reverse()) await end().catch(() => undefined);
  };
  const keep = async <T>(starting: Promise<T>, end: (server: T) => Promise<void>): Promise<T> => {
    const server = await starting;
    started.push(() => end(server));
    return server;
  };
  const kafkaOptions = {
    keys,
    ...(kafkaSessionMaxMs === undefined ? {} : { sessionMaxMs: kafkaSessionMaxMs }),
  };
  try {
    const kafkaProxy = await keep(startKafkaProxy(), (proxy) => proxy.close());
    const advertise = (port: number): number => {
      kafkaProxy.target = port;
      return kafkaProxy.port;
    };
    const all = await Promise.allSettled([
      keep(startKafka({ ...kafkaOptions, advertise }), (server) => server.stop()),
      keep(startKinesis(), (server) => server.stop()),
      keep(startMoto(), (server) => server.stop()),
      keep(startNeo4j(), (server) => server.stop()),
    ] as const);
    const failed = all.find((each) => each.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const [kafka, kinesis, moto, neo4j] = all.map(
      (each) => (each as PromiseFulfilledResult<unknown>).value,
    ) as [KafkaServer, KinesisServer, Moto, Neo4jServer];
    const kinesisProxy = await keep(startFaultProxy(kinesis.endpoint), (proxy) => proxy.close());
    const awsProxy = await keep(startFaultProxy(moto.endpoint), (proxy) => proxy.close());
    const client = {
      region,
      endpoint: moto.endpoint,
      credentials: { accessKeyId, secretAccessKey },
    };
    const s3 = new S3Client({ ...client, forcePathStyle: true });
    const firehose = new FirehoseClient(client);
    started.push(async () => {
      s3.destroy();
      firehose.destroy();
    });
    const cloud: Cloud = {
      kafka,
      kinesis,
      neo4j,
      kinesisProxy,
      kafkaProxy,
      awsProxy,
      env: {
        ...testCredentials,
        ...quiet,
        KINESIS_ENDPOINT: kinesisProxy.endpoint,
        KAFKA_BROKERS: kafka.iam,
        KAFKA_PLAIN_BROKERS: `127.0.0.1:${kafkaProxy.port}`,
        KAFKA_TLS: 'false',
        S3_ENDPOINT: awsProxy.endpoint,
        FIREHOSE_ENDPOINT: awsProxy.endpoint,
        NEO4J_URL: neo4j.url,
        NEO4J_PASSWORD: neo4j.password,
      },
      async createStream(name, splits) {
        await Promise.all([
          kinesis.createStream(name, splits),
          kafka.createTopic(name, splits, topicBatchMaxBytes),
        ]);
      },
      async createBucket(Bucket) {
        await s3.send(new CreateBucketCommand({ Bucket }));
      },
      async createDeliveryStream(DeliveryStreamName, bucket, Prefix) {
        const ExtendedS3DestinationConfiguration = {
          RoleARN: 'arn:aws:iam::123456789012:role/hose',
          BucketARN: `arn:aws:s3:::${bucket}`,
          Prefix,
        };
        await firehose.send(
          new CreateDeliveryStreamCommand({
            DeliveryStreamName,
            ExtendedS3DestinationConfiguration,
          }),
        );
      },
      async remove(Bucket, prefix) {
        for await (const Key of cloud.keys(Bucket, prefix))
          await s3.send(new DeleteObjectCommand({ Bucket, Key }));
      },
      async *keys(Bucket, Prefix) {
        let token: string | undefined;
        do {
          const page = await s3.send(
            new ListObjectsV2Command({
              Bucket,
              Prefix,
              ...(token === undefined ? {} : { ContinuationToken: token }),
            }),
          );
          for (const { Key = '' } of page.Contents ?? []) yield Key;
          token = page.NextContinuationToken;
        } while (token !== undefined);
      },
      async *objects(Bucket, Prefix) {
        for await (const key of cloud.keys(Bucket, Prefix)) {
          const found = await s3
            .send(new GetObjectCommand({ Bucket, Key: key }))
            .catch((thrown: unknown) => {
              // It was moved meanwhile.
              if (thrown instanceof NoSuchKey) return undefined;
              throw thrown;
            });
          if (found === undefined) continue;
          yield { key, bytes: (await found.Body?.transformToByteArray()) ?? new Uint8Array(0) };
        }
      },
      async withBrokers(brokers) {
        const starting = startKafka({ ...kafkaOptions, brokers });
        const replicated = await keep(starting, (server) => server.stop());
        const createTopic = (name: string, partitions: number): Promise<void> =>
          replicated.createReplicated(name, partitions, brokers, {
            'min.insync.replicas': String(brokers - 1),
            'max.message.bytes': String(topicBatchMaxBytes),
          });
        await createTopic(ledger, 1);
        return {
          ...cloud,
          kafka: replicated,
          env: { ...cloud.env, KAFKA_BROKERS: replicated.iamBrokers.join(',') },
          async createStream(name, splits) {
            await Promise.all([kinesis.createStream(name, splits), createTopic(name, splits)]);
          },
        };
      },
      stop,
    };
    await cloud.createStream(ledger, 1);
    return cloud;
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

/**
 * Copies what lies below `prefix` into `dir`, which SQL can be asked over then. Not marks of folders,
 * which Hadoop leaves in a bucket: keys that end with a slash.
 */
export async function copyLake(
  cloud: Cloud,
  bucket: string,
  prefix: string,
  dir: string,
): Promise<void> {
  mkdirSync(dir, { recursive: true });
  for await (const { key, bytes } of cloud.objects(bucket, prefix)) {
    if (key.endsWith('/')) continue;
    const path = join(dir, key.slice(prefix.length));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
}

/** The rows that Firehose delivered, as often as it did. */
export async function deliveredRows(
  cloud: Cloud,
  bucket: string,
  prefix: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const rows: Readonly<Record<string, unknown>>[] = [];
  for await (const { bytes } of cloud.objects(bucket, prefix)) {
    for (const line of Buffer.from(bytes).toString('utf8').split('\n')) {
      if (line !== '') rows.push(JSON.parse(line) as Readonly<Record<string, unknown>>);
    }
  }
  return rows;
}

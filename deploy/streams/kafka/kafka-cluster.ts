/**
 * kafkajs' cluster and its connections, over which kafka-fetcher.ts sends requests of our own. The
 * cluster is no public part of kafkajs, therefore the exact version, and the contract suite on a
 * real broker. kafkajs' types end here.
 *
 * Invariant: a partition without a leader hides no other. kafkajs knows nothing of a topic when one
 * of its partitions has none; here that partition's leader is -1.
 */
import { createRequire } from 'node:module';
import { assert } from '../../../schemas/kernel/assert.ts';
import { limits } from '../../../schemas/limits.ts';
import { readCommitted } from './fetch-request.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { kafkaClientOptions } from './kafka-connection.ts';

const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');

export interface Answer {
  readonly payload: Buffer;
  /** Of brokers that ask the client to wait (KIP-219), which kafkajs does. */
  readonly clientSideThrottleTime?: number;
}

export interface Call<D, T> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    readonly encode: () => Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
  };
  readonly response: {
    readonly decode: (payload: Buffer) => Promise<D>;
    readonly parse: (answer: D) => Promise<T>;
  };
}

interface ConnectionPool {
  readonly host: string;
  readonly port: number;
  send<D, T>(call: Call<D, T>): Promise<T>;
}

export interface Broker {
  /** By the number of an API. */
  readonly versions: Readonly<Record<number, { readonly maxVersion: number } | undefined>> | null;
  readonly connectionPool: ConnectionPool;
  disconnect(): Promise<void>;
}

export interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  /** Whether a connection to any broker is open. */
  isConnected(): boolean;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  /** Forgets it until the metadata are asked again. */
  removeBroker(broker: { readonly host: string; readonly port: number }): void;
  findTopicPartitionMetadata(
    topic: string,
  ): readonly { readonly partitionId: number; readonly leader: number }[];
  readonly brokerPool: {
    findConnectedBroker(): Promise<Broker>;
    readonly connectionPoolBuilder: { build(of?: object): Promise<ConnectionPool> };
  };
  findBroker(node: { readonly nodeId: number }): Promise<Broker>;
  fetchTopicsOffset(
    topics: readonly {
      readonly topic: string;
      readonly fromBeginning: boolean;
      /** Epoch ms, in place of `fromBeginning`. */
      readonly fromTimestamp?: number;
      readonly partitions: readonly { readonly partition: number }[];
    }[],
  ): Promise<
    readonly {
      readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
    }[]
  >;
}

/** Of one that is not connected yet. */
export function createCluster(connection: KafkaConnection): Cluster {
  const client = new Kafka({
    ...kafkaClientOptions(connection),
    logLevel: logLevel.NOTHING,
    retry: { retries: 1, initialRetryTime: 100 },
  });
  const symbol = Object.getOwnPropertySymbols(client).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  assert(symbol !== undefined, 'kafkajs makes clusters as its version 2.2.4 does');
  const create = Reflect.get(client, symbol) as (options: object) => Cluster;
  const cluster = create({
    allowAutoTopicCreation: false,
    isolationLevel: readCommitted,
    metadataMaxAge: limits.splitDiscoveryMs,
  });
  const { connectionPoolBuilder } = cluster.brokerPool;
  const build = connectionPoolBuilder.build.bind(connectionPoolBuilder);
  connectionPoolBuilder.build = async (of) => knowingTheRest(await build(of));
  return cluster;
}

interface TopicMetadata {
  readonly partitionMetadata: readonly { readonly partitionErrorCode: number }[];
}

/** Has the metadata of a topic read whatever one of its partitions says. */
function knowingTheRest(pool: ConnectionPool): ConnectionPool {
  const send = pool.send.bind(pool);
  pool.send = (call) => {
    const { parse } = call.response;
    return send({
      ...call,
      response: { ...call.response, parse: (answer) => parse(withoutErrors(answer)) },
    });
  };
  return pool;
}

function withoutErrors<D>(answer: D): D {
  const { topicMetadata } = answer as { readonly topicMetadata?: readonly TopicMetadata[] };
  if (topicMetadata === undefined) return answer;
  const known = topicMetadata.map((topic) => ({
    ...topic,
    partitionMetadata: topic.partitionMetadata.map((each) => ({ ...each, partitionErrorCode: 0 })),
  }));
  return { ...answer, topicMetadata: known };
}

/**
 * kafkajs as the source uses it: its cluster, asked for records directly. The consumer that it offers pushes, wants a group and seeks by events;
 * what a source needs is one request for records from an offset, which is what that consumer itself sends. The cluster is no public part of kafkajs,
 * therefore the exact version, and the contract suite on a real broker. kafkajs' types end here.
 *
 * Requests for partitions that had nothing last time go together, one to each broker; one that had is asked alone, so that a broker reads for one answer
 * while another is taken apart here.
 */
import { createRequire } from 'node:module';
import { assert, present } from '../../schemas/kernel/assert.ts';
import { limits } from '../../schemas/limits.ts';
import type { KafkaConnection } from '../../schemas/ports/kafka-connection.ts';
import { kafkaClientOptions } from '../../schemas/ports/kafka-connection.ts';

const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');

export interface FetchedMessage {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string | readonly (Buffer | string)[] | undefined>>;
  /** Decimal digits. */
  readonly offset: string;
  /** Epoch ms, decimal digits. */
  readonly timestamp: string;
  readonly isControlRecord: boolean;
}

export interface FetchedPartition {
  readonly partition: number;
  /** The offset that the next record will get. */
  readonly highWatermark: string;
  readonly messages: readonly FetchedMessage[];
}

interface Broker {
  fetch(request: {
    readonly isolationLevel: number;
    readonly maxWaitTime: number;
    readonly minBytes: number;
    readonly maxBytes: number;
    readonly topics: readonly {
      readonly topic: string;
      readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string; readonly maxBytes: number }[];
    }[];
  }): Promise<{ readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[] }>;
}

interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number; readonly leader: number }[];
  findBroker(node: { readonly nodeId: number }): Promise<Broker>;
  fetchTopicsOffset(
    topics: readonly {
      readonly topic: string;
      readonly fromBeginning: boolean;
      readonly partitions: readonly { readonly partition: number }[];
    }[],
  ): Promise<readonly { readonly partitions: readonly { readonly partition: number; readonly offset: string }[] }[]>;
}

export interface KafkaFetcher {
  /** Ids of the topic's partitions, asked anew. */
  partitions(): Promise<readonly number[]>;
  /** Records from `offset` on, possibly earlier ones as well, and none when there are none; it does not wait for more. */
  fetch(partition: number, offset: bigint, maxBytes: number): Promise<FetchedPartition>;
  /** The first offset that is kept, and the one that the next record will get. */
  bounds(partition: number): Promise<{ readonly first: bigint; readonly end: bigint }>;
  close(): Promise<void>;
}

interface Wanted {
  readonly partition: number;
  readonly offset: bigint;
  readonly maxBytes: number;
  readonly resolve: (found: FetchedPartition) => void;
  readonly reject: (thrown: unknown) => void;
}

/** Rejects with kafkajs' errors. */
export async function createKafkaFetcher(connection: KafkaConnection, topic: string): Promise<KafkaFetcher> {
  const client = new Kafka({
    ...kafkaClientOptions(connection),
    logLevel: logLevel.NOTHING,
    retry: { retries: 1, initialRetryTime: 100 },
  });
  const cluster = clusterOf(client);
  let wanted: Wanted[] = [];
  /** Partitions whose last answer had records. */
  const busy = new Set<number>();

  const leaderOf = (partition: number): number => {
    const found = cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition);
    return present(found, `partition ${partition} of ${topic}`).leader;
  };

  const askBroker = async (nodeId: number, asked: readonly Wanted[]): Promise<void> => {
    try {
      const broker = await cluster.findBroker({ nodeId });
      const { responses } = await broker.fetch({
        isolationLevel: 0,
        maxWaitTime: 0,
        minBytes: 0,
        maxBytes: limits.kafkaFetchMaxBytes,
        topics: [
          { topic, partitions: asked.map(({ partition, offset, maxBytes }) => ({ partition, fetchOffset: String(offset), maxBytes })) },
        ],
      });
      const found = new Map(responses.flatMap(({ partitions }) => partitions).map((each) => [each.partition, each]));
      for (const { partition, resolve } of asked) {
        const answer = present(found.get(partition), `partition ${partition} in the answer`);
        if (answer.messages.length > 0) busy.add(partition);
        else busy.delete(partition);
        resolve(answer);
      }
    } catch (thrown) {
      for (const { reject } of asked) reject(thrown);
    }
  };

  const flush = (): void => {
    const asked = wanted;
    wanted = [];
    const byLeader = new Map<number, Wanted[]>();
    for (const want of asked) {
      try {
        const leader = leaderOf(want.partition);
        if (busy.has(want.partition)) void askBroker(leader, [want]);
        else byLeader.set(leader, [...(byLeader.get(leader) ?? []), want]);
      } catch (thrown) {
        want.reject(thrown);
      }
    }
    for (const [leader, own] of byLeader) void askBroker(leader, own);
  };

  try {
    await cluster.connect();
    await cluster.addTargetTopic(topic);
  } catch (thrown) {
    await cluster.disconnect().catch(() => undefined);
    throw thrown;
  }
  return {
    async partitions() {
      await cluster.refreshMetadata();
      return cluster
        .findTopicPartitionMetadata(topic)
        .map(({ partitionId }) => partitionId)
        .sort((a, b) => a - b);
    },
    fetch: (partition, offset, maxBytes) =>
      new Promise((resolve, reject) => {
        wanted.push({ partition, offset, maxBytes, resolve, reject });
        // After what is asked for in the same round.
        if (wanted.length === 1) queueMicrotask(flush);
      }),
    async bounds(partition) {
      const ask = async (fromBeginning: boolean): Promise<bigint> => {
        const [found] = await cluster.fetchTopicsOffset([{ topic, fromBeginning, partitions: [{ partition }] }]);
        return BigInt(present(found?.partitions[0], 'an offset').offset);
      };
      const [first, end] = await Promise.all([ask(true), ask(false)]);
      return { first, end };
    },
    close: () => cluster.disconnect(),
  };
}

function clusterOf(client: object): Cluster {
  const symbol = Object.getOwnPropertySymbols(client).find(({ description }) => description === 'private:Kafka:createCluster');
  assert(symbol !== undefined, 'kafkajs makes clusters as its version 2.2.4 does');
  const create = Reflect.get(client, symbol) as (options: object) => Cluster;
  return create({ allowAutoTopicCreation: false, isolationLevel: 0, metadataMaxAge: limits.splitDiscoveryMs });
}

/**
 * kafkajs as the source uses it: its cluster and its connections, over which requests of our own
 * go. The consumer that it offers pushes, wants a group and seeks by events; what a source needs is
 * one request for records from an offset, which is what that consumer itself sends. The cluster is
 * no public part of kafkajs, therefore the exact version, and the contract suite on a real broker.
 * kafkajs' types end here.
 *
 * A fetch names its topic, and not the topic's id. Who wants the records of one id has them once
 * the same broker says afterwards that the topic has it still: a broker learns of a new topic
 * before it gives its records, and an id does not come back.
 *
 * Requests for partitions that had nothing last time go together, one to each broker; one that had
 * is asked alone, so that a broker reads for one answer while another is taken apart here.
 */
import { createRequire } from 'node:module';
import { assert, present } from '../../../schemas/kernel/assert.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { limits } from '../../../schemas/limits.ts';
import type { FetchedPartition } from './fetch-request.ts';
import {
  decodeFetch,
  encodeFetch,
  fetchKey,
  fetchVersionOf,
  readCommitted,
} from './fetch-request.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { kafkaClientOptions } from './kafka-connection.ts';
import { deriveKafkaFailure } from './kafka-failure.ts';
import type { TopicIdentity } from './topic-identity.ts';
import {
  decodeTopicAnswer,
  encodeTopicRequest,
  metadataKey,
  metadataVersion,
} from './topic-identity.ts';

const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');

interface Answer {
  readonly payload: Buffer;
  /** Of brokers that ask the client to wait (KIP-219), which kafkajs does. */
  readonly clientSideThrottleTime?: number;
}

interface Broker {
  /** By the number of an API. */
  readonly versions: Readonly<Record<number, { readonly maxVersion: number } | undefined>> | null;
  readonly connectionPool: {
    send<T>(call: {
      readonly request: {
        readonly apiKey: number;
        readonly apiVersion: number;
        readonly apiName: string;
        readonly encode: () => Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
      };
      readonly response: {
        readonly decode: (payload: Buffer) => Promise<Answer>;
        readonly parse: (answer: Answer) => Promise<T>;
      };
    }): Promise<T>;
  };
}

interface Cluster {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  addTargetTopic(topic: string): Promise<void>;
  refreshMetadata(): Promise<void>;
  findTopicPartitionMetadata(
    topic: string,
  ): readonly { readonly partitionId: number; readonly leader: number }[];
  readonly brokerPool: { findConnectedBroker(): Promise<Broker> };
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

export interface KafkaFetcher {
  /** The topic's id and its partitions, asked anew. */
  topic(): Promise<TopicIdentity>;
  /**
   * Records from `offset` on, possibly earlier ones as well, and none when there are none; it does
   * not wait for more. Rejects with `topic-replaced` when they are not of the topic with that id,
   * and with `partition-missing` when it has no such partition.
   */
  fetch(from: TopicPartition, offset: bigint, maxBytes: number): Promise<FetchedPartition>;
  /**
   * The first offset that is kept, and the one behind the last that is committed. Rejects as
   * `fetch` does.
   */
  bounds(of: TopicPartition): Promise<{ readonly first: bigint; readonly end: bigint }>;
  /**
   * The offset of the first record whose time is `atMs` or later; undefined where there is none.
   * Rejects as `fetch` does.
   */
  offsetAt(of: TopicPartition, atMs: number): Promise<bigint | undefined>;
  close(): Promise<void>;
}

export interface TopicPartition {
  readonly partition: number;
  /** Of the topic that is meant; undefined: as it is now. */
  readonly topicId: string | undefined;
}

interface Wanted extends TopicPartition {
  readonly offset: bigint;
  readonly maxBytes: number;
  readonly resolve: (found: FetchedPartition) => void;
  readonly reject: (thrown: unknown) => void;
}

/** Rejects with kafkajs' errors. */
export async function createKafkaFetcher(
  connection: KafkaConnection,
  topic: string,
): Promise<KafkaFetcher> {
  const client = new Kafka({
    ...kafkaClientOptions(connection),
    logLevel: logLevel.NOTHING,
    retry: { retries: 1, initialRetryTime: 100 },
  });
  const cluster = clusterOf(client);
  try {
    await cluster.connect();
    await cluster.addTargetTopic(topic);
  } catch (thrown) {
    await cluster.disconnect().catch(() => undefined);
    throw thrown;
  }
  return new ClusterFetcher(cluster, topic);
}

class ClusterFetcher implements KafkaFetcher {
  readonly #cluster: Cluster;
  readonly #topic: string;
  #wanted: Wanted[] = [];
  /** Partitions whose last answer had records. */
  readonly #busy = new Set<number>();

  constructor(cluster: Cluster, topic: string) {
    this.#cluster = cluster;
    this.#topic = topic;
  }

  async topic(): Promise<TopicIdentity> {
    const [cluster, topic] = [this.#cluster, this.#topic];
    await cluster.refreshMetadata();
    return identityAt(await cluster.brokerPool.findConnectedBroker(), topic, () =>
      cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId),
    );
  }

  fetch(
    { partition, topicId }: TopicPartition,
    offset: bigint,
    maxBytes: number,
  ): Promise<FetchedPartition> {
    return new Promise((resolve, reject) => {
      this.#wanted.push({ partition, topicId, offset, maxBytes, resolve, reject });
      // After what is asked for in the same round.
      if (this.#wanted.length === 1) queueMicrotask(() => this.#flush());
    });
  }

  async bounds(of: TopicPartition): Promise<{ readonly first: bigint; readonly end: bigint }> {
    const asked = [{ fromBeginning: true }, { fromBeginning: false }];
    const [first = 0n, end = 0n] = await this.#offsetsOf(of, asked);
    return { first, end };
  }

  async offsetAt(of: TopicPartition, atMs: number): Promise<bigint | undefined> {
    const asked = [{ fromBeginning: false, fromTimestamp: atMs }];
    const [offset = -1n] = await this.#offsetsOf(of, asked);
    return offset < 0n ? undefined : offset;
  }

  close(): Promise<void> {
    return this.#cluster.disconnect();
  }

  #leaderOf(partition: number): number {
    const found = this.#cluster
      .findTopicPartitionMetadata(this.#topic)
      .find(({ partitionId }) => partitionId === partition);
    if (found === undefined)
      throw new SluiceError('partition-missing', `partition ${partition} is not there`);
    return found.leader;
  }

  /** Rejects when the topic is not the one that `wants` mean. */
  async #confirm(broker: Broker, wants: readonly TopicPartition[]): Promise<void> {
    if (wants.every(({ topicId }) => topicId === undefined)) return;
    const { id } = await identityAt(broker, this.#topic);
    if (wants.some(({ topicId }) => topicId !== undefined && topicId !== id))
      throw new SluiceError('topic-replaced', `the topic has the id ${id ?? 'none'} now`);
  }

  async #offsetsOf(
    of: TopicPartition,
    asked: readonly { readonly fromBeginning: boolean; readonly fromTimestamp?: number }[],
  ): Promise<readonly bigint[]> {
    const { partition } = of;
    const [cluster, topic] = [this.#cluster, this.#topic];
    const nodeId = this.#leaderOf(partition);
    const offsets = await Promise.all(
      asked.map(async (at) => {
        const [found] = await cluster.fetchTopicsOffset([
          { topic, ...at, partitions: [{ partition }] },
        ]);
        return BigInt(present(found?.partitions[0], 'an offset').offset);
      }),
    );
    if (of.topicId !== undefined) await this.#confirm(await cluster.findBroker({ nodeId }), [of]);
    return offsets;
  }

  async #askBroker(nodeId: number, asked: readonly Wanted[]): Promise<void> {
    try {
      const broker = await this.#cluster.findBroker({ nodeId });
      const answer = await fetchFrom(broker, this.#topic, asked);
      const found = new Map(answer.map((each) => [each.partition, each]));
      // Also before an offset or a partition is called lost: the topic may be another one.
      await this.#confirm(
        broker,
        asked.filter(({ partition }) => isOfTopic(found.get(partition))),
      );
      for (const { partition, resolve, reject } of asked) {
        const own = present(found.get(partition), `partition ${partition} in the answer`);
        if (own.batches.length > 0) this.#busy.add(partition);
        else this.#busy.delete(partition);
        if (own.error === undefined) resolve(own);
        else reject(own.error);
      }
    } catch (thrown) {
      for (const { reject } of asked) reject(thrown);
    }
  }

  #flush(): void {
    const asked = this.#wanted;
    this.#wanted = [];
    const byLeader = new Map<number, Wanted[]>();
    for (const want of asked) {
      try {
        const leader = this.#leaderOf(want.partition);
        if (this.#busy.has(want.partition)) void this.#askBroker(leader, [want]);
        else byLeader.set(leader, [...(byLeader.get(leader) ?? []), want]);
      } catch (thrown) {
        want.reject(thrown);
      }
    }
    for (const [leader, own] of byLeader) void this.#askBroker(leader, own);
  }
}

/** Whether an answer says something of the topic that has the name now. */
function isOfTopic(found: FetchedPartition | undefined): boolean {
  if (found?.error === undefined) return (found?.batches.length ?? 0) > 0;
  const failure = deriveKafkaFailure(found.error);
  return failure === 'out-of-range' || failure === 'topic-missing';
}

function fetchFrom(
  broker: Broker,
  topic: string,
  wanted: readonly Wanted[],
): Promise<readonly FetchedPartition[]> {
  const version = fetchVersionOf(broker.versions?.[fetchKey]?.maxVersion ?? 0);
  return send(
    broker,
    {
      apiKey: fetchKey,
      apiVersion: version,
      apiName: 'Fetch',
      body: encodeFetch(version, topic, wanted, limits.kafkaFetchMaxBytes),
    },
    (payload) => ({ payload, clientSideThrottleTime: payload.readInt32BE() }),
    (payload) => decodeFetch(version, payload),
  );
}

/** `known`: the partitions where the broker knows no ids. */
async function identityAt(
  broker: Broker,
  topic: string,
  known: () => readonly number[] = () => [],
): Promise<TopicIdentity> {
  if ((broker.versions?.[metadataKey]?.maxVersion ?? 0) < metadataVersion)
    return { id: undefined, partitions: known() };
  return send(
    broker,
    {
      apiKey: metadataKey,
      apiVersion: metadataVersion,
      apiName: 'Metadata',
      body: encodeTopicRequest(topic),
    },
    (payload) => ({ payload }),
    decodeTopicAnswer,
  );
}

interface Asked {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly apiName: string;
  readonly body: Buffer;
}

function send<T>(
  broker: Broker,
  { body, ...request }: Asked,
  answer: (payload: Buffer) => Answer,
  parse: (payload: Buffer) => T,
): Promise<T> {
  return broker.connectionPool.send({
    request: { ...request, encode: async () => ({ buf: body, buffer: body }) },
    response: {
      decode: async (payload) => answer(payload),
      parse: async ({ payload }) => parse(payload),
    },
  });
}

function clusterOf(client: object): Cluster {
  const symbol = Object.getOwnPropertySymbols(client).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  assert(symbol !== undefined, 'kafkajs makes clusters as its version 2.2.4 does');
  const create = Reflect.get(client, symbol) as (options: object) => Cluster;
  return create({
    allowAutoTopicCreation: false,
    isolationLevel: readCommitted,
    metadataMaxAge: limits.splitDiscoveryMs,
  });
}

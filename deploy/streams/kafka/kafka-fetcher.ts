/**
 * What a source asks of Kafka: requests of our own over kafkajs' connections. The consumer that
 * kafkajs offers pushes, wants a group and seeks by events; what a source needs is one request for
 * records from an offset, which is what that consumer itself sends.
 *
 * A fetch names its topic, and not the topic's id. Who wants the records of one id has them once
 * the same broker says afterwards that the topic has it still: a broker learns of a new topic
 * before it gives its records, and an id does not come back.
 *
 * Requests for partitions that had nothing last time go together, one to each broker; one that had
 * is asked alone, so that a broker reads for one answer while another is taken apart here.
 *
 * Invariant: a broker that fails is asked over new connections next time, and the connections to
 * the others stay.
 */

import { present } from '../../../schemas/kernel/assert.ts';
import { mebi } from '../../../schemas/kernel/bytes.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { errorOfCode } from './answer-reader.ts';
import type { FetchedPartition } from './fetch-request.ts';
import { decodeFetch, encodeFetch, fetchKey, fetchVersionOf } from './fetch-request.ts';
import type { Answer, Broker, Cluster } from './kafka-cluster.ts';
import { createCluster } from './kafka-cluster.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { deriveKafkaFailure } from './kafka-failure.ts';
import type { TopicIdentity } from './topic-identity.ts';
import {
  decodeTopicAnswer,
  encodeTopicRequest,
  metadataKey,
  metadataVersion,
} from './topic-identity.ts';

/** One answer of a broker, all its partitions. */
const kafkaFetchMaxBytes = 32 * mebi;

const leaderNotAvailable = 5;

export interface KafkaFetcher {
  /** The topic's id and its partitions, asked again. */
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
  /** Whether there is a connection to continue with, to any broker. */
  isConnected(): boolean;
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
  const cluster = createCluster(connection);
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
  #closed = false;
  /** No broker said who leads what. */
  #lost = false;

  constructor(cluster: Cluster, topic: string) {
    this.#cluster = cluster;
    this.#topic = topic;
  }

  async topic(): Promise<TopicIdentity> {
    await this.#refresh();
    const broker = await this.#cluster.brokerPool.findConnectedBroker();
    const known = (): readonly number[] =>
      this.#cluster.findTopicPartitionMetadata(this.#topic).map(({ partitionId }) => partitionId);
    return this.#tried(() => identityAt(broker, this.#topic, known), broker);
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
    const [first = 0n, end = 0n] = await this.#offsets(of, [
      { fromBeginning: true },
      { fromBeginning: false },
    ]);
    return { first, end };
  }

  async offsetAt(of: TopicPartition, atMs: number): Promise<bigint | undefined> {
    const [offset = -1n] = await this.#offsets(of, [{ fromBeginning: false, fromTimestamp: atMs }]);
    return offset < 0n ? undefined : offset;
  }

  isConnected(): boolean {
    return !this.#lost && this.#cluster.isConnected();
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.#cluster.disconnect();
  }

  #flush(): void {
    const asked = this.#wanted;
    this.#wanted = [];
    const byLeader = new Map<number, Wanted[]>();
    for (const want of asked) {
      try {
        const leader = this.#leaderOf(want.partition);
        if (this.#busy.has(want.partition)) void this.#fetchAll(leader, [want]);
        else byLeader.set(leader, [...(byLeader.get(leader) ?? []), want]);
      } catch (thrown) {
        this.#renew(thrown);
        want.reject(thrown);
      }
    }
    for (const [leader, own] of byLeader) void this.#fetchAll(leader, own);
  }

  async #fetchAll(nodeId: number, asked: readonly Wanted[]): Promise<void> {
    try {
      const broker = await this.#tried(() => this.#cluster.findBroker({ nodeId }));
      const found = await this.#tried(() => this.#fetchFrom(broker, asked), broker);
      for (const { partition, resolve, reject } of asked) {
        const own = present(found.get(partition), `partition ${partition} in the answer`);
        if (own.batches.length > 0) this.#busy.add(partition);
        else this.#busy.delete(partition);
        if (own.error === undefined) resolve(own);
        else {
          this.#renew(own.error);
          reject(own.error);
        }
      }
    } catch (thrown) {
      for (const { reject } of asked) reject(thrown);
    }
  }

  async #fetchFrom(
    broker: Broker,
    asked: readonly Wanted[],
  ): Promise<ReadonlyMap<number, FetchedPartition>> {
    const answer = await fetchFrom(broker, this.#topic, asked);
    const found = new Map(answer.map((each) => [each.partition, each]));
    // Also before an offset or a partition is called lost: the topic may be another one.
    await this.#confirm(
      broker,
      asked.filter(({ partition }) => isOfTopic(found.get(partition))),
    );
    return found;
  }

  async #offsets(
    of: TopicPartition,
    asked: readonly { readonly fromBeginning: boolean; readonly fromTimestamp?: number }[],
  ): Promise<readonly bigint[]> {
    const { partition } = of;
    const broker = await this.#tried(async () =>
      this.#cluster.findBroker({ nodeId: this.#leaderOf(partition) }),
    );
    const offsetAt = async (at: (typeof asked)[number]): Promise<bigint> => {
      const partitions = [{ partition }];
      const [found] = await this.#cluster.fetchTopicsOffset([
        { topic: this.#topic, ...at, partitions },
      ]);
      return BigInt(present(found?.partitions[0], 'an offset').offset);
    };
    return this.#tried(async () => {
      const offsets = await Promise.all(asked.map(offsetAt));
      await this.#confirm(broker, [of]);
      return offsets;
    }, broker);
  }

  /** Rejects when the topic is not the one that `wants` mean. */
  async #confirm(broker: Broker, wants: readonly TopicPartition[]): Promise<void> {
    if (wants.every(({ topicId }) => topicId === undefined)) return;
    const { id } = await identityAt(broker, this.#topic);
    if (wants.some(({ topicId }) => topicId !== undefined && topicId !== id))
      throw new SluiceError('topic-replaced', `the topic has the id ${id ?? 'none'} now`);
  }

  #leaderOf(partition: number): number {
    const found = this.#cluster
      .findTopicPartitionMetadata(this.#topic)
      .find(({ partitionId }) => partitionId === partition);
    if (found === undefined)
      throw new SluiceError('partition-missing', `partition ${partition} does not exist`);
    if (found.leader < 0) throw errorOfCode(leaderNotAvailable);
    return found.leader;
  }

  async #tried<T>(ask: () => Promise<T>, broker?: Broker): Promise<T> {
    try {
      return await ask();
    } catch (thrown) {
      this.#renew(thrown, broker);
      throw thrown;
    }
  }

  /**
   * What failed is made new for the next time: a broker's connections, what is known of leaders.
   */
  #renew(thrown: unknown, broker?: Broker): void {
    if (broker !== undefined && isLost(thrown)) {
      this.#cluster.removeBroker(broker.connectionPool);
      void broker.disconnect().catch(() => undefined);
    } else if (deriveKafkaFailure(thrown) !== 'stale') return;
    // Which would connect where nothing is connected.
    if (!this.#closed && this.isConnected()) void this.#refresh().catch(() => undefined);
  }

  /** Another broker is asked where one fails; when none answers all connections are lost. */
  async #refresh(): Promise<void> {
    try {
      await this.#cluster.refreshMetadata().catch((thrown: unknown) => {
        if (!isLost(thrown)) throw thrown;
        return this.#cluster.refreshMetadata();
      });
    } catch (thrown) {
      this.#lost ||= isLost(thrown);
      throw thrown;
    }
  }
}

/** Whether a connection is to blame, or may be. */
function isLost(thrown: unknown): boolean {
  const failure = deriveKafkaFailure(thrown);
  return failure === 'unclear' || failure === 'not-connected';
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
      body: encodeFetch(version, topic, wanted, kafkaFetchMaxBytes),
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

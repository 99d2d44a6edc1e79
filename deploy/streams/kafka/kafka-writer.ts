/**
 * The large route on Kafka: idempotent, acks=all, one producer for all topics, one request in
 * flight per partition.
 *
 * Invariants:
 * 1. `applied` is said only of what all in-sync replicas have, at the offset that the broker gave.
 *    A request that failed is `unknown` for all its records, unless Kafka itself said that it took
 *    none, or nothing was sent (kafka-outcomes.ts).
 * 2. A request is one batch of at most what the topic takes; a record that is larger is refused
 *    alone, and so is one that only the broker finds too large or not valid: the others of its
 *    batch go again (halves.ts). Requests for one partition go one after the other, and behind one
 *    that failed none goes: it would overtake it.
 * 3. A failure that says that the topic is not what it was has it described again before the next
 *    write (topic-descriptions.ts); so does a number of partitions that is another one now.
 * 4. A write ends within `kafkaWriteMaxMs`, whatever the brokers do: who sent the event hears what
 *    became of it while it still listens.
 * 5. Into a topic that is compacted nothing is written unless the configuration says so: it would
 *    be answered as stored, and be dropped for a later event of its key.
 */
import type { KafkaCompression } from '../../../schemas/kafka-compressions.ts';
import { assert } from '../../../schemas/kernel/assert.ts';
import { backoffMs } from '../../../schemas/kernel/backoff.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { sleep } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import { within } from '../../../schemas/kernel/within.ts';
import { limits } from '../../../schemas/limits.ts';
import type { OutgoingRecord } from '../../../schemas/ports/record.ts';
import type {
  RecordWriter,
  StreamDescription,
  WriteOutcome,
} from '../../../schemas/ports/record-writer.ts';
import { isForGood } from '../../../schemas/ports/record-writer.ts';
import { inTurn, sendInHalves } from '../halves.ts';
import type { FailureNews } from '../told-failures.ts';
import { ToldFailures } from '../told-failures.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import type { KafkaFailure } from './kafka-failure.ts';
import { deriveKafkaFailure } from './kafka-failure.ts';
import type { Failure } from './kafka-outcomes.ts';
import {
  compactedError,
  describeError,
  fixOf,
  outcomeOf,
  refused,
  warningsOf,
} from './kafka-outcomes.ts';
import type { KafkaMessage, TopicDescription } from './kafka-producer.ts';
import { describeTopic, requireCodec } from './kafka-producer.ts';
import type { KafkaRequest, KafkaSender, WriteTime } from './kafka-sender.ts';
import { createKafkaSender, decideTriesUntil, kafkaBackoff } from './kafka-sender.ts';
import { decidePartitions, messageOf, recordMaxBytesOf, requestsOf } from './pack-records.ts';
import type { TopicDescriptions } from './topic-descriptions.ts';
import { createTopicDescriptions } from './topic-descriptions.ts';

/**
 * A write with all its tries: longer than the brokers take to see that one of them is gone
 * (`broker.session.timeout.ms`, 9 s) and the new leader to be found.
 */
export const kafkaWriteMaxMs = 12_000;
assert(kafkaWriteMaxMs < limits.writeMaxMs, 'a write to Kafka ends by its own bound first');
assert(
  kafkaWriteMaxMs + limits.writeAgainMaxMs < 15_000,
  'who sends an event hears within 15 s that Kafka did not take it',
);

export interface KafkaWriterOptions extends FailureNews {
  readonly connection: KafkaConnection;
  /** Topics by `team/app`. */
  readonly topics: ReadonlyMap<string, string>;
  readonly clock: Clock;
  /** Of each request's records together. Default: none. */
  readonly compression?: KafkaCompression;
  readonly random?: Random;
  /** What becomes of topics that are compacted. Default `refuse`. */
  readonly compactedTopics?: 'refuse' | 'accept';
}

interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly time: WriteTime;
}

/**
 * @example
 * const connection = { brokers: ['b-1.example:9098'], tls: true, clientId: 'sluice', auth };
 * createKafkaWriter({ connection, topics: new Map([['rpp/clicks', 'rpp-clicks-dev']]), clock });
 */
export function createKafkaWriter(options: KafkaWriterOptions): RecordWriter {
  return new KafkaWriter(options);
}

class KafkaWriter implements RecordWriter {
  readonly route = 'kafka';
  readonly #topics: ReadonlyMap<string, string>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #compression: KafkaCompression;
  readonly #refusesCompacted: boolean;
  readonly #descriptions: TopicDescriptions<TopicDescription>;
  readonly #sender: KafkaSender;
  readonly #told: ToldFailures;
  /** The last request of each partition. */
  readonly #queues = new Map<string, Promise<unknown>>();
  readonly #underWay = new Set<Promise<unknown>>();
  #closed = false;

  constructor(options: KafkaWriterOptions) {
    const { connection, topics, clock, random = systemRandom, compression = 'none' } = options;
    this.#topics = topics;
    this.#clock = clock;
    this.#random = random;
    this.#compression = compression;
    this.#refusesCompacted = (options.compactedTopics ?? 'refuse') === 'refuse';
    const descriptions = createTopicDescriptions(
      (topic) => describeTopic(connection, topic),
      clock,
    );
    const saw = (topic: string, partitions: number): void => descriptions.saw(topic, partitions);
    this.#descriptions = descriptions;
    this.#sender = createKafkaSender({ connection, compression, clock, random, saw });
    this.#told = new ToldFailures(options);
  }

  async describe(stream: string): Promise<StreamDescription> {
    const topic = this.#topics.get(stream);
    if (topic === undefined) throw new SluiceError('stream-missing', missing(stream));
    requireCodec(this.#compression);
    this.#descriptions.forget(topic);
    const found = await this.#descriptions
      .of(topic)
      .catch((thrown: unknown) => Promise.reject(describeError(topic, thrown)));
    if (found.compacted && this.#refusesCompacted) throw compactedError(topic);
    const splits = Array.from({ length: found.partitions }, (_, n) => `partition-${n}`);
    return { recordMaxBytes: recordMaxBytesOf(found), splits, warnings: warningsOf(topic, found) };
  }

  write(stream: string, records: readonly OutgoingRecord[]): Promise<readonly WriteOutcome[]> {
    if (this.#closed)
      return Promise.resolve(records.map(() => refused('closed', 'the writer is closed', true)));
    const writing = this.#writeAll(stream, records).finally(() => this.#underWay.delete(writing));
    this.#underWay.add(writing);
    return writing;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#underWay);
    await this.#sender.close();
  }

  async #writeAll(
    stream: string,
    records: readonly OutgoingRecord[],
  ): Promise<readonly WriteOutcome[]> {
    const topic = this.#topics.get(stream);
    const startedMs = this.#clock.monotonic();
    const time: WriteTime = { startedMs, untilMs: startedMs + kafkaWriteMaxMs };
    if (topic === undefined) {
      const failure = refused('stream-missing', missing(stream), false);
      return records.map(() => failure);
    }
    const found = await this.#writable(stream, topic, time);
    if ('kind' in found) return records.map(() => found);
    const { outcomes, byPartition } = decidePartitions(records, found);
    await Promise.all(
      [...byPartition].map(async ([partition, indices]) => {
        const requests = requestsOf(indices, records, found.batchMaxBytes).map((own) =>
          own.map((index) => messageOf(records[index] as OutgoingRecord)),
        );
        const placed = await this.#enqueue(stream, { topic, partition, time }, requests);
        for (const [at, index] of indices.entries()) outcomes[index] = placed[at] as WriteOutcome;
      }),
    );
    return outcomes;
  }

  /** The topic as it is described, or why nothing can be written to it. */
  async #writable(
    stream: string,
    topic: string,
    time: WriteTime,
  ): Promise<TopicDescription | Failure> {
    let found: TopicDescription;
    try {
      found = await this.#described(topic, time);
    } catch (thrown) {
      const kind = deriveKafkaFailure(thrown);
      const failure = outcomeOf({ failure: kind, mayHold: false });
      this.#told.tell(stream, topic, failure, fixOf(kind, topic), thrown);
      return failure;
    }
    if (!found.compacted || !this.#refusesCompacted) return found;
    const what = 'the stream keeps only the newest event of each key';
    const failure = refused('stream-compacted', what, true);
    const error = compactedError(topic);
    this.#told.tell(stream, topic, failure, error.fix, error);
    return failure;
  }

  /** Tried again as a request is. Rejects with the last try's error. */
  async #described(topic: string, time: WriteTime): Promise<TopicDescription> {
    const clock = this.#clock;
    for (let attempt = 0; ; attempt++) {
      try {
        const asking = this.#descriptions.of(topic);
        return await within(clock, time.untilMs - clock.monotonic(), asking, () => {
          return new SluiceError('write-timeout', 'the brokers did not answer in time');
        });
      } catch (thrown) {
        const pauseMs = backoffMs(attempt, kafkaBackoff, this.#random);
        const endMs = decideTriesUntil(
          { failure: deriveKafkaFailure(thrown), mayHold: false, connected: false },
          time,
        );
        if (endMs === undefined || clock.monotonic() + pauseMs >= endMs) throw thrown;
        await sleep(clock, pauseMs);
      }
    }
  }

  /**
   * Requests for one partition in order, after what is in flight for it. Behind one that failed
   * none is sent.
   */
  #enqueue(
    stream: string,
    { topic, partition, time }: Place,
    requests: readonly (readonly KafkaMessage[])[],
  ): Promise<readonly WriteOutcome[]> {
    const name = `${topic} ${partition}`;
    const turn = (this.#queues.get(name) ?? Promise.resolve()).then(() =>
      inTurn(requests, (whole) =>
        sendInHalves(whole, (messages) => this.#send(stream, { topic, partition, messages }, time)),
      ),
    );
    this.#queues.set(name, turn);
    void turn.finally(() => {
      if (this.#queues.get(name) === turn) this.#queues.delete(name);
    });
    return turn;
  }

  /** One request; the outcomes of its records. */
  async #send(
    stream: string,
    request: KafkaRequest,
    time: WriteTime,
  ): Promise<readonly WriteOutcome[]> {
    const { topic, partition, messages } = request;
    const result = await this.#sender.send(request, time);
    if (result.kind === 'sent') {
      this.#told.worked(topic);
      return messages.map((_, n) => ({
        kind: 'applied',
        split: `partition-${partition}`,
        position: String(result.first + BigInt(n)),
      }));
    }
    if (describesNoMore.has(result.failure)) this.#descriptions.forget(topic);
    const failure = outcomeOf(result);
    // Of what goes again in halves the record at fault is reported.
    if (messages.length === 1 || !isForGood(failure))
      this.#told.tell(stream, topic, failure, fixOf(result.failure, topic), result.cause);
    return messages.map(() => failure);
  }
}

/** What says that the topic is not as it was described. */
const describesNoMore: ReadonlySet<KafkaFailure> = new Set([
  'topic-missing',
  'partition-missing',
  'stale',
  'too-large',
]);

const missing = (stream: string): string => `there is no topic for '${stream}'`;

/**
 * The large path on Kafka: idempotent, acks=all, one producer for all topics, one request under way
 * a partition.
 *
 * Invariants:
 * 1. `applied` is said only of what all in-sync replicas have, at the offset that the broker gave.
 *    A request that failed is `unknown` for all its records, unless Kafka itself said that it took
 *    none, or nothing was sent (kafka-outcomes.ts).
 * 2. A request is one batch of at most what the topic takes; a record that is larger is refused
 *    alone, and so is one that only the broker finds too large or not valid: the others of its
 *    batch go again (halves.ts). Requests for one partition go one after the other, and behind one
 *    that failed none goes: it would overtake it.
 * 3. A failure that says that the topic is not what it was has it described anew before the next
 *    write (topic-descriptions.ts); so does a number of partitions that is another one now.
 * 4. A write ends within `kafkaWriteMaxMs`, whatever the brokers do: who sent the event hears what
 *    became of it while it still listens.
 * 5. Into a topic that is compacted nothing is written unless the configuration says so: it would
 *    be answered as stored, and be dropped for a later event of its key.
 */
import type { KafkaCompression } from '../../../schemas/kafka-compressions.ts';
import { backoffMs } from '../../../schemas/kernel/backoff.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { sleep } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import { within } from '../../../schemas/kernel/within.ts';
import { limits } from '../../../schemas/limits.ts';
import type { OutgoingRecord } from '../../../schemas/ports/record.ts';
import type { RecordWriter, WriteOutcome } from '../../../schemas/ports/record-writer.ts';
import { isForGood } from '../../../schemas/ports/record-writer.ts';
import { inTurn, sendInHalves } from '../halves.ts';
import { partitionOfKey } from '../kafka-partition.ts';
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
import type { KafkaRequest, WriteTime } from './kafka-sender.ts';
import { createKafkaSender, decideTriesUntil, kafkaBackoff } from './kafka-sender.ts';
import { createTopicDescriptions } from './topic-descriptions.ts';

export interface KafkaWriterOptions {
  readonly connection: KafkaConnection;
  /** Topics by `team/app`. */
  readonly topics: ReadonlyMap<string, string>;
  readonly clock: Clock;
  /** Of each request's records together. Default: none. */
  readonly compression?: KafkaCompression;
  readonly random?: Random;
  /** What becomes of topics that are compacted. Default `refuse`. */
  readonly compactedTopics?: 'refuse' | 'accept';
  /**
   * Told of each request that failed, with the client's own error: it may name principals, which
   * outcomes do not. One that does not pass by itself has a `fix`, and is told once until the topic
   * takes something again.
   */
  readonly tell?: (stream: string, failure: ToldFailure, cause: unknown) => void;
  /** Called for each request that failed of what does not pass by itself. */
  readonly failedForGood?: () => void;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly time: WriteTime;
}

export interface ToldFailure {
  readonly code: string;
  readonly message: string;
  readonly fix?: string;
}

/**
 * @example createKafkaWriter({ connection: { brokers: ['b-1.example:9098'], tls: true, clientId: 'sluice', auth }, topics: new Map([['rpp/clicks', 'rpp-clicks-dev']]), clock })
 */
export function createKafkaWriter(options: KafkaWriterOptions): RecordWriter {
  const {
    connection,
    topics,
    clock,
    random = systemRandom,
    compression = 'none',
    compactedTopics = 'refuse',
  } = options;
  const descriptions = createTopicDescriptions((topic) => describeTopic(connection, topic), clock);
  const sender = createKafkaSender({
    connection,
    compression,
    clock,
    random,
    saw: (topic, partitions) => descriptions.saw(topic, partitions),
  });
  /** The last request of each partition. */
  const queues = new Map<string, Promise<unknown>>();
  const underWay = new Set<Promise<unknown>>();
  let closed = false;
  /** Failures that do not pass, and were told, by topic. */
  const toldOf = new Map<string, string>();

  const tell = (
    stream: string,
    topic: string,
    { code, message }: Failure,
    fix: string | undefined,
    cause: unknown,
  ): void => {
    if (fix === undefined) return options.tell?.(stream, { code, message }, cause);
    options.failedForGood?.();
    if (toldOf.get(topic) === code) return;
    toldOf.set(topic, code);
    options.tell?.(stream, { code, message, fix }, cause);
  };

  /** One request; the outcomes of its records. */
  const send = async (
    stream: string,
    request: KafkaRequest,
    time: WriteTime,
  ): Promise<readonly WriteOutcome[]> => {
    const { topic, partition, messages } = request;
    const result = await sender.send(request, time);
    if (result.kind === 'sent') {
      toldOf.delete(topic);
      return messages.map((_, n) => ({
        kind: 'applied',
        split: `partition-${partition}`,
        position: String(result.first + BigInt(n)),
      }));
    }
    if (describesNoMore.has(result.failure)) descriptions.forget(topic);
    const failure = outcomeOf(result);
    // Of what goes again in halves the record at fault is told of.
    if (messages.length === 1 || !isForGood(failure))
      tell(stream, topic, failure, fixOf(result.failure, topic), result.cause);
    return messages.map(() => failure);
  };

  /**
   * Requests for one partition in order, after what is under way for it. Behind one that failed
   * none is sent.
   */
  const enqueue = (
    stream: string,
    place: Place,
    requests: readonly (readonly KafkaMessage[])[],
  ): Promise<readonly WriteOutcome[]> => {
    const { topic, partition, time } = place;
    const name = `${topic} ${partition}`;
    const turn = (queues.get(name) ?? Promise.resolve()).then(() =>
      inTurn(requests, (whole) =>
        sendInHalves(whole, (messages) => send(stream, { topic, partition, messages }, time)),
      ),
    );
    queues.set(name, turn);
    void turn.finally(() => {
      if (queues.get(name) === turn) queues.delete(name);
    });
    return turn;
  };

  /** Tried again as a request is. Rejects with the last try's error. */
  const described = async (topic: string, time: WriteTime): Promise<TopicDescription> => {
    for (let attempt = 0; ; attempt++) {
      try {
        return await within(clock, time.untilMs - clock.monotonic(), descriptions.of(topic), () => {
          return new SluiceError('write-timeout', 'the brokers did not answer in time');
        });
      } catch (thrown) {
        const pauseMs = backoffMs(attempt, kafkaBackoff, random);
        const endMs = decideTriesUntil(
          { failure: deriveKafkaFailure(thrown), mayHold: false, connected: false },
          time,
        );
        if (endMs === undefined || clock.monotonic() + pauseMs >= endMs) throw thrown;
        await sleep(clock, pauseMs);
      }
    }
  };

  const writeAll = async (
    stream: string,
    records: readonly OutgoingRecord[],
  ): Promise<readonly WriteOutcome[]> => {
    const topic = topics.get(stream);
    const startedMs = clock.monotonic();
    const time: WriteTime = { startedMs, untilMs: startedMs + limits.kafkaWriteMaxMs };
    const all = (failure: Failure): readonly WriteOutcome[] => records.map(() => failure);
    if (topic === undefined) return all(refused('stream-missing', missing(stream), false));
    let found: TopicDescription;
    try {
      found = await described(topic, time);
    } catch (thrown) {
      const kind = deriveKafkaFailure(thrown);
      const failure = outcomeOf({ failure: kind, mayHold: false });
      tell(stream, topic, failure, fixOf(kind, topic), thrown);
      return all(failure);
    }
    if (found.compacted && compactedTopics === 'refuse') {
      const failure = refused(
        'stream-compacted',
        'the stream keeps only the newest event of each key',
        true,
      );
      const error = compactedError(topic);
      tell(stream, topic, failure, error.fix, error);
      return all(failure);
    }
    const outcomes: WriteOutcome[] = [];
    const recordMaxBytes = recordMaxBytesOf(found);
    const byPartition = new Map<number, number[]>();
    for (const [index, record] of records.entries()) {
      const problem = problemOf(record, recordMaxBytes);
      if (problem !== undefined) {
        outcomes[index] = problem;
        continue;
      }
      const partition = partitionOfKey(record.key, found.partitions);
      const indices = byPartition.get(partition);
      if (indices === undefined) byPartition.set(partition, [index]);
      else indices.push(index);
    }
    await Promise.all(
      [...byPartition].map(async ([partition, indices]) => {
        const requests = requestsOf(indices, records, found.batchMaxBytes).map((own) =>
          own.map((index) => messageOf(records[index] as OutgoingRecord)),
        );
        const placed = await enqueue(stream, { topic, partition, time }, requests);
        for (const [at, index] of indices.entries()) outcomes[index] = placed[at] as WriteOutcome;
      }),
    );
    return outcomes;
  };

  return {
    path: 'kafka',
    async describe(stream) {
      const topic = topics.get(stream);
      if (topic === undefined) throw new SluiceError('stream-missing', missing(stream));
      requireCodec(compression);
      descriptions.forget(topic);
      const found = await descriptions
        .of(topic)
        .catch((thrown: unknown) => Promise.reject(describeError(topic, thrown)));
      if (found.compacted && compactedTopics === 'refuse') throw compactedError(topic);
      const splits = Array.from({ length: found.partitions }, (_, n) => `partition-${n}`);
      return {
        recordMaxBytes: recordMaxBytesOf(found),
        splits,
        warnings: warningsOf(topic, found),
      };
    },
    write(stream, records) {
      if (closed)
        return Promise.resolve(records.map(() => refused('closed', 'the writer is closed', true)));
      const writing = writeAll(stream, records).finally(() => underWay.delete(writing));
      underWay.add(writing);
      return writing;
    },
    async close() {
      closed = true;
      await Promise.all(underWay);
      await sender.close();
    },
  };
}

/** What says that the topic is not as it was described. */
const describesNoMore: ReadonlySet<KafkaFailure> = new Set([
  'topic-missing',
  'partition-missing',
  'stale',
  'too-large',
]);

const recordMaxBytesOf = ({ batchMaxBytes }: TopicDescription): number =>
  batchMaxBytes - limits.kafkaRecordOverheadBytes;

/** Key, value and headers, with what the headers take themselves. */
function bytesOf({ key, value, headers = {} }: OutgoingRecord): number {
  let bytes = Buffer.byteLength(key);
  for (const piece of value) bytes += piece.length;
  for (const [name, text] of Object.entries(headers))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(text) + limits.kafkaHeaderOverheadBytes;
  return bytes;
}

function problemOf(record: OutgoingRecord, recordMaxBytes: number): Failure | undefined {
  if (record.key === '' || [...record.key].length > limits.partitionKeyMaxChars) {
    return refused(
      'key-invalid',
      `a partition key has 1 to ${limits.partitionKeyMaxChars} characters`,
      false,
    );
  }
  const bytes = bytesOf(record);
  return bytes > recordMaxBytes
    ? refused(
        'record-too-large',
        `the record has ${bytes} bytes; at most ${recordMaxBytes} are taken`,
        false,
      )
    : undefined;
}

/** Runs of records that fit one batch, in order. */
function requestsOf(
  indices: readonly number[],
  records: readonly OutgoingRecord[],
  batchMaxBytes: number,
): readonly (readonly number[])[] {
  const requests: number[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const index of indices) {
    const own = bytesOf(records[index] as OutgoingRecord) + limits.kafkaRecordOverheadBytes;
    if (bytes + own > batchMaxBytes) {
      requests.push([]);
      bytes = 0;
    }
    requests.at(-1)?.push(index);
    bytes += own;
  }
  return requests;
}

function messageOf({ key, value, headers = {} }: OutgoingRecord): KafkaMessage {
  return { key, value: Buffer.concat(value as Uint8Array[]), headers };
}

const missing = (stream: string): string => `there is no topic for '${stream}'`;

/**
 * The large path on Kafka: idempotent, acks=all, one producer for all topics, one request under way a partition.
 *
 * Invariants:
 * 1. `applied` is said only of what all in-sync replicas have, at the offset that the broker gave. A request that failed is `unknown` for all its
 *    records, unless Kafka itself said that it took none, or nothing was sent.
 * 2. After a failed request its producer takes no more (kafka-producer.ts); the next write makes a new one.
 * 3. A request is one batch of at most what the topic takes; a record that is larger is refused alone, and so is one that
 *    only the broker finds too large or not valid: the others of its batch go again (halves.ts).
 * 4. A failure that says that the topic is not what it was has it described anew before the next write (topic-descriptions.ts); so does a number of
 *    partitions that is another one now.
 * 5. Credentials of another principal get a new producer; requests that are under way end on the old one.
 */

import type { KafkaCompression } from '../../schemas/kafka-codecs/codecs.ts';
import type { KafkaFailure } from '../../schemas/kafka-failure.ts';
import { deriveKafkaFailure } from '../../schemas/kafka-failure.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { KafkaConnection } from '../../schemas/ports/kafka-connection.ts';
import type { OutgoingRecord } from '../../schemas/ports/record.ts';
import type { RecordWriter, WriteOutcome } from '../../schemas/ports/record-writer.ts';
import { isForGood, sendInHalves } from '../delivery/halves.ts';
import type { KafkaMessage, KafkaProducer, TopicDescription } from './kafka-producer.ts';
import { createKafkaProducer, describeTopic, partitionOf, requireCodec } from './kafka-producer.ts';
import { createTopicDescriptions } from './topic-descriptions.ts';

type Failure = Exclude<WriteOutcome, { kind: 'applied' }>;

export interface KafkaWriterOptions {
  readonly connection: KafkaConnection;
  /** Topics by `team/app`. */
  readonly topics: ReadonlyMap<string, string>;
  readonly clock: Clock;
  /** Of each request's records together. Default: none. */
  readonly compression?: KafkaCompression;
  /** Told of each request that failed, with the client's own error: it may name principals, which outcomes do not. */
  readonly tell?: (stream: string, failure: { readonly code: string }, cause: unknown) => void;
}

/** A producer and the principal that it speaks for. */
interface Client {
  readonly producer: KafkaProducer;
  readonly principal: string | undefined;
  underWay: number;
  spent: boolean;
}

/** What goes to one partition at once. */
interface KafkaRequest {
  readonly stream: string;
  readonly topic: string;
  readonly partition: number;
  readonly messages: readonly KafkaMessage[];
}

/** @example createKafkaWriter({ connection: { brokers: ['b-1.example:9098'], tls: true, clientId: 'sluice', auth }, topics: new Map([['rpp/clicks', 'rpp-clicks-dev']]), clock }) */
export function createKafkaWriter({ connection, topics, clock, compression = 'none', tell }: KafkaWriterOptions): RecordWriter {
  const descriptions = createTopicDescriptions((topic) => describeTopic(connection, topic), clock);
  /** The last request of each partition. */
  const queues = new Map<string, Promise<unknown>>();
  const underWay = new Set<Promise<unknown>>();
  let client: Promise<Client> | undefined;
  /** What `client` has become. */
  let active: Client | undefined;
  let closed = false;

  const connect = async (principal: string | undefined): Promise<Client> => {
    const producer = createKafkaProducer(connection, compression, (topic, partitions) => descriptions.saw(topic, partitions));
    try {
      await producer.connect();
    } catch (thrown) {
      await producer.disconnect().catch(() => undefined);
      throw thrown;
    }
    return { producer, principal, underWay: 0, spent: false };
  };

  const letGo = (of: Client): void => {
    if (of.spent && of.underWay === 0) void of.producer.disconnect().catch(() => undefined);
  };

  const retire = (of: Client): void => {
    of.spent = true;
    // A later one may be there already.
    if (active === of) {
      active = undefined;
      client = undefined;
    }
    letGo(of);
  };

  /** The producer to use now. Rejects when there can be none: then nothing was sent. */
  const current = async (): Promise<Client> => {
    const principal = connection.auth === undefined ? undefined : (await connection.auth.token()).principal;
    const found = client === undefined ? undefined : await client;
    if (found !== undefined && found.principal === principal && !found.spent) return found;
    if (found !== undefined) retire(found);
    client ??= connect(principal).then(
      (made) => {
        active = made;
        return made;
      },
      (thrown: unknown) => {
        client = undefined;
        throw thrown;
      },
    );
    return client;
  };

  /** One request; the outcomes of its records. */
  const send = async ({ stream, topic, partition, messages }: KafkaRequest): Promise<readonly WriteOutcome[]> => {
    const fail = (failure: Failure, cause: unknown): readonly WriteOutcome[] => {
      // Of what goes again in halves the record at fault is told of.
      if (messages.length === 1 || !isForGood(failure)) tell?.(stream, failure, cause);
      return messages.map(() => failure);
    };
    let using: Client;
    try {
      using = await current();
    } catch (thrown) {
      return fail(unsentFailure(deriveKafkaFailure(thrown)), thrown);
    }
    using.underWay++;
    try {
      const first = await using.producer.send(topic, partition, messages);
      return messages.map((_, n) => ({ kind: 'applied', split: `partition-${partition}`, position: String(first + BigInt(n)) }));
    } catch (thrown) {
      retire(using);
      const failure = deriveKafkaFailure(thrown);
      if (describesNoMore.has(failure)) descriptions.forget(topic);
      return fail(sentFailure(failure), thrown);
    } finally {
      using.underWay--;
      letGo(using);
    }
  };

  /** After what is under way for the partition. */
  const enqueue = (request: KafkaRequest): Promise<readonly WriteOutcome[]> => {
    const place = `${request.topic} ${request.partition}`;
    const turn = (queues.get(place) ?? Promise.resolve()).then(() =>
      sendInHalves(request.messages, (messages) => send({ ...request, messages })),
    );
    queues.set(place, turn);
    void turn.finally(() => {
      if (queues.get(place) === turn) queues.delete(place);
    });
    return turn;
  };

  const writeAll = async (stream: string, records: readonly OutgoingRecord[]): Promise<readonly WriteOutcome[]> => {
    const topic = topics.get(stream);
    const all = (failure: Failure): readonly WriteOutcome[] => records.map(() => failure);
    if (topic === undefined) return all(refused('stream-missing', missing(stream), false));
    let found: TopicDescription;
    try {
      found = await descriptions.of(topic);
    } catch (thrown) {
      const failure = unsentFailure(deriveKafkaFailure(thrown));
      tell?.(stream, failure, thrown);
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
      const partition = partitionOf(topic, record.key, found.partitions);
      const indices = byPartition.get(partition);
      if (indices === undefined) byPartition.set(partition, [index]);
      else indices.push(index);
    }
    await Promise.all(
      [...byPartition].flatMap(([partition, indices]) =>
        requestsOf(indices, records, found.batchMaxBytes).map(async (own) => {
          const messages = own.map((index) => messageOf(records[index] as OutgoingRecord));
          const placed = await enqueue({ stream, topic, partition, messages });
          for (const [at, index] of own.entries()) outcomes[index] = placed[at] as WriteOutcome;
        }),
      ),
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
      const found = await descriptions.of(topic).catch((thrown: unknown) => Promise.reject(asError(topic, thrown)));
      return { recordMaxBytes: recordMaxBytesOf(found), splits: Array.from({ length: found.partitions }, (_, n) => `partition-${n}`) };
    },
    write(stream, records) {
      if (closed) return Promise.resolve(records.map(() => refused('closed', 'the writer is closed', true)));
      const writing = writeAll(stream, records).finally(() => underWay.delete(writing));
      underWay.add(writing);
      return writing;
    },
    async close() {
      closed = true;
      await Promise.all(underWay);
      const last = await client?.catch(() => undefined);
      await last?.producer.disconnect().catch(() => undefined);
    },
  };
}

/** What says that the topic is not as it was described. */
const describesNoMore: ReadonlySet<KafkaFailure> = new Set(['topic-missing', 'partition-missing', 'stale', 'too-large']);

const recordMaxBytesOf = ({ batchMaxBytes }: TopicDescription): number => batchMaxBytes - limits.kafkaRecordOverheadBytes;

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
    return refused('key-invalid', `a partition key has 1 to ${limits.partitionKeyMaxChars} characters`, false);
  }
  const bytes = bytesOf(record);
  return bytes > recordMaxBytes
    ? refused('record-too-large', `the record has ${bytes} bytes; at most ${recordMaxBytes} are taken`, false)
    : undefined;
}

/** Runs of records that fit one batch, in order. */
function requestsOf(indices: readonly number[], records: readonly OutgoingRecord[], batchMaxBytes: number): readonly (readonly number[])[] {
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

function unsentFailure(failure: KafkaFailure): Failure {
  if (failure === 'denied' || failure === 'principal-changed') return refused('stream-denied', 'the stream may not be written now', true);
  if (failure === 'topic-missing') return refused('stream-missing', 'the stream is not there', true);
  return refused('stream-unreachable', 'the stream cannot be reached', true);
}

function sentFailure(failure: KafkaFailure): Failure {
  switch (failure) {
    case 'too-large':
      return refused('record-too-large', 'the stream does not take a record of that size', false);
    case 'not-valid':
      return refused('stream-refused', 'the stream does not take this record', false);
    case 'codec-refused':
      return refused('stream-refused', 'the stream does not take records that are compressed as `kafka.compression` says', true);
    case 'partition-missing':
      // What an earlier try may have put there is gone with the topic that had it.
      return refused('stream-changed', 'the stream was created again with fewer partitions', true);
    case 'denied':
    case 'topic-missing':
    case 'topic-replaced':
    case 'stale':
    case 'principal-changed':
    case 'not-connected':
    case 'out-of-range':
    case 'unclear':
      // An earlier try of the same request may have been carried out.
      return { kind: 'unknown', code: 'reply-missing', message: 'the stream did not say what became of the record' };
  }
}

function asError(topic: string, thrown: unknown): SluiceError {
  const of = `Kafka topic '${topic}'`;
  switch (deriveKafkaFailure(thrown)) {
    case 'denied':
    case 'principal-changed':
      return new SluiceError('stream-denied', `${of}: its description is not allowed to these credentials`, {
        cause: thrown,
        fix: 'allow kafka-cluster:Connect, DescribeTopic, DescribeTopicDynamicConfiguration, WriteData and WriteDataIdempotently',
      });
    case 'topic-missing':
      return new SluiceError('stream-missing', `${of}: it is not there`, { cause: thrown, fix: 'create it, or correct kafka_topic' });
    case 'partition-missing':
    case 'topic-replaced':
    case 'stale':
    case 'too-large':
    case 'not-valid':
    case 'out-of-range':
    case 'codec-refused':
    case 'not-connected':
    case 'unclear':
      return new SluiceError('stream-unreachable', `${of}: the brokers cannot be asked`, { cause: thrown, retryable: true });
  }
}

const missing = (stream: string): string => `there is no topic for '${stream}'`;

function refused(code: string, message: string, retryable: boolean): Extract<Failure, { kind: 'refused' }> {
  return { kind: 'refused', code, message, retryable };
}

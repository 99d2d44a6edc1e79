/**
 * Requests to Kafka with their tries, over one producer for all topics.
 *
 * Invariants:
 * 1. Once a try may have put its records into the topic, the others go by the same producer, with
 *    the same sequence number: the broker drops what it has already. So a broker may be rolled, or
 *    end, without anything lost or there twice.
 * 2. A try that is given up is not sent any more.
 * 3. A request that may be in the topic after all its tries retires its producer: the broker may
 *    hold its sequence number, and would take the next request for a repetition of that one, and
 *    say so as success.
 * 4. Whatever the world does, a request ends at `untilMs`.
 * 5. Credentials of another principal get a new producer; requests that are under way end on the
 *    old one.
 */
import type { KafkaCompression } from '../../../schemas/kafka-compressions.ts';
import { backoffMs } from '../../../schemas/kernel/backoff.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { sleep } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import { within } from '../../../schemas/kernel/within.ts';
import { limits } from '../../../schemas/limits.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import type { KafkaFailure } from './kafka-failure.ts';
import { deriveKafkaFailure } from './kafka-failure.ts';
import type { FailedRequest } from './kafka-outcomes.ts';
import type { KafkaMessage, KafkaProducer } from './kafka-producer.ts';
import { createKafkaProducer, isUntaken } from './kafka-producer.ts';

/** What goes to one partition at once. */
export interface KafkaRequest {
  readonly topic: string;
  readonly partition: number;
  readonly messages: readonly KafkaMessage[];
}

/** When its write began, and when it ends whatever became of it. Monotonic. */
export interface WriteTime {
  readonly startedMs: number;
  readonly untilMs: number;
}

export type SendResult = { readonly kind: 'sent'; readonly first: bigint } | FailedRequest;

export interface KafkaSender {
  /** At most one at a time for a partition. Never rejects. */
  send(request: KafkaRequest, time: WriteTime): Promise<SendResult>;
  /** Nothing is under way any more. */
  close(): Promise<void>;
}

/** A producer and the principal that it speaks for. */
interface Client {
  readonly producer: KafkaProducer;
  readonly principal: string | undefined;
  underWay: number;
  spent: boolean;
}

/** Between tries. */
export const kafkaBackoff = { baseMs: limits.kafkaRetryBaseMs, maxMs: limits.kafkaRetryMaxMs };

/** What trying again does not change, or not before the topic is described anew. */
const lasting: ReadonlySet<KafkaFailure> = new Set([
  'denied',
  'partition-missing',
  'topic-replaced',
  'too-large',
  'not-valid',
  'codec-refused',
]);
/** What is answered soon where nothing was taken; the rest may be a broker that is rolled. */
const answeredSoon: ReadonlySet<KafkaFailure> = new Set(['replicas-missing', 'topic-missing']);
/** What a broker said: its connection is not to blame. */
const answered: ReadonlySet<KafkaFailure> = new Set([...lasting, ...answeredSoon]);

/**
 * What is known after a try: whether there was a producer, or the brokers could not even be asked.
 */
interface TriesSoFar {
  readonly failure: KafkaFailure;
  readonly mayHold: boolean;
  readonly connected: boolean;
}

/** Until when it is tried again, monotonic ms; undefined: it is not. */
export function decideTriesUntil(
  { failure, mayHold, connected }: TriesSoFar,
  { startedMs, untilMs }: WriteTime,
): number | undefined {
  if (lasting.has(failure) || (failure === 'principal-changed' && mayHold)) return undefined;
  const waits = mayHold || failure === 'stale' || (connected && !answeredSoon.has(failure));
  return waits ? untilMs : Math.min(untilMs, startedMs + limits.kafkaUntakenMaxMs);
}

export interface KafkaSenderOptions {
  readonly connection: KafkaConnection;
  readonly compression: KafkaCompression;
  readonly clock: Clock;
  readonly random: Random;
  /** Told how many partitions a topic has, as a producer's metadata say. */
  readonly saw: (topic: string, partitions: number) => void;
}

export function createKafkaSender({
  connection,
  compression,
  clock,
  random,
  saw,
}: KafkaSenderOptions): KafkaSender {
  let client: Promise<Client> | undefined;
  /** What `client` has become. */
  let active: Client | undefined;

  const connect = async (principal: string | undefined): Promise<Client> => {
    const producer = createKafkaProducer(connection, compression, saw);
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
    const principal =
      connection.auth === undefined ? undefined : (await connection.auth.token()).principal;
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

  const inTime = <T>(untilMs: number, promise: Promise<T>): Promise<T> =>
    within(
      clock,
      untilMs - clock.monotonic(),
      promise,
      () => new SluiceError('write-timeout', 'the brokers did not answer in time'),
    );

  const acquire = async (untilMs: number): Promise<Client> => {
    const found = await inTime(untilMs, current());
    if (found.spent)
      throw new SluiceError('producer-retired', 'the producer was given up meanwhile', {
        retryable: true,
      });
    found.underWay++;
    return found;
  };

  const release = (of: Client): void => {
    of.underWay--;
    letGo(of);
  };

  /** One try. */
  const trySend = async (
    using: Client,
    { topic, partition, messages }: KafkaRequest,
    untilMs: number,
  ): Promise<SendResult> => {
    let isWritten = false;
    let isOver = false;
    const writes = (): void => {
      if (isOver) throw new SluiceError('write-timeout', 'it was given up before it was sent');
      isWritten = true;
    };
    try {
      return {
        kind: 'sent',
        first: await inTime(untilMs, using.producer.send(topic, partition, messages, writes)),
      };
    } catch (thrown) {
      isOver = true;
      return {
        kind: 'failed',
        failure: deriveKafkaFailure(thrown),
        mayHold: isWritten && !isUntaken(thrown),
        cause: thrown,
      };
    }
  };

  const send = async (request: KafkaRequest, time: WriteTime): Promise<SendResult> => {
    let using: Client | undefined;
    let mayHold = false;
    try {
      for (let attempt = 0; ; attempt++) {
        let result: SendResult;
        try {
          using ??= await acquire(time.untilMs);
          result = await trySend(using, request, time.untilMs);
        } catch (thrown) {
          result = {
            kind: 'failed',
            failure: deriveKafkaFailure(thrown),
            mayHold: false,
            cause: thrown,
          };
        }
        if (result.kind === 'sent') return result;
        const { failure, cause } = result;
        mayHold ||= result.mayHold;
        const pauseMs = backoffMs(attempt, kafkaBackoff, random);
        const endMs = decideTriesUntil({ failure, mayHold, connected: using !== undefined }, time);
        if (endMs === undefined || clock.monotonic() + pauseMs >= endMs) {
          if (using !== undefined && (mayHold || !answered.has(failure))) retire(using);
          return { kind: 'failed', failure, mayHold, cause };
        }
        if (using !== undefined && !mayHold) {
          release(using);
          using = undefined;
        }
        await sleep(clock, pauseMs);
      }
    } finally {
      if (using !== undefined) release(using);
    }
  };

  return {
    send,
    async close() {
      const last = await client?.catch(() => undefined);
      await last?.producer.disconnect().catch(() => undefined);
    },
  };
}

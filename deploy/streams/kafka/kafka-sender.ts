/**
 * Requests to Kafka with their tries, over one producer for all topics.
 *
 * Invariants:
 * 1. Once a try may have put its records into the topic, the others go by the same producer, with
 *    the same sequence number: the broker drops what it has already. So a broker may be rolled, or
 *    end, without anything lost or there twice.
 * 2. A try that is given up is no longer sent.
 * 3. A request that may be in the topic after all its tries retires its producer: the broker may
 *    hold its sequence number, and would take the next request for a repetition of that one, and
 *    say so as success.
 * 4. Whatever the world does, a request ends at `untilMs`.
 */
import { backoffMs } from '../../../schemas/kernel/backoff.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { sleep } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import { within } from '../../../schemas/kernel/within.ts';
import type { KafkaFailure } from './kafka-failure.ts';
import { deriveKafkaFailure } from './kafka-failure.ts';
import type { FailedRequest } from './kafka-outcomes.ts';
import type { KafkaMessage } from './kafka-producer.ts';
import { isUntaken } from './kafka-producer.ts';
import type { Client, ProducerOptions } from './kafka-producers.ts';
import { KafkaProducers } from './kafka-producers.ts';

/** A write of which surely nothing is in the topic is answered after this time. */
export const kafkaUntakenMaxMs = 3_000;
/** Pauses between its tries, with full jitter. */
const kafkaRetryBaseMs = 100;
const kafkaRetryMaxMs = 1_000;

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
  /** Nothing is in flight any more. */
  close(): Promise<void>;
}

/** Between tries. */
export const kafkaBackoff = { baseMs: kafkaRetryBaseMs, maxMs: kafkaRetryMaxMs };

/** What trying again does not change, or not before the topic is described again. */
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
  return waits ? untilMs : Math.min(untilMs, startedMs + kafkaUntakenMaxMs);
}

export interface KafkaSenderOptions extends ProducerOptions {
  readonly clock: Clock;
  readonly random: Random;
}

export function createKafkaSender(options: KafkaSenderOptions): KafkaSender {
  return new Sender(options);
}

class Sender implements KafkaSender {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #producers: KafkaProducers;

  constructor({ clock, random, ...producers }: KafkaSenderOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#producers = new KafkaProducers(producers);
  }

  async send(request: KafkaRequest, time: WriteTime): Promise<SendResult> {
    let using: Client | undefined;
    let mayHold = false;
    try {
      for (let attempt = 0; ; attempt++) {
        let result: SendResult;
        try {
          using ??= await this.#acquire(time.untilMs);
          result = await this.#trySend(using, request, time.untilMs);
        } catch (thrown) {
          result = failedBefore(thrown);
        }
        if (result.kind === 'sent') return result;
        const { failure, cause } = result;
        mayHold ||= result.mayHold;
        const pauseMs = backoffMs(attempt, kafkaBackoff, this.#random);
        const endMs = decideTriesUntil({ failure, mayHold, connected: using !== undefined }, time);
        if (endMs === undefined || this.#clock.monotonic() + pauseMs >= endMs) {
          if (using !== undefined && (mayHold || !answered.has(failure)))
            this.#producers.retire(using);
          return { kind: 'failed', failure, mayHold, cause };
        }
        if (using !== undefined && !mayHold) {
          this.#producers.release(using);
          using = undefined;
        }
        await sleep(this.#clock, pauseMs);
      }
    } finally {
      if (using !== undefined) this.#producers.release(using);
    }
  }

  close(): Promise<void> {
    return this.#producers.close();
  }

  async #acquire(untilMs: number): Promise<Client> {
    const found = await this.#inTime(untilMs, this.#producers.current());
    if (found.spent)
      throw new SluiceError('producer-retired', 'the producer was replaced meanwhile', {
        retryable: true,
      });
    found.underWay++;
    return found;
  }

  /** One try. */
  async #trySend(
    using: Client,
    { topic, partition, messages }: KafkaRequest,
    untilMs: number,
  ): Promise<SendResult> {
    let isWritten = false;
    let isOver = false;
    const writes = (): void => {
      if (isOver) throw new SluiceError('write-timeout', 'it was canceled before it was sent');
      isWritten = true;
    };
    try {
      const sending = using.producer.send(topic, partition, messages, writes);
      return { kind: 'sent', first: await this.#inTime(untilMs, sending) };
    } catch (thrown) {
      isOver = true;
      return { ...failedBefore(thrown), mayHold: isWritten && !isUntaken(thrown) };
    }
  }

  #inTime<T>(untilMs: number, promise: Promise<T>): Promise<T> {
    return within(
      this.#clock,
      untilMs - this.#clock.monotonic(),
      promise,
      () => new SluiceError('write-timeout', 'the brokers did not answer in time'),
    );
  }
}

/** Of a request of which nothing was sent. */
function failedBefore(thrown: unknown): FailedRequest {
  return { kind: 'failed', failure: deriveKafkaFailure(thrown), mayHold: false, cause: thrown };
}

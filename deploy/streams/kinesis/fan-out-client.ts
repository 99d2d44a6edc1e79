/**
 * Enhanced fan-out as the source uses it: a consumer of its own, to which Kinesis sends each
 * shard's records, 2 MB a second, whoever else reads the shard. A subscription is an iterator here:
 * it is asked for what has come, one event at a time, and the connection (HTTP/2) holds back what
 * was not asked for.
 * https://docs.aws.amazon.com/streams/latest/dev/building-enhanced-consumers-api.html
 *
 * Invariants:
 * 1. At most one subscription a shard is open: another one closes it.
 * 2. An event says that it found the end only when it was waited for: one that lay in the
 *    connection may be older than the read.
 * 3. A subscription ends after five minutes, or when nothing came for
 *    `kinesisFanOutSilentMs`: as an iterator that has expired, from which the reader goes
 *    on.
 */
import type {
  KinesisClient,
  SubscribeToShardEvent,
  SubscribeToShardEventStream,
} from '@aws-sdk/client-kinesis';
import {
  DescribeStreamConsumerCommand,
  RegisterStreamConsumerCommand,
  ResourceInUseException,
  SubscribeToShardCommand,
} from '@aws-sdk/client-kinesis';
import { NodeHttp2Handler } from '@smithy/node-http-handler';
import { present } from '../../../schemas/kernel/assert.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { sleep } from '../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { within } from '../../../schemas/kernel/within.ts';
import { limits } from '../../../schemas/limits.ts';
import { createKinesisClient, describeStream } from './kinesis-client.ts';
import type {
  KinesisSourceApi,
  KinesisSourceClientOptions,
  ReadRecords,
} from './kinesis-source-client.ts';
import { placeOf, recordOf } from './kinesis-source-client.ts';

/**
 * How long a record is waited for before it counts as sent after that; after how long without a
 * sign of life a subscription is over; how often, and how long apart, a new consumer is looked at
 * until it is active.
 */
const kinesisFanOutFreshMs = 50;
const kinesisFanOutSilentMs = 35_000;
const kinesisConsumerLooksMax = 60;
const kinesisConsumerLookMs = 1_000;

export interface FanOutOptions extends KinesisSourceClientOptions {
  readonly consumer: string;
  readonly clock: Clock;
}

interface Subscription {
  readonly token: string;
  readonly events: AsyncIterator<SubscribeToShardEventStream>;
  /** What is waited for. */
  pending: Promise<IteratorResult<SubscribeToShardEventStream>> | undefined;
  readonly abort: AbortController;
}

/** The consumer of a topology: one consumer gets a shard once, so each has its own. */
export function consumerName(topology: string): string {
  return `sluice-${topology.replace(/[^A-Za-z0-9_.-]/g, '_')}`.slice(0, 128);
}

/**
 * What is not read by subscriptions (shards, the oldest record, the retention) goes by `shared`.
 */
export function fanOutApi(shared: KinesisSourceApi, options: FanOutOptions): KinesisSourceApi {
  const subscriptions = new Subscriptions(options);
  return {
    ...shared,
    isPushed: true,
    actions: {
      iterator:
        'kinesis:SubscribeToShard, kinesis:RegisterStreamConsumer, kinesis:DescribeStreamConsumer or kinesis:DescribeStreamSummary',
      records: 'kinesis:SubscribeToShard',
    },
    iterator: (shard, at) => subscriptions.open(shard, at),
    records: (token) => subscriptions.next(token),
    close() {
      subscriptions.close();
      shared.close();
    },
  };
}

class Subscriptions {
  readonly #streamName: string;
  readonly #consumer: string;
  readonly #clock: Clock;
  readonly #client: KinesisClient;
  readonly #byShard = new Map<string, Subscription>();
  /** The consumer's ARN, once it is active. */
  #registered: Promise<string> | undefined;
  #opened = 0;

  constructor({ streamName, consumer, clock, ...options }: FanOutOptions) {
    this.#streamName = streamName;
    this.#consumer = consumer;
    this.#clock = clock;
    // A connection a subscription: one that is not read holds back no other.
    const subscribing = new NodeHttp2Handler({
      disableConcurrentStreams: true,
      requestTimeout: kinesisFanOutSilentMs,
    });
    this.#client = createKinesisClient(options, subscribing);
  }

  /** The token of a subscription to `shard`, in place of the one before. */
  async open(shard: string, at: Parameters<KinesisSourceApi['iterator']>[1]): Promise<string> {
    this.#end(shard);
    this.#registered ??= this.#register();
    const ConsumerARN = await this.#registered.catch((thrown: unknown) => {
      this.#registered = undefined;
      throw thrown;
    });
    const {
      ShardIteratorType: Type,
      StartingSequenceNumber: SequenceNumber,
      Timestamp,
    } = placeOf(at);
    const StartingPosition = {
      Type,
      ...(SequenceNumber === undefined ? {} : { SequenceNumber }),
      ...(Timestamp === undefined ? {} : { Timestamp }),
    };
    const abort = new AbortController();
    const asked = new SubscribeToShardCommand({ ConsumerARN, ShardId: shard, StartingPosition });
    const { EventStream: stream } = await this.#client.send(asked, { abortSignal: abort.signal });
    const token = `${shard} ${this.#opened++}`;
    const events = present(stream, 'the events of a subscription')[Symbol.asyncIterator]();
    this.#byShard.set(shard, { token, events, pending: undefined, abort });
    return token;
  }

  /** The next event; undefined where none came in `limits.kinesisFanOutWaitMs`. */
  async next(token: string): Promise<ReadRecords | undefined> {
    const [shard = ''] = token.split(' ');
    const open = this.#byShard.get(shard);
    if (open?.token !== token) throw expired();
    const begunMs = this.#clock.monotonic();
    open.pending ??= open.events.next();
    const next = await within(
      this.#clock,
      limits.kinesisFanOutWaitMs,
      open.pending,
      () => new Late(),
    ).catch((thrown: unknown) => {
      if (thrown instanceof Late) return undefined;
      this.#end(shard);
      throw thrown;
    });
    if (next === undefined) return undefined;
    open.pending = undefined;
    if (next.done === true) {
      this.#end(shard);
      throw expired();
    }
    const event = eventOf(next.value);
    const isFresh = this.#clock.monotonic() - begunMs >= kinesisFanOutFreshMs;
    const given = readOf(event, token, isFresh);
    if (given.next === undefined) this.#end(shard);
    return given;
  }

  close(): void {
    for (const shard of this.#byShard.keys()) this.#end(shard);
    this.#client.destroy();
  }

  #end(shard: string): void {
    const open = this.#byShard.get(shard);
    this.#byShard.delete(shard);
    open?.abort.abort();
    open?.pending?.catch(() => undefined);
  }

  async #register(): Promise<string> {
    const summary = await describeStream(this.#client, this.#streamName);
    const of = {
      StreamARN: present(summary?.StreamARN, 'the ARN of a stream'),
      ConsumerName: this.#consumer,
    };
    await this.#client.send(new RegisterStreamConsumerCommand(of)).catch((thrown: unknown) => {
      if (!(thrown instanceof ResourceInUseException)) throw thrown;
    });
    for (let looks = 0; looks < kinesisConsumerLooksMax; looks++) {
      const { ConsumerDescription: found } = await this.#client.send(
        new DescribeStreamConsumerCommand(of),
      );
      if (found?.ConsumerStatus === 'ACTIVE' && found.ConsumerARN !== undefined)
        return found.ConsumerARN;
      await sleep(this.#clock, kinesisConsumerLookMs);
    }
    throw new SluiceError(
      'stream-unreachable',
      `Kinesis stream '${this.#streamName}': the consumer '${this.#consumer}' did not become active`,
      { retryable: true },
    );
  }
}

class Late extends Error {}

/** As Kinesis says it of an iterator. */
function expired(): Error {
  return Object.assign(new Error('the subscription is over'), { name: 'ExpiredIteratorException' });
}

/** Everything else that a stream of events can hold is why it ended. */
function eventOf({
  SubscribeToShardEvent: event,
  ...faults
}: SubscribeToShardEventStream): SubscribeToShardEvent {
  if (event !== undefined) return event;
  throw (
    Object.values(faults).find((fault) => (fault as unknown) instanceof Error) ??
    new Error('an event that is not known')
  );
}

function readOf(
  {
    Records: records = [],
    MillisBehindLatest: behindMs = 0,
    ContinuationSequenceNumber: goesOn,
  }: SubscribeToShardEvent,
  token: string,
  isFresh: boolean,
): ReadRecords {
  // Of a shard that is closed there is nothing to resume from.
  const next = goesOn === undefined ? undefined : token;
  return {
    records: records.map(recordOf),
    next,
    behindMs: isFresh ? behindMs : Math.max(1, behindMs),
  };
}

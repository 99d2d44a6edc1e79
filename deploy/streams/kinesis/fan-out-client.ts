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
 *    `limits.kinesisFanOutSilentMs`: as an iterator that has expired, from which the reader goes
 *    on.
 */
import type { SubscribeToShardEvent, SubscribeToShardEventStream } from '@aws-sdk/client-kinesis';
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
export function fanOutApi(
  shared: KinesisSourceApi,
  { streamName, consumer, clock, ...options }: FanOutOptions,
): KinesisSourceApi {
  // A connection a subscription: one that is not read holds back no other.
  const subscribing = new NodeHttp2Handler({
    disableConcurrentStreams: true,
    requestTimeout: limits.kinesisFanOutSilentMs,
  });
  const client = createKinesisClient(options, subscribing);
  const byShard = new Map<string, Subscription>();
  let registered: Promise<string> | undefined;
  let subscriptions = 0;

  /** The consumer's ARN, once it is active. */
  const register = async (): Promise<string> => {
    const summary = await describeStream(client, streamName);
    const of = {
      StreamARN: present(summary?.StreamARN, 'the ARN of a stream'),
      ConsumerName: consumer,
    };
    await client.send(new RegisterStreamConsumerCommand(of)).catch((thrown: unknown) => {
      if (!(thrown instanceof ResourceInUseException)) throw thrown;
    });
    for (let looks = 0; looks < limits.kinesisConsumerLooksMax; looks++) {
      const { ConsumerDescription: found } = await client.send(
        new DescribeStreamConsumerCommand(of),
      );
      if (found?.ConsumerStatus === 'ACTIVE' && found.ConsumerARN !== undefined)
        return found.ConsumerARN;
      await sleep(clock, limits.kinesisConsumerLookMs);
    }
    throw new SluiceError(
      'stream-unreachable',
      `Kinesis stream '${streamName}': the consumer '${consumer}' does not become active`,
      {
        retryable: true,
      },
    );
  };

  const close = (shard: string): void => {
    const open = byShard.get(shard);
    byShard.delete(shard);
    open?.abort.abort();
    open?.pending?.catch(() => undefined);
  };

  return {
    ...shared,
    isPushed: true,
    actions: {
      iterator:
        'kinesis:SubscribeToShard, kinesis:RegisterStreamConsumer, kinesis:DescribeStreamConsumer or kinesis:DescribeStreamSummary',
      records: 'kinesis:SubscribeToShard',
    },
    async iterator(shard, at) {
      close(shard);
      registered ??= register();
      const ConsumerARN = await registered.catch((thrown: unknown) => {
        registered = undefined;
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
      const { EventStream: stream } = await client.send(asked, { abortSignal: abort.signal });
      const token = `${shard} ${subscriptions++}`;
      const events = present(stream, 'the events of a subscription')[Symbol.asyncIterator]();
      byShard.set(shard, { token, events, pending: undefined, abort });
      return token;
    },
    async records(token) {
      const [shard = ''] = token.split(' ');
      const open = byShard.get(shard);
      if (open?.token !== token) throw expired();
      const begunMs = clock.monotonic();
      open.pending ??= open.events.next();
      const next = await within(
        clock,
        limits.kinesisFanOutWaitMs,
        open.pending,
        () => new Late(),
      ).catch((thrown: unknown) => {
        if (thrown instanceof Late) return undefined;
        close(shard);
        throw thrown;
      });
      if (next === undefined) return undefined;
      open.pending = undefined;
      if (next.done === true) {
        close(shard);
        throw expired();
      }
      const event = eventOf(next.value);
      const isFresh = clock.monotonic() - begunMs >= limits.kinesisFanOutFreshMs;
      const given = readOf(event, token, isFresh);
      if (given.next === undefined) close(shard);
      return given;
    },
    close() {
      for (const shard of byShard.keys()) close(shard);
      client.destroy();
      shared.close();
    },
  };
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
  // Of a shard that is closed there is nothing to go on from.
  const next = goesOn === undefined ? undefined : token;
  return {
    records: records.map(recordOf),
    next,
    behindMs: isFresh ? behindMs : Math.max(1, behindMs),
  };
}

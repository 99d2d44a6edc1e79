/**
 * The AWS SDK's Firehose client as a delivery stream needs it. The SDK's
 * types end here.
 *
 * Invariants:
 * 1. One call is one request: the SDK never repeats it, as what a lost answer means is for the
 *    caller to decide.
 * 2. Every call ends within `firehoseCallMaxMs`, also one whose answer comes drop by drop.
 */
import {
  DescribeDeliveryStreamCommand,
  FirehoseClient,
  PutRecordBatchCommand,
} from '@aws-sdk/client-firehose';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { firehoseCallsMax } from '../../../enrich/firehose/deliver-call.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { within } from '../../../schemas/kernel/within.ts';
import type { PutReply } from './put-outcome.ts';

/** Silence of one call, all of it, connecting, and an idle connection. */
const firehoseRequestMaxMs = 30_000;
const firehoseCallMaxMs = 60_000;
const firehoseConnectMs = 5_000;
const firehoseIdleMs = 15_000;

export interface FirehoseClientOptions {
  /** Default: the region's. */
  readonly endpoint?: string;
  /** Default: the environment's, or that of the shared configuration. */
  readonly region?: string;
  readonly clock: Clock;
}

/** Everything rejects with the SDK's error, or a `TimeoutError`. */
export interface FirehoseApi {
  put(stream: string, records: readonly Uint8Array[]): Promise<PutReply>;
  describe(stream: string): Promise<void>;
  close(): void;
}

export function createFirehoseClient({
  endpoint,
  region,
  clock,
}: FirehoseClientOptions): FirehoseApi {
  const agent = {
    keepAlive: true,
    maxSockets: firehoseCallsMax,
    timeout: firehoseIdleMs,
  };
  const client = new FirehoseClient({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({
      httpAgent: agent,
      httpsAgent: agent,
      connectionTimeout: firehoseConnectMs,
      requestTimeout: firehoseRequestMaxMs,
      throwOnRequestTimeout: true,
    }),
  });
  const timed = <T>(make: (abortSignal: AbortSignal) => Promise<T>): Promise<T> => {
    const ending = new AbortController();
    return within(clock, firehoseCallMaxMs, make(ending.signal), () => {
      ending.abort();
      const message = `no complete answer within ${firehoseCallMaxMs} ms`;
      return Object.assign(new Error(message), { name: 'TimeoutError' });
    });
  };
  return {
    async put(DeliveryStreamName, records) {
      const Records = records.map((Data) => ({ Data }));
      const put = new PutRecordBatchCommand({ DeliveryStreamName, Records });
      const { RequestResponses = [] } = await timed((abortSignal) =>
        client.send(put, { abortSignal }),
      );
      return { errors: RequestResponses.map(({ ErrorCode }) => ErrorCode) };
    },
    async describe(DeliveryStreamName) {
      await timed((abortSignal) =>
        client.send(new DescribeDeliveryStreamCommand({ DeliveryStreamName }), { abortSignal }),
      );
    },
    close: () => client.destroy(),
  };
}

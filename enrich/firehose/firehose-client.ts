/**
 * The AWS SDK's Firehose client as the sink uses it. The SDK's types end here.
 *
 * Invariant: one call is one request: the SDK never repeats it, as what a lost answer means is for the caller to decide.
 */
import { DescribeDeliveryStreamCommand, FirehoseClient, PutRecordBatchCommand } from '@aws-sdk/client-firehose';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { limits } from '../../schemas/limits.ts';
import type { PutReply } from './put-outcome.ts';

export interface FirehoseClientOptions {
  /** Default: the region's. */
  readonly endpoint?: string;
  /** Default: the environment's, or that of the shared configuration. */
  readonly region?: string;
}

/** Everything rejects with the SDK's error. */
export interface FirehoseApi {
  put(stream: string, records: readonly Uint8Array[]): Promise<PutReply>;
  describe(stream: string): Promise<void>;
  close(): void;
}

export function createFirehoseClient({ endpoint, region }: FirehoseClientOptions): FirehoseApi {
  const agent = { keepAlive: true, maxSockets: limits.firehoseCallsMax, timeout: limits.firehoseIdleMs };
  const client = new FirehoseClient({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({
      httpAgent: agent,
      httpsAgent: agent,
      connectionTimeout: limits.firehoseConnectMs,
      requestTimeout: limits.firehoseRequestMaxMs,
      throwOnRequestTimeout: true,
    }),
  });
  return {
    async put(DeliveryStreamName, records) {
      const Records = records.map((Data) => ({ Data }));
      const { RequestResponses = [] } = await client.send(new PutRecordBatchCommand({ DeliveryStreamName, Records }));
      return { errors: RequestResponses.map(({ ErrorCode }) => ErrorCode) };
    },
    async describe(DeliveryStreamName) {
      await client.send(new DescribeDeliveryStreamCommand({ DeliveryStreamName }));
    },
    close: () => client.destroy(),
  };
}

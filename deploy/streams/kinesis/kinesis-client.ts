/**
 * The AWS SDK's Kinesis client, and what all who use it ask alike. The SDK keeps what it
 * is good for: credentials, region, endpoint, signing, connections. Its types end in this folder's
 * clients.
 *
 * Invariant: one call is one request: the SDK never repeats it, as what a lost answer means is for
 * the caller to decide.
 */
import type { KinesisClientConfig, StreamDescriptionSummary } from '@aws-sdk/client-kinesis';
import { DescribeStreamSummaryCommand, KinesisClient } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';

/**
 * Kinesis: connections to one endpoint, how long an idle one is kept, and how long a new one may
 * take.
 */
const kinesisSocketsMax = 64;
const kinesisIdleMs = 4_000;
const kinesisConnectMs = 3_000;

export interface KinesisCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface KinesisClientOptions {
  /** Default: the region's. */
  readonly endpoint?: string;
  /** Default: the environment's, or that of the shared configuration. */
  readonly region?: string;
  /** Default: the SDK's chain (environment, shared files, web identity, container, instance). */
  readonly credentials?: KinesisCredentials;
}

export function createKinesisClient(
  { endpoint, region, credentials }: KinesisClientOptions,
  requestHandler: NonNullable<KinesisClientConfig['requestHandler']>,
): KinesisClient {
  return new KinesisClient({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials }),
    maxAttempts: 1,
    // The stack is the same for each call; made again each time, its functions are also compiled
    // again.
    cacheMiddleware: true,
    requestHandler,
  });
}

/**
 * HTTP/2, the SDK's default for Kinesis, costs more a byte for large bodies, and emulators do not
 * speak it well.
 */
export function http1(requestMaxMs: number): NodeHttpHandler {
  const agent = {
    keepAlive: true,
    maxSockets: kinesisSocketsMax,
    timeout: kinesisIdleMs,
  };
  return new NodeHttpHandler({
    httpAgent: agent,
    httpsAgent: agent,
    connectionTimeout: kinesisConnectMs,
    requestTimeout: requestMaxMs,
    throwOnRequestTimeout: true,
  });
}

export async function describeStream(
  client: KinesisClient,
  StreamName: string,
): Promise<StreamDescriptionSummary | undefined> {
  const { StreamDescriptionSummary: summary } = await client.send(
    new DescribeStreamSummaryCommand({ StreamName }),
  );
  return summary;
}

/**
 * The AWS SDK's Kinesis client, as the writer uses it. The SDK keeps what it is good for:
 * credentials, region, endpoint, signing, connections. Two things of a PutRecords are taken out of
 * its hands, through its middleware stack: the body, which is built already, goes in where the
 * serialised one of an empty request was; and the answer's bytes come out before they are turned
 * into objects. An error comes in CBOR as the body went out; it is put into JSON, which the SDK
 * makes its own error of. The SDK's types end here.
 *
 * Invariants:
 * 1. One call is one request: the SDK never repeats it, as what a lost answer means is for the
 *    caller to decide.
 * 2. The body goes in before signing, so the signature covers what is sent.
 */
import {
  DescribeStreamSummaryCommand,
  KinesisClient,
  ListShardsCommand,
  PutRecordsCommand,
} from '@aws-sdk/client-kinesis';
import { cbor } from '@smithy/core/cbor';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { limits } from '../../../schemas/limits.ts';
import { putRecordsType } from './put-records-body.ts';

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

/** One PutRecords: what goes out, and what is known of it so far. */
export interface PutCall {
  /** Physical name of the stream; also in the body. */
  readonly stream: string;
  readonly body: Buffer;
  /** The request reached the connection: from here on it may be in the stream. */
  handedOver: boolean;
}

export interface KinesisApi {
  /**
   * The bytes of an answer of status 200 in CBOR, none of one in anything else. Rejects with
   * whatever else happened; `call` says how far it came.
   */
  putRecords(call: PutCall): Promise<Buffer>;
  /** Rejects with the SDK's error. */
  describe(
    stream: string,
  ): Promise<{ readonly recordMaxKib: number | undefined; readonly shards: readonly string[] }>;
  close(): void;
}

export function createKinesisClient({
  endpoint,
  region,
  credentials,
}: KinesisClientOptions): KinesisApi {
  const agent = {
    keepAlive: true,
    maxSockets: limits.kinesisSocketsMax,
    timeout: limits.kinesisIdleMs,
  };
  const client = new KinesisClient({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(credentials === undefined ? {} : { credentials }),
    maxAttempts: 1,
    // The stack is the same for each call; made anew each time, its functions are also compiled
    // anew.
    cacheMiddleware: true,
    // The SDK's default for Kinesis is HTTP/2, which costs more a byte for large bodies, and which
    // emulators do not speak well.
    requestHandler: new NodeHttpHandler({
      httpAgent: agent,
      httpsAgent: agent,
      connectionTimeout: limits.kinesisConnectMs,
      requestTimeout: limits.writeMaxMs,
      throwOnRequestTimeout: true,
    }),
  });
  const calls = new WeakMap<object, PutCall>();
  const replies = new WeakMap<object, Buffer>();

  client.middlewareStack.add(
    (next) => (args) => {
      const call = calls.get(args.input);
      if (call !== undefined) {
        const request = args.request as SdkRequest;
        request.body = call.body;
        request.headers['content-type'] = putRecordsType;
      }
      return next(args);
    },
    { step: 'build', priority: 'high', name: 'builtBody' },
  );
  client.middlewareStack.add(
    (next) => async (args) => {
      const call = calls.get(args.input);
      if (call === undefined) return next(args);
      call.handedOver = true;
      const result = await next(args);
      const response = result.response as SdkResponse;
      const reply = await collect(response.body);
      const isCbor = response.headers['content-type'] === putRecordsType;
      if (response.statusCode === 200) replies.set(args.input, isCbor ? reply : noReply);
      response.body = response.statusCode === 200 ? nothing : isCbor ? asJson(reply) : reply;
      return result;
    },
    { step: 'deserialize', priority: 'low', name: 'rawReply' },
  );

  return {
    async putRecords(call) {
      const input = { StreamName: call.stream, Records: [] };
      calls.set(input, call);
      await client.send(new PutRecordsCommand(input));
      return replies.get(input) ?? noReply;
    },
    async describe(stream) {
      const { StreamDescriptionSummary: summary } = await client.send(
        new DescribeStreamSummaryCommand({ StreamName: stream }),
      );
      return {
        recordMaxKib: summary?.MaxRecordSizeInKiB,
        shards: await openShards(client, stream),
      };
    },
    close: () => client.destroy(),
  };
}

/** What the middleware stack hands from step to step; it is untyped there. */
interface SdkRequest {
  body: Buffer;
  readonly headers: Record<string, string>;
}

interface SdkResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  body: AsyncIterable<Buffer> | Uint8Array;
}

const nothing = new Uint8Array(0);
const noReply = Buffer.alloc(0);

/** An error's body, as it is when it cannot be read: its status says enough. */
function asJson(reply: Buffer): Uint8Array {
  try {
    return Buffer.from(JSON.stringify(cbor.deserialize(reply)));
  } catch {
    return reply;
  }
}

async function collect(body: AsyncIterable<Buffer> | Uint8Array): Promise<Buffer> {
  if (body instanceof Uint8Array) return Buffer.from(body);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > limits.kinesisReplyMaxBytes)
      throw new Error(`the answer has more than ${limits.kinesisReplyMaxBytes} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

async function openShards(client: KinesisClient, stream: string): Promise<readonly string[]> {
  const shards: string[] = [];
  let next: string | undefined;
  for (let page = 0; page < limits.kinesisShardPagesMax; page++) {
    const listed = await client.send(
      new ListShardsCommand(
        next === undefined
          ? { StreamName: stream, ShardFilter: { Type: 'AT_LATEST' } }
          : { NextToken: next },
      ),
    );
    for (const { ShardId: id, SequenceNumberRange: range } of listed.Shards ?? []) {
      // Not every endpoint filters: a closed shard has an end.
      if (id !== undefined && range?.EndingSequenceNumber === undefined) shards.push(id);
    }
    next = listed.NextToken;
    if (next === undefined) return shards;
  }
  throw new SluiceError('stream-unreachable', `the list of shards of '${stream}' does not end`);
}

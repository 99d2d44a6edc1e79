/**
 * PutRecords as the writer sends it. Two things are taken out of the SDK's hands, through its
 * middleware stack: the body, which is built already, goes in where the serialised one of an empty
 * request was; and the answer's bytes come out before they are turned into objects. An error comes
 * in CBOR as the body went out; it is put into JSON, which the SDK makes its own error of.
 *
 * Invariant: the body goes in before signing, so the signature covers what is sent.
 */
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { cbor } from '@smithy/core/cbor';
import { mebi } from '../../../schemas/kernel/bytes.ts';
import { limits } from '../../../schemas/limits.ts';
import type { KinesisClientOptions } from './kinesis-client.ts';
import { createKinesisClient, describeStream, http1 } from './kinesis-client.ts';
import { listShards } from './list-shards.ts';
import { putRecordsType } from './put-records-body.ts';

/** The answer to a PutRecords of 500. */
const kinesisReplyMaxBytes = mebi;

/** One PutRecords: what goes out, and what is known of it so far. */
export interface PutCall {
  /** Physical name of the stream; also in the body. */
  readonly stream: string;
  readonly body: Buffer;
  /** The request reached the connection: from here on it may be in the stream. */
  handedOver: boolean;
}

export interface KinesisWriteApi {
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

export function createPutRecordsClient(options: KinesisClientOptions): KinesisWriteApi {
  const client = createKinesisClient(options, http1(limits.writeMaxMs));
  const sent = takeOverPutRecords(client);
  return {
    async putRecords(call) {
      const input = { StreamName: call.stream, Records: [] };
      sent.calls.set(input, call);
      await client.send(new PutRecordsCommand(input));
      return sent.replies.get(input) ?? noReply;
    },
    async describe(stream) {
      const summary = await describeStream(client, stream);
      return {
        recordMaxKib: summary?.MaxRecordSizeInKiB,
        shards: await openShards(client, stream),
      };
    },
    close: () => client.destroy(),
  };
}

/** By the input of the request, which the stack hands through. */
interface SentCalls {
  readonly calls: WeakMap<object, PutCall>;
  readonly replies: WeakMap<object, Buffer>;
}

function takeOverPutRecords(client: KinesisClient): SentCalls {
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
  return { calls, replies };
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
    if (bytes > kinesisReplyMaxBytes)
      throw new Error(`the answer has more than ${kinesisReplyMaxBytes} bytes`);
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}

async function openShards(client: KinesisClient, stream: string): Promise<readonly string[]> {
  const shards = await listShards(client, stream, 'AT_LATEST');
  // Where the endpoint does not filter: a closed shard has an end.
  return shards
    .filter(({ SequenceNumberRange: range }) => range?.EndingSequenceNumber === undefined)
    .flatMap(({ ShardId: id }) => (id === undefined ? [] : [id]));
}

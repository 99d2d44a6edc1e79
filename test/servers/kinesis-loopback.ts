/**
 * Kinesis on loopback as its documentation has it, in the AWS JSON protocol 1.1 and its CBOR form,
 * for what kinesis-local does not do: a retention that removes records, and goes on with the oldest
 * one without a word when the one behind a position is gone; quotas of GetRecords; enhanced
 * fan-out. A loopback server of our own, not a stand-in: it is no evidence for what Amazon's does
 * beyond what is written there.
 * https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html,
 * API_GetRecords.html, API_SubscribeToShard.html, API_PutRecords.html
 */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { createServer as createSocketServer } from 'node:net';
import { cbor } from '@smithy/core/cbor';
import { encodeEvent, encodeException } from './event-stream.ts';

export interface LoopbackRecord {
  readonly position: bigint;
  readonly arrivedAtMs: number;
  readonly data: string;
}

export interface LoopbackShard {
  readonly id: string;
  /** Its StartingSequenceNumber. */
  begins: bigint;
  records: LoopbackRecord[];
  closed: boolean;
  readonly parent?: string;
}

export interface LoopbackCall {
  readonly operation: string;
  readonly shard: string | undefined;
  readonly atMs: number;
}

export interface KinesisLoopback {
  readonly endpoint: string;
  readonly shards: LoopbackShard[];
  retentionHours: number;
  /** All calls, in their order. */
  readonly calls: LoopbackCall[];
  /** Consumers of enhanced fan-out, by name. */
  readonly consumers: Map<string, { looksUntilActive: number }>;
  /** Those that are open. */
  readonly subscriptions: Set<LoopbackSubscription>;
  /** What a call is refused with, such as a throttling; undefined: it is answered. */
  refuse: (call: LoopbackCall) => { readonly type: string; readonly message: string } | undefined;
  /** Whether records that are put into a stream are kept: all others are answered as if. */
  keeps: (stream: string) => boolean;
  /** What the first `count` records of a shard were is removed. */
  trim(shard: string, count: number): void;
  put(shard: string, texts: readonly string[], arrivedAtMs?: number): void;
  close(): Promise<void>;
}

/** A subscription, as a test has it do what Kinesis does by itself every now and then. */
export interface LoopbackSubscription {
  readonly shard: string;
  readonly consumer: string;
  /** What has come since the last event, or that there is nothing. */
  send(): void;
  /** As after five minutes. */
  end(): void;
  /** Ends with a fault. */
  fail(type: string, message: string): void;
  /** The connection is cut. */
  cut(): void;
}

interface Place {
  readonly shard: string;
  /** The first sequence number that may be given. */
  readonly from: string;
}

export async function startKinesisLoopback(shardIds: readonly string[]): Promise<KinesisLoopback> {
  let next = 1_000n;
  const places = new Map<string, Place>();
  const hear = (headers: IncomingHttpHeaders, from: AsyncIterable<Buffer>, to: Answer): void => {
    const read = async (): Promise<void> => {
      const chunks: Buffer[] = [];
      for await (const chunk of from) chunks.push(chunk);
      const form = headers['content-type'] === forms.cbor.type ? forms.cbor : forms.json;
      answer(String(headers['x-amz-target']), Buffer.concat(chunks), form, to);
    };
    read().catch(() => undefined);
  };
  const plain = createServer((req, res) =>
    hear(req.headers, req, {
      say: (status, type, body) => void res.writeHead(status, { 'content-type': type }).end(body),
    }),
  );
  const pushing = createHttp2Server((req, res) =>
    hear(req.headers, req, {
      say: (status, type, body) => void res.writeHead(status, { 'content-type': type }).end(body),
      stream: { req, res },
    }),
  );
  const sockets = new Set<Socket>();
  // Both protocols on one port, as Kinesis has them: HTTP/2 begins with `PRI`.
  const server = createSocketServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.once('data', (first) => {
      socket.pause();
      (first.toString('latin1', 0, 3) === 'PRI' ? pushing : plain).emit('connection', socket);
      socket.unshift(first);
      socket.resume();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const loopback: KinesisLoopback = {
    endpoint: `http://127.0.0.1:${port}`,
    shards: shardIds.map((id) => ({ id, begins: next++, records: [], closed: false })),
    retentionHours: 24,
    calls: [],
    consumers: new Map(),
    subscriptions: new Set(),
    refuse: () => undefined,
    keeps: () => true,
    trim: (shard, count) => void of(shard).records.splice(0, count),
    put(shard, texts, arrivedAtMs = Date.now()) {
      for (const data of texts) of(shard).records.push({ position: next++, arrivedAtMs, data });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  const of = (id: string | undefined): LoopbackShard => {
    const found = loopback.shards.find((shard) => shard.id === id);
    if (found === undefined)
      throw new Refused('ResourceNotFoundException', `Shard ${id} not found`);
    return found;
  };

  const firstOf = (
    { records }: LoopbackShard,
    type: unknown,
    sequence: unknown,
    at: unknown,
  ): bigint => {
    switch (type) {
      case 'TRIM_HORIZON':
        return 0n;
      case 'LATEST':
        return next;
      case 'AT_SEQUENCE_NUMBER':
        return BigInt(sequence as string);
      case 'AFTER_SEQUENCE_NUMBER':
        return BigInt(sequence as string) + 1n;
      default:
        return (
          records.find(({ arrivedAtMs }) => arrivedAtMs >= (at as number) * 1_000)?.position ?? next
        );
    }
  };

  const subscribe = (asked: Readonly<Record<string, unknown>>, res: Http2ServerResponse): void => {
    const consumer = String(asked['ConsumerARN']);
    const shard = of(asked['ShardId'] as string);
    const other = [...loopback.subscriptions].find(
      (open) => open.shard === shard.id && open.consumer === consumer,
    );
    if (other !== undefined)
      throw new Refused(
        'ResourceInUseException',
        'Another active subscription exists for this consumer',
      );
    const {
      Type: type,
      SequenceNumber: sequence,
      Timestamp: at,
    } = asked['StartingPosition'] as Readonly<Record<string, unknown>>;
    let from = firstOf(shard, type, sequence, at);
    res.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
    res.write(encodeEvent('initial-response', {}));
    const open: LoopbackSubscription = {
      shard: shard.id,
      consumer,
      send() {
        const given = shard.records.filter(({ position }) => position >= from);
        from = (given.at(-1)?.position ?? from - 1n) + 1n;
        const goesOn = shard.closed
          ? { ChildShards: [] }
          : { ContinuationSequenceNumber: String(from - 1n) };
        res.write(
          encodeEvent('SubscribeToShardEvent', {
            Records: given.map(recordOf),
            MillisBehindLatest: 0,
            ...goesOn,
          }),
        );
      },
      end: () => void res.end(),
      fail: (fault, message) => void res.end(encodeException(fault, message)),
      cut: () => res.stream.session?.destroy(),
    };
    loopback.subscriptions.add(open);
    res.stream.once('close', () => loopback.subscriptions.delete(open));
  };

  const iterator = (place: Place): string => {
    const token = `iterator-${places.size}`;
    places.set(token, place);
    return token;
  };

  const answers: Readonly<Record<string, (asked: Readonly<Record<string, unknown>>) => unknown>> = {
    ListShards: () => ({
      Shards: loopback.shards.map(({ id, begins, closed, parent }) => ({
        ShardId: id,
        ParentShardId: parent,
        HashKeyRange: { StartingHashKey: '0', EndingHashKey: '1' },
        SequenceNumberRange: {
          StartingSequenceNumber: String(begins),
          ...(closed ? { EndingSequenceNumber: String(next) } : {}),
        },
      })),
    }),
    DescribeStreamSummary: () => ({
      StreamDescriptionSummary: {
        StreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/loopback',
        StreamName: 'loopback',
        StreamStatus: 'ACTIVE',
        RetentionPeriodHours: loopback.retentionHours,
        StreamCreationTimestamp: 1,
        EnhancedMonitoring: [],
        OpenShardCount: loopback.shards.length,
      },
    }),
    GetShardIterator: ({
      ShardId: shard,
      ShardIteratorType: type,
      StartingSequenceNumber: sequence,
      Timestamp: at,
    }) => {
      const own = of(shard as string);
      return {
        ShardIterator: iterator({ shard: own.id, from: String(firstOf(own, type, sequence, at)) }),
      };
    },
    RegisterStreamConsumer: ({ ConsumerName: name }) => {
      if (loopback.consumers.has(name as string))
        throw new Refused('ResourceInUseException', `Consumer ${name as string} exists`);
      loopback.consumers.set(name as string, { looksUntilActive: 1 });
      return {
        Consumer: {
          ConsumerName: name,
          ConsumerARN: arnOf(name),
          ConsumerStatus: 'CREATING',
          ConsumerCreationTimestamp: 1,
        },
      };
    },
    DescribeStreamConsumer: ({ ConsumerName: name }) => {
      const consumer = loopback.consumers.get(name as string);
      if (consumer === undefined)
        throw new Refused('ResourceNotFoundException', `Consumer ${name as string} not found`);
      const ConsumerStatus = consumer.looksUntilActive-- > 0 ? 'CREATING' : 'ACTIVE';
      const common = {
        ConsumerName: name,
        ConsumerARN: arnOf(name),
        ConsumerCreationTimestamp: 1,
        StreamARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/loopback',
      };
      return { ConsumerDescription: { ...common, ConsumerStatus } };
    },
    PutRecords: ({ StreamName: stream, Records: records }) => ({
      FailedRecordCount: 0,
      Records: (records as readonly PutRecord[]).map(({ Data: data, PartitionKey: key }) => {
        const { id } = shardOf(key, loopback.shards);
        if (loopback.keeps(stream as string)) loopback.put(id, [Buffer.from(data).toString()]);
        return { ShardId: id, SequenceNumber: String(next - 1n) };
      }),
    }),
    GetRecords: ({ ShardIterator: token, Limit: limit }) => {
      const place = places.get(token as string);
      if (place === undefined)
        throw new Refused('InvalidArgumentException', 'Invalid ShardIterator.');
      const { id, records, closed } = of(place.shard);
      const left = records.filter(({ position }) => position >= BigInt(place.from));
      const given = left.slice(0, limit as number);
      const last = given.at(-1);
      const isEnd = closed && given.length === left.length;
      return {
        Records: given.map(recordOf),
        MillisBehindLatest:
          left.length > given.length
            ? Math.max(1, Date.now() - (left[given.length]?.arrivedAtMs ?? 0))
            : 0,
        ...(isEnd
          ? {}
          : {
              NextShardIterator: iterator({
                shard: id,
                from: last === undefined ? place.from : String(last.position + 1n),
              }),
            }),
      };
    },
  };

  const answer = (target: string, body: Buffer, form: Form, to: Answer): void => {
    const operation = target.split('.')[1] ?? '';
    try {
      const asked = form.decode(body) as Readonly<Record<string, unknown>>;
      const shard =
        (asked['ShardId'] as string | undefined) ??
        places.get(String(asked['ShardIterator']))?.shard;
      const call = { operation, shard, atMs: performance.now() };
      loopback.calls.push(call);
      const refusal = loopback.refuse(call);
      if (refusal !== undefined) throw new Refused(refusal.type, refusal.message);
      if (operation === 'SubscribeToShard' && to.stream !== undefined)
        return subscribe(asked, to.stream.res);
      const give = answers[operation];
      if (give === undefined) throw new Refused('UnknownOperationException', operation);
      to.say(200, form.type, form.encode(give(asked)));
    } catch (thrown) {
      const [type, message] =
        thrown instanceof Refused
          ? [thrown.type, thrown.message]
          : ['InternalFailure', String(thrown)];
      const fault = form.encode({ __type: type, message });
      to.say(thrown instanceof Refused ? 400 : 500, form.type, fault);
    }
  };
  return loopback;
}

interface Form {
  readonly type: string;
  decode(bytes: Buffer): unknown;
  encode(value: unknown): Uint8Array;
}

const forms: Readonly<Record<'json' | 'cbor', Form>> = {
  json: {
    type: 'application/x-amz-json-1.1',
    decode: (bytes) => JSON.parse(bytes.toString()) as unknown,
    encode: (value) => Buffer.from(JSON.stringify(value)),
  },
  cbor: {
    type: 'application/x-amz-cbor-1.1',
    decode: (bytes) => cbor.deserialize(bytes) as unknown,
    encode: (value) => cbor.serialize(value),
  },
};

/** In CBOR, as the ingress sends it. */
interface PutRecord {
  readonly Data: Uint8Array;
  readonly PartitionKey: string;
}

/** By the MD5 of the key, of which each shard has an equal part. */
function shardOf(key: string, shards: readonly LoopbackShard[]): LoopbackShard {
  const [first = 0] = createHash('md5').update(key).digest();
  const shard = shards[Math.floor((first * shards.length) / 256)];
  if (shard === undefined) throw new Refused('ResourceNotFoundException', 'there is no shard');
  return shard;
}

/** How a request is answered; events go over HTTP/2 only. */
interface Answer {
  readonly say: (status: number, type: string, body: Uint8Array) => void;
  readonly stream?: { readonly req: Http2ServerRequest; readonly res: Http2ServerResponse };
}

const arnOf = (name: unknown): string =>
  `arn:aws:kinesis:us-east-1:000000000000:stream/loopback/consumer/${name as string}:1`;

const recordOf = ({ position, arrivedAtMs, data }: LoopbackRecord) => ({
  SequenceNumber: String(position),
  ApproximateArrivalTimestamp: arrivedAtMs / 1_000,
  Data: Buffer.from(data).toString('base64'),
  PartitionKey: 'k',
});

class Refused extends Error {
  readonly type: string;

  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

/**
 * Kinesis on loopback as its documentation has it, in the AWS JSON protocol 1.1, for what kinesis-local does not do: a retention that removes records, and
 * goes on with the oldest one without a word when the one behind a position is gone; quotas of GetRecords; enhanced fan-out. A loopback server of our own,
 * not a stand-in: it is no evidence for what Amazon's does beyond what is written there.
 * https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html, API_GetRecords.html, API_SubscribeToShard.html
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

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
  /** What a call is refused with, such as a throttling; undefined: it is answered. */
  refuse: (call: LoopbackCall) => { readonly type: string; readonly message: string } | undefined;
  /** What the first `count` records of a shard were is removed. */
  trim(shard: string, count: number): void;
  put(shard: string, texts: readonly string[], arrivedAtMs?: number): void;
  close(): Promise<void>;
}

interface Place {
  readonly shard: string;
  /** The first sequence number that may be given. */
  readonly from: string;
}

export async function startKinesisLoopback(shardIds: readonly string[]): Promise<KinesisLoopback> {
  let next = 1_000n;
  const places = new Map<string, Place>();
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.once('end', () => answer(req, Buffer.concat(chunks).toString(), res));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const loopback: KinesisLoopback = {
    endpoint: `http://127.0.0.1:${port}`,
    shards: shardIds.map((id) => ({ id, begins: next++, records: [], closed: false })),
    retentionHours: 24,
    calls: [],
    refuse: () => undefined,
    trim: (shard, count) => void of(shard).records.splice(0, count),
    put(shard, texts, arrivedAtMs = Date.now()) {
      for (const data of texts) of(shard).records.push({ position: next++, arrivedAtMs, data });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  const of = (id: string | undefined): LoopbackShard => {
    const found = loopback.shards.find((shard) => shard.id === id);
    if (found === undefined) throw new Refused('ResourceNotFoundException', `Shard ${id} not found`);
    return found;
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
        SequenceNumberRange: { StartingSequenceNumber: String(begins), ...(closed ? { EndingSequenceNumber: String(next) } : {}) },
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
    GetShardIterator: ({ ShardId: shard, ShardIteratorType: type, StartingSequenceNumber: sequence, Timestamp: at }) => {
      const { id, records } = of(shard as string);
      const from = {
        TRIM_HORIZON: () => 0n,
        LATEST: () => next,
        AT_SEQUENCE_NUMBER: () => BigInt(sequence as string),
        AFTER_SEQUENCE_NUMBER: () => BigInt(sequence as string) + 1n,
        AT_TIMESTAMP: () => records.find(({ arrivedAtMs }) => arrivedAtMs >= (at as number) * 1_000)?.position ?? next,
      }[type as 'LATEST'];
      return { ShardIterator: iterator({ shard: id, from: String(from()) }) };
    },
    GetRecords: ({ ShardIterator: token, Limit: limit }) => {
      const place = places.get(token as string);
      if (place === undefined) throw new Refused('InvalidArgumentException', 'Invalid ShardIterator.');
      const { id, records, closed } = of(place.shard);
      const left = records.filter(({ position }) => position >= BigInt(place.from));
      const given = left.slice(0, limit as number);
      const last = given.at(-1);
      const isEnd = closed && given.length === left.length;
      return {
        Records: given.map(({ position, arrivedAtMs, data }) => ({
          SequenceNumber: String(position),
          ApproximateArrivalTimestamp: arrivedAtMs / 1_000,
          Data: Buffer.from(data).toString('base64'),
          PartitionKey: 'k',
        })),
        MillisBehindLatest: left.length > given.length ? Math.max(1, Date.now() - (left[given.length]?.arrivedAtMs ?? 0)) : 0,
        ...(isEnd
          ? {}
          : { NextShardIterator: iterator({ shard: id, from: last === undefined ? place.from : String(last.position + 1n) }) }),
      };
    },
  };

  const answer = (req: IncomingMessage, body: string, res: ServerResponse): void => {
    const operation = String(req.headers['x-amz-target']).split('.')[1] ?? '';
    try {
      const asked = JSON.parse(body) as Readonly<Record<string, unknown>>;
      const shard = (asked['ShardId'] as string | undefined) ?? places.get(String(asked['ShardIterator']))?.shard;
      const call = { operation, shard, atMs: performance.now() };
      loopback.calls.push(call);
      const refusal = loopback.refuse(call);
      if (refusal !== undefined) throw new Refused(refusal.type, refusal.message);
      const give = answers[operation];
      if (give === undefined) throw new Refused('UnknownOperationException', operation);
      const given = JSON.stringify(give(asked));
      res.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' }).end(given);
    } catch (thrown) {
      const [type, message] = thrown instanceof Refused ? [thrown.type, thrown.message] : ['InternalFailure', String(thrown)];
      const status = thrown instanceof Refused ? 400 : 500;
      res.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify({ __type: type, message }));
    }
  };
  return loopback;
}

class Refused extends Error {
  readonly type: string;

  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

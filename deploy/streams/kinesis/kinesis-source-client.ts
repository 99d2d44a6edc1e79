/**
 * Kinesis as the source reads it: shards, iterators, records. What a failure means is for the
 * reader to decide.
 */
import type {
  _Record as KinesisRecord,
  Shard as KinesisShard,
  ShardIteratorType,
} from '@aws-sdk/client-kinesis';
import { GetRecordsCommand, GetShardIteratorCommand } from '@aws-sdk/client-kinesis';
import { assert } from '../../../schemas/kernel/assert.ts';
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import { limits } from '../../../schemas/limits.ts';
import type { IncomingRecord } from '../../../schemas/ports/record.ts';
import type { KinesisClientOptions } from './kinesis-client.ts';
import { createKinesisClient, describeStream, http1 } from './kinesis-client.ts';
import { listShards } from './list-shards.ts';
import type { Shard } from './shards.ts';

/** GetRecords: 10,000 records and 10 MiB (quotas of Kinesis); how long one may take. */
export const kinesisReadMaxRecords = 10_000;
const kinesisReadMaxMs = 30_000;
assert(kinesisReadMaxMs < limits.readMaxMs, 'a read of Kinesis fails by its own bound first');

export interface KinesisSourceClientOptions extends KinesisClientOptions {
  /** Physical name. */
  readonly streamName: string;
}

export interface ReadRecords {
  readonly records: readonly IncomingRecord[];
  /** Undefined: the shard is closed, and this was its end. */
  readonly next: string | undefined;
  readonly behindMs: number;
}

/** Where reading of a shard begins. */
export type ShardPlace =
  | { readonly kind: 'oldest' | 'latest' }
  /** Behind, or with, the record of that sequence number. */
  | { readonly kind: 'after' | 'at'; readonly position: string }
  /** With the first record that arrived then or later, epoch ms. */
  | { readonly kind: 'since'; readonly atMs: number };

export interface KinesisSourceApi {
  /** Open ones, and closed ones that still have records. */
  shards(): Promise<readonly Shard[]>;
  iterator(shard: string, at: ShardPlace): Promise<string>;
  /** Undefined: nothing came meanwhile; only of what is pushed. */
  records(iterator: string): Promise<ReadRecords | undefined>;
  /** The position of the oldest record that is kept; undefined while there is none. */
  oldest(shard: string): Promise<string | undefined>;
  /**
   * Whether Kinesis sends records by itself: then an iterator is a subscription, which gives all
   * that comes, and nothing counts against quotas.
   */
  readonly isPushed: boolean;
  /** The permissions that `iterator` and `retentionMs`, and `records`, need. */
  readonly actions: { readonly iterator: string; readonly records: string };
  /** For how long records are kept, ms. */
  retentionMs(): Promise<number>;
  close(): void;
}

export function createKinesisSourceClient({
  streamName,
  ...options
}: KinesisSourceClientOptions): KinesisSourceApi {
  const client = createKinesisClient(options, http1(kinesisReadMaxMs));

  const iterator = async (shard: string, at: ShardPlace): Promise<string> => {
    const asked = new GetShardIteratorCommand({
      StreamName: streamName,
      ShardId: shard,
      ...placeOf(at),
    });
    const { ShardIterator: given } = await client.send(asked);
    if (given === undefined)
      throw new SluiceError('stream-unreachable', `'${streamName}' gave no iterator`, {
        retryable: true,
      });
    return given;
  };

  return {
    isPushed: false,
    actions: {
      iterator: 'kinesis:GetShardIterator or kinesis:DescribeStreamSummary',
      records: 'kinesis:GetRecords',
    },
    async shards() {
      const shards = await listShards(client, streamName, 'FROM_TRIM_HORIZON');
      return shards.flatMap(shardOf);
    },
    iterator,
    async records(token) {
      const got = await client.send(
        new GetRecordsCommand({ ShardIterator: token, Limit: kinesisReadMaxRecords }),
      );
      return {
        records: (got.Records ?? []).map(recordOf),
        next: got.NextShardIterator,
        behindMs: got.MillisBehindLatest ?? 0,
      };
    },
    async oldest(shard) {
      const first = new GetRecordsCommand({
        ShardIterator: await iterator(shard, { kind: 'oldest' }),
        Limit: 1,
      });
      return (await client.send(first)).Records?.[0]?.SequenceNumber;
    },
    async retentionMs() {
      const summary = await describeStream(client, streamName);
      return summary?.RetentionPeriodHours === undefined
        ? limits.kinesisRetentionLeastMs
        : summary.RetentionPeriodHours * hourMs;
    },
    close: () => client.destroy(),
  };
}

const hourMs = 3_600_000;

function shardOf({
  ShardId: id,
  ParentShardId: parent,
  AdjacentParentShardId: adjacentParent,
  SequenceNumberRange: range,
}: KinesisShard): readonly Shard[] {
  return id === undefined
    ? []
    : [{ id, parent, adjacentParent, begins: range?.StartingSequenceNumber }];
}

export function recordOf({
  PartitionKey: key,
  Data: value,
  SequenceNumber: position,
  ApproximateArrivalTimestamp: arrived,
}: KinesisRecord): IncomingRecord {
  return {
    key: key ?? '',
    value: value ?? new Uint8Array(0),
    position: position ?? '',
    arrivedAtMs: arrived?.getTime() ?? 0,
  };
}

export function placeOf(at: ShardPlace): {
  readonly ShardIteratorType: ShardIteratorType;
  readonly StartingSequenceNumber?: string;
  readonly Timestamp?: Date;
} {
  switch (at.kind) {
    case 'oldest':
      return { ShardIteratorType: 'TRIM_HORIZON' };
    case 'latest':
      return { ShardIteratorType: 'LATEST' };
    case 'after':
      return { ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: at.position };
    case 'at':
      return { ShardIteratorType: 'AT_SEQUENCE_NUMBER', StartingSequenceNumber: at.position };
    case 'since':
      return { ShardIteratorType: 'AT_TIMESTAMP', Timestamp: new Date(at.atMs) };
  }
}

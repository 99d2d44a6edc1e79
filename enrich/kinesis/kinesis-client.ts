/**
 * The AWS SDK's Kinesis client, as the source uses it: shards, iterators, records. The SDK's types end here.
 *
 * Invariant: one call is one request; what a failure means is for the reader to decide.
 */
import { GetRecordsCommand, GetShardIteratorCommand, KinesisClient, ListShardsCommand } from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type { Shard } from './shards.ts';

export interface KinesisSourceClientOptions {
  /** Default: the region's. */
  readonly endpoint?: string;
  /** Default: the environment's, or that of the shared configuration. */
  readonly region?: string;
  /** Physical name. */
  readonly streamName: string;
}

export interface ReadRecords {
  readonly records: readonly IncomingRecord[];
  /** Undefined: the shard is closed, and this was its end. */
  readonly next: string | undefined;
  readonly behindMs: number;
}

export interface KinesisSourceApi {
  /** Open ones, and closed ones that still have records. */
  shards(): Promise<readonly Shard[]>;
  /** `after`: a sequence number; undefined: the oldest record that is kept. */
  iterator(shard: string, after: string | undefined): Promise<string>;
  records(iterator: string): Promise<ReadRecords>;
  close(): void;
}

export function createKinesisSourceClient({ endpoint, region, streamName }: KinesisSourceClientOptions): KinesisSourceApi {
  const agent = { keepAlive: true, maxSockets: limits.kinesisSocketsMax, timeout: limits.kinesisIdleMs };
  const client = new KinesisClient({
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    maxAttempts: 1,
    cacheMiddleware: true,
    // HTTP/2, the SDK's default, does not get through emulators, and costs more a byte.
    requestHandler: new NodeHttpHandler({
      httpAgent: agent,
      httpsAgent: agent,
      connectionTimeout: limits.kinesisConnectMs,
      requestTimeout: limits.kinesisReadMaxMs,
      throwOnRequestTimeout: true,
    }),
  });

  return {
    async shards() {
      const shards: Shard[] = [];
      let next: string | undefined;
      for (let page = 0; page < limits.kinesisShardPagesMax; page++) {
        const listed = await client.send(
          new ListShardsCommand(
            next === undefined ? { StreamName: streamName, ShardFilter: { Type: 'FROM_TRIM_HORIZON' } } : { NextToken: next },
          ),
        );
        for (const { ShardId: id, ParentShardId: parent, AdjacentParentShardId: adjacentParent } of listed.Shards ?? []) {
          if (id !== undefined) shards.push({ id, parent, adjacentParent });
        }
        next = listed.NextToken;
        if (next === undefined) return shards;
      }
      throw new SluiceError('stream-unreachable', `the list of shards of '${streamName}' does not end`, { retryable: true });
    },
    async iterator(shard, after) {
      const from = after === undefined ? { ShardIteratorType: 'TRIM_HORIZON' as const } : afterSequence(after);
      const { ShardIterator: iterator } = await client.send(
        new GetShardIteratorCommand({ StreamName: streamName, ShardId: shard, ...from }),
      );
      if (iterator === undefined) throw new SluiceError('stream-unreachable', `'${streamName}' gave no iterator`, { retryable: true });
      return iterator;
    },
    async records(iterator) {
      const got = await client.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: limits.kinesisReadMaxRecords }));
      const records = (got.Records ?? []).map(
        ({ PartitionKey: key, Data: value, SequenceNumber: position, ApproximateArrivalTimestamp: arrived }): IncomingRecord => ({
          key: key ?? '',
          value: value ?? new Uint8Array(0),
          position: position ?? '',
          arrivedAtMs: arrived?.getTime() ?? 0,
        }),
      );
      return { records, next: got.NextShardIterator, behindMs: got.MillisBehindLatest ?? 0 };
    },
    close: () => client.destroy(),
  };
}

const afterSequence = (after: string) => ({ ShardIteratorType: 'AFTER_SEQUENCE_NUMBER' as const, StartingSequenceNumber: after });

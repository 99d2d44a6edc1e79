/**
 * The shards of a stream, all pages, as the writer and the source ask for them.
 */
import type { KinesisClient, Shard, ShardFilterType } from '@aws-sdk/client-kinesis';
import { ListShardsCommand } from '@aws-sdk/client-kinesis';
import { SluiceError } from '../../../schemas/kernel/errors.ts';

/** Pages of a list of shards. */
const kinesisShardPagesMax = 100;

/** Not every endpoint filters. */
export async function listShards(
  client: KinesisClient,
  StreamName: string,
  Type: ShardFilterType,
): Promise<readonly Shard[]> {
  const shards: Shard[] = [];
  let next: string | undefined;
  for (let page = 0; page < kinesisShardPagesMax; page++) {
    const { Shards = [], NextToken } = await client.send(
      new ListShardsCommand(
        next === undefined ? { StreamName, ShardFilter: { Type } } : { NextToken: next },
      ),
    );
    shards.push(...Shards);
    next = NextToken;
    if (next === undefined) return shards;
  }
  throw new SluiceError(
    'stream-unreachable',
    `the list of shards of '${StreamName}' does not end`,
    { retryable: true },
  );
}

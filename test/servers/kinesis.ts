/**
 * kinesis-local (kinesis-mock, MIT): Kinesis Data Streams on loopback, in memory. It throttles
 * nothing and does not forget: for faults put fault-proxy.ts in front.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamSummaryCommand,
  KinesisClient,
  ListShardsCommand,
  MergeShardsCommand,
  SplitShardCommand,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { childServer } from './child-server.ts';
import { freePort } from './free-port.ts';

export interface KinesisServer {
  readonly endpoint: string;
  createStream(name: string, shards: number): Promise<void>;
  /** And all that it holds. */
  deleteStream(name: string): Promise<void>;
  /** Splits the first open shard in the middle of its hash keys. */
  splitShard(name: string): Promise<void>;
  /** Merges the first two open shards that lie beside each other. */
  mergeShards(name: string): Promise<void>;
  stop(): Promise<void>;
}

/** Of every emulator: any will do. */
export const testCredentials = {
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'test-secret',
  AWS_REGION: 'us-east-1',
} as const;

const preload = fileURLToPath(
  new URL('../../../test/servers/loopback-preload.cjs', import.meta.url),
);

export async function startKinesis(): Promise<KinesisServer> {
  const home = dirname(createRequire(import.meta.url).resolve('kinesis-local/package.json'));
  const [plain, tls] = [await freePort(), await freePort()];
  const endpoint = `http://127.0.0.1:${plain}`;
  const quick = Object.fromEntries(
    ['CREATE_STREAM', 'DELETE_STREAM', 'SPLIT_SHARD', 'MERGE_SHARDS', 'UPDATE_SHARD_COUNT'].map(
      (name) => [`${name}_DURATION`, '20ms'],
    ),
  );
  const server = await childServer({
    name: 'kinesis-local',
    command: process.execPath,
    // It looks for its certificate where it is started.
    args: ['-r', preload, join(home, 'main.js')],
    cwd: home,
    env: {
      ...quick,
      KINESIS_MOCK_PLAIN_PORT: String(plain),
      KINESIS_MOCK_TLS_PORT: String(tls),
      SHARD_LIMIT: '1000',
      LOG_LEVEL: 'ERROR',
    },
    isReady: async () => (await fetch(`${endpoint}/healthcheck`)).ok,
  });
  const client = new KinesisClient({
    endpoint,
    region: testCredentials.AWS_REGION,
    credentials: {
      accessKeyId: testCredentials.AWS_ACCESS_KEY_ID,
      secretAccessKey: testCredentials.AWS_SECRET_ACCESS_KEY,
    },
    requestHandler: new NodeHttpHandler(),
  });
  const active = async (name: string): Promise<void> => {
    for (;;) {
      const { StreamDescriptionSummary: summary } = await client.send(
        new DescribeStreamSummaryCommand({ StreamName: name }),
      );
      if (summary?.StreamStatus === 'ACTIVE') return;
      await sleep(20);
    }
  };
  const open = async (name: string) => {
    const { Shards: shards = [] } = await client.send(new ListShardsCommand({ StreamName: name }));
    return shards
      .filter((shard) => shard.SequenceNumberRange?.EndingSequenceNumber === undefined)
      .map(({ ShardId: id = '', HashKeyRange: range }) => ({
        id,
        from: BigInt(range?.StartingHashKey ?? 0),
        to: BigInt(range?.EndingHashKey ?? 0),
      }))
      .sort((a, b) => (a.from < b.from ? -1 : 1));
  };
  return {
    endpoint,
    async createStream(name, shards) {
      await client.send(new CreateStreamCommand({ StreamName: name, ShardCount: shards }));
      await active(name);
    },
    async deleteStream(name) {
      await client.send(new DeleteStreamCommand({ StreamName: name }));
      const isThere = (): Promise<boolean> =>
        client.send(new DescribeStreamSummaryCommand({ StreamName: name })).then(
          () => true,
          () => false,
        );
      while (await isThere()) await sleep(20);
    },
    async splitShard(name) {
      const [shard] = await open(name);
      if (shard === undefined) throw new Error(`'${name}' has no open shard`);
      const middle = String(shard.from + (shard.to - shard.from) / 2n);
      await client.send(
        new SplitShardCommand({
          StreamName: name,
          ShardToSplit: shard.id,
          NewStartingHashKey: middle,
        }),
      );
      await active(name);
    },
    async mergeShards(name) {
      const [first, second] = await open(name);
      if (first === undefined || second === undefined)
        throw new Error(`'${name}' has no two open shards`);
      await client.send(
        new MergeShardsCommand({
          StreamName: name,
          ShardToMerge: first.id,
          AdjacentShardToMerge: second.id,
        }),
      );
      await active(name);
    },
    async stop() {
      client.destroy();
      await server.stop();
    },
  };
}

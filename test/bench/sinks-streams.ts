/**
 * Records out of Kafka and Kinesis: by a job's sources (all splits in turn, read ahead by one,
 * aggregates taken apart), and by the bare clients: kafkajs' consumer in batches, and GetRecords of
 * the AWS SDK for each shard as often as AWS allows.
 */
import { createRequire } from 'node:module';
import { setTimeout as wait } from 'node:timers/promises';
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { createKafkaReader } from '../../deploy/streams/kafka/kafka-reader.ts';
import { createKafkaWriter } from '../../deploy/streams/kafka/kafka-writer.ts';
import { createKinesisReader } from '../../deploy/streams/kinesis/kinesis-reader.ts';
import { kinesisReadMaxRecords } from '../../deploy/streams/kinesis/kinesis-source-client.ts';
import { createKinesisWriter } from '../../deploy/streams/kinesis/kinesis-writer.ts';
import { kinesisReadIntervalMs } from '../../schemas/config/services.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import type { RecordReader } from '../../schemas/ports/record-reader.ts';
import type { RecordWriter } from '../../schemas/ports/record-writer.ts';
import type { SourceNode } from '../../topology/operators/source/kind.ts';
import { turnMaxBytes, turnMaxRows } from '../../topology/runtime/job.ts';
import { scheduleSources } from '../../topology/runtime/source.ts';
import { unfoldingReader } from '../../topology/runtime/unfold.ts';
import { startKafka } from '../servers/kafka.ts';
import { startKinesis, testCredentials } from '../servers/kinesis.ts';
import type { Race } from './sinks.ts';

const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs') as typeof import('kafkajs');
const stream = 'bench/events';
const splits = 4;

async function filled(writer: RecordWriter, count: number, bytes: number): Promise<void> {
  const value = Buffer.alloc(bytes, 'x');
  const batch = 400;
  await writer.describe(stream);
  for (let begin = 0; begin < count; begin += batch) {
    const records = Array.from({ length: Math.min(batch, count - begin) }, (_, n) => ({
      key: `key-${begin + n}`,
      value: [value],
    }));
    const outcomes = await writer.write(stream, records);
    const failed = outcomes.find(({ kind }) => kind !== 'applied');
    if (failed !== undefined) throw new Error(JSON.stringify(failed));
  }
  await writer.close();
}

/** As a job reads, from the first record to the last. */
async function consumed(reader: RecordReader, count: number): Promise<number> {
  const source = { kind: 'source', id: 'events', stream } as unknown as SourceNode;
  const bounds = { maxRecords: turnMaxRows, maxBytes: turnMaxBytes };
  const own = unfoldingReader(reader, stream, undefined);
  const schedule = await scheduleSources(
    [{ source, reader: own, positionOf: () => undefined }],
    bounds,
    systemClock,
  );
  schedule.changes();
  const startedMs = performance.now();
  for (let read = 0; read < count; ) read += (await schedule.next(1_000))?.records.length ?? 0;
  const rate = (count * 1_000) / (performance.now() - startedMs);
  schedule.stop();
  await own.close();
  return rate;
}

export async function kafkaRace(scale: number): Promise<Race> {
  const server = await startKafka({ keys: { key: 'secret' } });
  const count = Math.round(100_000 * scale);
  const connection = { brokers: [server.plain], tls: false, clientId: 'bench' };
  await server.createTopic('bench', splits);
  await filled(
    createKafkaWriter({ connection, topics: new Map([[stream, 'bench']]), clock: systemClock }),
    count,
    5_000,
  );
  const client = new Kafka({ brokers: [server.plain], logLevel: logLevel.NOTHING });
  let groups = 0;
  return {
    what: 'Kafka, records of 5 KB',
    unit: 'records/s',
    async bare() {
      const consumer = client.consumer({
        groupId: `bench-${groups++}`,
        maxBytesPerPartition: turnMaxBytes,
        maxWaitTimeInMs: 50,
      });
      await consumer.connect();
      await consumer.subscribe({ topics: ['bench'], fromBeginning: true });
      let read = 0;
      let startedMs = 0;
      const fetching = new Promise<void>((resolve) => {
        // The clock starts with the first request for records: joining the group does not count.
        consumer.on(consumer.events.FETCH_START, () => (startedMs ||= performance.now()));
        void consumer.run({
          autoCommit: false,
          eachBatch: async ({ batch }) => {
            read += batch.messages.length;
            if (read >= count) resolve();
          },
        });
      });
      await fetching;
      const rate = (count * 1_000) / (performance.now() - startedMs);
      await consumer.disconnect();
      return rate;
    },
    sluice: () => consumed(createKafkaReader({ connection, topic: 'bench' }), count),
    stop: () => server.stop(),
  };
}

export async function kinesisRace(scale: number): Promise<Race> {
  Object.assign(process.env, testCredentials);
  const server = await startKinesis();
  const { endpoint } = server;
  const count = Math.round(8_000 * scale);
  await server.createStream('bench', splits);
  await filled(
    createKinesisWriter({
      endpoint,
      region: testCredentials.AWS_REGION,
      streams: new Map([[stream, 'bench']]),
    }),
    count,
    1_000,
  );
  const client = new KinesisClient({
    endpoint,
    region: testCredentials.AWS_REGION,
    requestHandler: new NodeHttpHandler(),
  });
  const options = {
    endpoint,
    region: testCredentials.AWS_REGION,
    streamName: 'bench',
    clock: systemClock,
    random: systemRandom,
  };
  return {
    what: 'Kinesis (kinesis-local), records of 1 KB',
    unit: 'records/s',
    async bare() {
      const { Shards: shards = [] } = await client.send(
        new ListShardsCommand({ StreamName: 'bench' }),
      );
      const startedMs = performance.now();
      let read = 0;
      await Promise.all(
        shards.map(async ({ ShardId }) => {
          const first = await client.send(
            new GetShardIteratorCommand({
              StreamName: 'bench',
              ShardId,
              ShardIteratorType: 'TRIM_HORIZON',
            }),
          );
          let iterator = first.ShardIterator;
          for (let behind = 1; behind > 0 && read < count; ) {
            const dueMs = performance.now() + kinesisReadIntervalMs;
            const page = await client.send(
              new GetRecordsCommand({
                ShardIterator: iterator,
                Limit: kinesisReadMaxRecords,
              }),
            );
            read += page.Records?.length ?? 0;
            iterator = page.NextShardIterator;
            behind = page.MillisBehindLatest ?? 0;
            if (behind > 0) await wait(Math.max(0, dueMs - performance.now()));
          }
        }),
      );
      if (read !== count) throw new Error(`${read} records were read, not ${count}`);
      return (count * 1_000) / (performance.now() - startedMs);
    },
    sluice: () =>
      consumed(createKinesisReader({ ...options, readEveryMs: kinesisReadIntervalMs }), count),
    async stop() {
      client.destroy();
      await server.stop();
    },
  };
}

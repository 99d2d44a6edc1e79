/**
 * A topology of the enrich service: bound to Kinesis and Kafka, to the lake and the checkpoints in
 * S3, to Firehose and to Neo4j. Nothing that a checkpoint names lies on this machine's disk.
 */
import { firehoseSink } from '../../enrich/firehose/firehose-sink.ts';
import type { GraphDatabase } from '../../enrich/graph/graph-database.ts';
import { cypherDatabase } from '../../enrich/graph/graph-database.ts';
import { graphSink } from '../../enrich/graph/graph-sink.ts';
import type { Neo4jSession } from '../../enrich/graph/neo4j-session.ts';
import { createNeo4jSession } from '../../enrich/graph/neo4j-session.ts';
import { sinkMisfits } from '../../enrich/lake/table-misfits.ts';
import { tableSink } from '../../enrich/parquet/table-sink.ts';
import { rejectedSink } from '../../enrich/rejected/rejected-sink.ts';
import { RowOrder } from '../../enrich/row-order.ts';
import type { SluiceConfig } from '../../schemas/config.ts';
import { ledgerStream } from '../../schemas/config.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { RunId } from '../../schemas/run-id.ts';
import type { Plan, Sink, SinkNode } from '../../topology/index.ts';
import type { Bindings } from '../host/bindings.ts';
import { boundStream, lookupConnectors, publishedEarly } from '../host/bindings.ts';
import { graphStagingFolder } from '../host/layout.ts';
import { s3BlobStore } from '../stores/s3/s3-blob-store.ts';
import { s3Lake } from '../stores/s3/s3-lake-files.ts';
import { firehoseStream } from '../streams/firehose/firehose-stream.ts';
import { createKafkaReader } from '../streams/kafka/kafka-reader.ts';
import { consumerName } from '../streams/kinesis/fan-out-client.ts';
import { createKinesisReader } from '../streams/kinesis/kinesis-reader.ts';
import { awsOptions, kafkaConnection, neo4jAccess, s3Place } from './connections.ts';
import { createHappenings } from './happenings.ts';

/** Structured-clonable. */
export interface ServicesPlace {
  readonly kind: 'services';
  readonly config: Pick<
    SluiceConfig,
    'streams' | 'kinesis' | 'kafka' | 's3' | 'firehose' | 'neo4j' | 'enrich' | 'lookups'
  >;
}

/** `file` is the topology's. Throws `SluiceError` `config-incomplete`. */
export function serviceBindings({ config }: ServicesPlace, file: string): Bindings {
  const { s3, firehose, enrich } = config;
  const happenings = createHappenings();
  const [clock, random] = [systemClock, systemRandom];
  const streams = Object.fromEntries(
    [...config.streams, ledgerStream].map((stream) => [stream.name, stream]),
  );
  const connection = kafkaConnection(config.kafka, { clock, random, happenings });
  const blobs = s3BlobStore({ ...s3Place(s3, ''), clock, random });
  const claims = s3BlobStore({ ...s3Place(s3, 'claims'), clock, random });
  // A sink waits for what passes: its failure would begin the topology again.
  const staging = s3BlobStore({
    ...s3Place(s3, ''),
    clock,
    random,
    patienceMs: limits.s3PatienceMs,
  });
  const lake = s3Lake(s3Place(s3, 'lake'));
  const sessions: Neo4jSession[] = [];

  /** Of one sink: one that waits for a lock holds no other back. */
  const graphDatabase = (): GraphDatabase => {
    const session = createNeo4jSession(neo4jAccess(config.neo4j));
    sessions.push(session);
    return cypherDatabase(session);
  };

  const sink = (
    { id, sink: kind }: SinkNode,
    { name: topology, owner }: Plan,
    run: RunId,
  ): Sink => {
    const name = `${topology}/${id}`;
    if (kind.kind === 'graph') {
      const folder = graphStagingFolder(topology, id);
      return graphSink({
        database: graphDatabase(),
        model: kind.model,
        staging,
        folder,
        sink: name,
        run,
        clock,
      });
    }
    if (kind.kind !== 'table')
      throw new SluiceError('sink-unknown', `'${id}' is neither a table nor a graph`);
    const { table, schema, partitionBy, upsert } = kind;
    const { parquetFileMaxBytes: fileMaxBytes } = limits;
    const fileMaxAgeMs = enrich.parquetFileMaxAgeMs;
    const deliveryStream = Object.hasOwn(firehose.tables, table)
      ? firehose.tables[table]
      : undefined;
    const rowId = kind.rowId === true || deliveryStream !== undefined;
    const countEarly = (partitions: number): void => happenings.count(publishedEarly, partitions);
    const files = { fileMaxBytes, fileMaxAgeMs, countEarly };
    const parquet = tableSink({
      lake,
      table,
      schema,
      partitionBy,
      owner,
      rowId,
      upsert,
      topology,
      run,
      clock,
      ...files,
    });
    if (deliveryStream === undefined) return parquet;
    const count = (what: string, rows: number): void => happenings.count(`firehose-${what}`, rows);
    // By the table: rows that come again under another id of the sink are the same rows.
    const order = upsert === undefined ? undefined : new RowOrder(clock);
    const target = {
      connect: () => firehoseStream({ ...awsOptions(firehose), deliveryStream, clock }),
      schema,
      partitionBy,
      owner,
      order,
      sink: `${topology}/${table}`,
    };
    return firehoseSink({
      ...target,
      fallback: parquet,
      clock,
      random,
      count,
    });
  };

  return {
    checkpoints: blobs,
    happened: () => happenings.counts(),
    connectors: {
      ...lookupConnectors(file, config.lookups),
      readers: async (name, { name: topology }) => {
        const { kinesisStream, kafkaTopic } = boundStream(file, streams, name);
        return [
          createKinesisReader({
            ...awsOptions(config.kinesis),
            readEveryMs: config.kinesis.readEveryMs,
            idleReadEveryMs: config.kinesis.idleReadEveryMs,
            consumer: config.kinesis.fanOut ? consumerName(topology) : undefined,
            streamName: kinesisStream,
            clock,
            random,
            tell: (news) => happenings.count(`kinesis-${news}`),
          }),
          createKafkaReader({
            connection,
            topic: kafkaTopic,
            tell: (news) => happenings.count(`kafka-${news}`),
          }),
        ];
      },
      claims,
      sink,
      misfits: ({ sink: of }, _graph, was) =>
        sinkMisfits({
          lake,
          sink: of,
          was,
          isDelivered: of.kind === 'table' && Object.hasOwn(firehose.tables, of.table),
        }),
      rejected: ({ name: topology }, run) => rejectedSink({ lake, topology, run, clock }),
    },
    async close() {
      await Promise.all(sessions.map((session) => session.close()));
      for (const store of [blobs, claims, staging]) store.close();
    },
  };
}

/** All kinds of places that a Flink job reads or writes. */
import type { FlinkConnector } from './connector.ts';
import { firehose } from './firehose.ts';
import { kafka } from './kafka.ts';
import { kinesis } from './kinesis.ts';
import { lines } from './lines.ts';
import { neo4j } from './neo4j.ts';
import { parquet } from './parquet.ts';

export const connectors: readonly FlinkConnector[] = [
  lines,
  kinesis,
  kafka,
  parquet,
  neo4j,
  firehose,
];

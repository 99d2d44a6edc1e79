/** All kinds of places that a Flink job reads or writes. */
import type { FlinkConnector } from './connector.ts';
import { lines } from './lines.ts';
import { neo4j } from './neo4j.ts';
import { parquet } from './parquet.ts';

export const connectors: readonly FlinkConnector[] = [lines, parquet, neo4j];

/**
 * A topology of `sluice start`: bound to the embedded streams, the local directory, and the graph
 * that the main thread owns.
 */
import type { GraphDatabase } from '../../enrich/graph/graph-database.ts';
import { graphSink } from '../../enrich/graph/graph-sink.ts';
import { sinkMisfits } from '../../enrich/lake/table-misfits.ts';
import { tableSink } from '../../enrich/parquet/table-sink.ts';
import { rejectedSink } from '../../enrich/rejected/rejected-sink.ts';
import type { SluiceConfig } from '../../schemas/config.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { Bindings } from '../host/bindings.ts';
import { boundStream, lookupConnectors, publishedEarly } from '../host/bindings.ts';
import { claimsDir, graphStagingFolder, lakeDir } from '../host/layout.ts';
import { localBlobStore } from '../stores/local/local-blob-store.ts';
import { localLake } from '../stores/local/local-lake-files.ts';
import type { EmbeddedStreamHandle } from '../streams/embedded/embedded-log.ts';
import { embeddedReader } from '../streams/embedded/embedded-log.ts';

/** Structured-clonable. */
export interface LocalPlace {
  readonly kind: 'local';
  readonly dir: string;
  /** By `team/app`: the embedded stream of each path. */
  readonly streams: Readonly<Record<string, readonly EmbeddedStreamHandle[]>>;
  readonly lookups: SluiceConfig['lookups'];
  readonly parquetFileMaxAgeMs: number;
}

/** `file` is the topology's. */
export function localBindings(
  place: LocalPlace,
  file: string,
  graphOfHost: GraphDatabase,
): Bindings {
  const { dir, streams, lookups, parquetFileMaxAgeMs } = place;
  const lake = localLake(lakeDir(dir));
  const blobs = localBlobStore(dir);
  let partitionsEarly = 0;
  return {
    checkpoints: blobs,
    happened: () => ({ [publishedEarly]: partitionsEarly }),
    connectors: {
      ...lookupConnectors(file, lookups),
      readers: async (stream) => boundStream(file, streams, stream).map(embeddedReader),
      claims: localBlobStore(claimsDir(dir)),
      sink: (node, graph, run) => {
        if (node.sink.kind === 'graph') {
          return graphSink({
            database: graphOfHost,
            model: node.sink.model,
            staging: blobs,
            folder: graphStagingFolder(graph.name, node.id),
            sink: `${graph.name}/${node.id}`,
            run,
          });
        }
        if (node.sink.kind !== 'table')
          throw new SluiceError('sink-unknown', `'${node.id}' is neither a table nor a graph`);
        return tableSink({
          lake,
          table: node.sink.table,
          schema: node.sink.schema,
          partitionBy: node.sink.partitionBy,
          owner: graph.owner,
          rowId: node.sink.rowId === true,
          upsert: node.sink.upsert,
          topology: graph.name,
          run,
          fileMaxBytes: limits.parquetFileMaxBytes,
          fileMaxAgeMs: parquetFileMaxAgeMs,
          clock: systemClock,
          countEarly: (partitions) => {
            partitionsEarly += partitions;
          },
        });
      },
      misfits: ({ sink }, _graph, was) => sinkMisfits({ lake, sink, was, isDelivered: false }),
      rejected: (graph, run) =>
        rejectedSink({ lake, topology: graph.name, run, clock: systemClock }),
    },
    close: () => Promise.resolve(),
  };
}

/**
 * A topology of `sluice start`: bound to the embedded streams, the local directory, and the graph
 * that the main thread owns.
 */
import type { GraphDatabase } from '../../enrich/graph/graph-database.ts';
import { lookupConnectors } from '../../enrich/lookup/lookups.ts';
import { sinkConnectors } from '../../enrich/sinks.ts';
import type { SluiceConfig } from '../../schemas/config.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import type { Bindings } from '../host/bindings.ts';
import { boundStream, publishedEarly } from '../host/bindings.ts';
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
  const { dir, streams, lookups } = place;
  const blobs = localBlobStore(dir);
  let partitionsEarly = 0;
  return {
    checkpoints: blobs,
    happened: () => ({ [publishedEarly]: partitionsEarly }),
    connectors: {
      ...lookupConnectors(file, lookups),
      readers: async (stream) => boundStream(file, streams, stream).map(embeddedReader),
      claims: localBlobStore(claimsDir(dir)),
      ...sinkConnectors({
        lake: localLake(lakeDir(dir)),
        fileMaxAgeMs: place.parquetFileMaxAgeMs,
        deliveryOf: () => undefined,
        staging: blobs,
        stagingFolder: graphStagingFolder,
        graph: () => graphOfHost,
        graphMayBeAway: false,
        clock: systemClock,
        countEarly: (partitions) => {
          partitionsEarly += partitions;
        },
      }),
    },
    close: () => Promise.resolve(),
  };
}

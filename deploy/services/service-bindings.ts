/**
 * A topology of the enrich service: bound to its sources, to the lake and the checkpoints in
 * S3, and to what its sinks write to. Nothing that a checkpoint names lies on this machine's disk.
 */
import { lookupConnectors } from '../../enrich/lookup/lookups.ts';
import { sinkConnectors } from '../../enrich/sinks.ts';
import type { SluiceConfig } from '../../schemas/config.ts';
import { ledgerStream } from '../../schemas/config.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import { limits } from '../../schemas/limits.ts';
import type { JobConnectors } from '../../topology/index.ts';
import type { Bindings } from '../host/bindings.ts';
import { boundStream, publishedEarly } from '../host/bindings.ts';
import { graphStagingFolder } from '../host/layout.ts';
import { s3BlobStore } from '../stores/s3/s3-blob-store.ts';
import { s3Lake } from '../stores/s3/s3-lake-files.ts';
import { s3Place } from '../stores/s3/s3-place.ts';
import type { SourcePorts } from '../streams/stream-source.ts';
import { createHappenings } from './happenings.ts';
import { openVendors } from './sink-vendors.ts';
import { openSources } from './stream-sources.ts';

/** Structured-clonable. */
export interface ServicesPlace {
  readonly kind: 'services';
  readonly config: Pick<
    SluiceConfig,
    'streams' | 'kinesis' | 'kafka' | 's3' | 'sinks' | 'enrich' | 'lookups'
  >;
}

/** `file` is the topology's. Throws `SluiceError` `config-incomplete`. */
export function serviceBindings({ config }: ServicesPlace, file: string): Bindings {
  const { s3 } = config;
  const happenings = createHappenings();
  const [clock, random] = [systemClock, systemRandom];
  const count = (name: string, times?: number): void => happenings.count(name, times);
  const ports = { clock, random, count };
  const readers = streamReaders(config, file, ports);
  const blobs = s3BlobStore({ ...s3Place(s3, ''), clock, random });
  const claims = s3BlobStore({ ...s3Place(s3, 'claims'), clock, random });
  // A sink waits for what passes: its failure would begin the topology again.
  const patienceMs = limits.s3PatienceMs;
  const staging = s3BlobStore({ ...s3Place(s3, ''), clock, random, patienceMs });
  const vendors = openVendors(config.sinks, ports);
  return {
    checkpoints: blobs,
    happened: () => happenings.counts(),
    connectors: {
      ...lookupConnectors(file, config.lookups),
      readers,
      claims,
      ...sinkConnectors({
        lake: s3Lake(s3Place(s3, 'lake')),
        fileMaxAgeMs: config.enrich.parquetFileMaxAgeMs,
        deliveryOf: vendors.deliveryOf,
        staging,
        stagingFolder: graphStagingFolder,
        graph: vendors.graph,
        graphMayBeAway: true,
        clock,
        countEarly: (partitions) => count(publishedEarly, partitions),
      }),
    },
    async close() {
      await vendors.close();
      for (const store of [blobs, claims, staging]) store.close();
    },
  };
}

/** Of each stream one reader a source. */
function streamReaders(
  config: ServicesPlace['config'],
  file: string,
  ports: SourcePorts,
): JobConnectors['readers'] {
  const sources = openSources(config, ports);
  const streams = Object.fromEntries(
    [...config.streams, ledgerStream].map((stream) => [stream.name, stream]),
  );
  return async (name, { name: topology }) => {
    const stream = boundStream(file, streams, name);
    return sources.map((source) => source.reader(stream, topology));
  };
}

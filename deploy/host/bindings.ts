/**
 * What a topology is bound to where it runs: its streams, sinks and look-ups, and where its
 * checkpoints lie.
 */
import { tablePath } from '../../enrich/lookup/lookups.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import type { JobConnectors } from '../../topology/index.ts';
import { stampOf } from './file-stamps.ts';

export interface Bindings {
  readonly connectors: JobConnectors;
  readonly checkpoints: BlobStore;
  /** What happened to its connections so far, by name: for metrics. */
  readonly happened: () => Readonly<Record<string, number>>;
  /** After the job: releases what its connectors share. */
  close(): Promise<void>;
}

/** The event of partitions that a table published early, because more than may be were open. */
export const publishedEarly = 'partitions-published-early';

/**
 * The same connectors, and the stamps of the files that tables are read from, taken before they are
 * read.
 */
export function notingTables(
  connectors: JobConnectors,
  file: string,
): { readonly connectors: JobConnectors; readonly tables: ReadonlyMap<string, string> } {
  const tables = new Map<string, string>();
  const table: JobConnectors['table'] = async (lookup) => {
    const path = tablePath(file, lookup.file);
    tables.set(path, await stampOf(path));
    return connectors.table(lookup);
  };
  return { connectors: { ...connectors, table }, tables };
}

/** What `binding` gives for the stream `team/app`. Throws `SluiceError` `stream-missing`. */
export function boundStream<T>(
  file: string,
  streams: Readonly<Record<string, T>>,
  name: string,
): T {
  const found = Object.hasOwn(streams, name) ? streams[name] : undefined;
  if (found !== undefined) return found;
  throw new SluiceError(
    'stream-missing',
    `${file}: the configuration has no stream '${name}'; there are ${Object.keys(streams).join(', ')}`,
  );
}

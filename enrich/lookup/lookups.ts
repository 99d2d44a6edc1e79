/**
 * The look-ups of topologies: the one place that names all connectors. A new one is a module that
 * makes a function of its settings, its settings in schemas/config/lookups.ts, and a line here.
 */
import { dirname, resolve } from 'node:path';
import type { LookupConfig } from '../../schemas/config.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { JobConnectors, LookupFunction } from '../../topology/index.ts';
import { readFileTable } from './file-table.ts';
import { httpLookup } from './http-lookup.ts';

/** By what the settings ask. */
const connectors: {
  readonly [From in LookupConfig['from']]: (
    name: string,
    config: Extract<LookupConfig, { readonly from: From }>,
  ) => LookupFunction;
} = { http: httpLookup };

/** `file` is the topology's: tables of files lie beside it. */
export function lookupConnectors(
  file: string,
  lookups: Readonly<Record<string, LookupConfig>>,
): Pick<JobConnectors, 'table' | 'lookup'> {
  return {
    table: (lookup) => Promise.resolve(readFileTable(tablePath(file, lookup.file))),
    lookup: (name) => {
      const found = Object.hasOwn(lookups, name) ? lookups[name] : undefined;
      if (found !== undefined) return connectors[found.from](name, found);
      const known = Object.keys(lookups).join(', ') || 'none';
      throw new SluiceError(
        'connector-missing',
        `${file}: the configuration has no look-up '${name}'; there are: ${known}`,
        { fix: `add lookups: { ${name}: { url: ... } } to the configuration` },
      );
    },
  };
}

/** Tables of files lie beside the topology's. */
export function tablePath(file: string, table: string): string {
  return resolve(dirname(file), table);
}

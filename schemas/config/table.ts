/**
 * The configuration as one table: every section and setting. Types, checks, defaults, what `sluice
 * config` prints and the reference page are made of it. A new setting is an entry in its section's
 * file and the place that reads it.
 */

import { sinkSections } from '../sinks/sinks.ts';
import { jwt, keys } from './access.ts';
import { ingress, local, metrics, routing } from './ingress.ts';
import { lookups } from './lookups.ts';
import { enrich, kafka, kinesis, s3 } from './services.ts';
import type { ValueOf } from './setting.ts';
import { group, list, text } from './setting.ts';
import { streams } from './streams.ts';

export const configTable = group({
  description: 'Configuration of Sluice.',
  required: ['streams'],
  properties: {
    streams,
    topologies: list({
      description: 'Topologies to run.',
      default: [],
      items: text({
        description: 'File of a topology, relative to the configuration.',
        format: 'file',
        examples: ['topology.ts'],
      }),
    }),
    lookups,
    keys,
    jwt,
    routing,
    ingress,
    metrics,
    local,
    kinesis,
    kafka,
    s3,
    ...sinkSections,
    enrich,
  },
});

/** Every setting's value after defaults, before it gets the form in which the code wants it. */
export type ConfigValues = ValueOf<typeof configTable>;

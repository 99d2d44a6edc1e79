/**
 * What the measures look for by name. A name that is gone from the code fails
 * test/repo/measure-house.test.ts, so that a renamed part is no part that costs nothing.
 */
import type { Family } from './touched.ts';

/** Kinds of a topology's nodes. */
export const kinds: readonly string[] = [
  'source',
  'validate',
  'eventTime',
  'map',
  'filter',
  'flatMap',
  'branch',
  'deduplicate',
  'window',
  'intervalJoin',
  'union',
  'lookup',
  'process',
  'sink',
];

/** Where kinds may be listed: one module a kind, and the list of them. */
export const registry: readonly string[] = ['topology/operators/'];

export const families: readonly Family[] = [
  {
    name: 'operator',
    wanted: 6,
    members: kinds,
    samples: ['deduplicate', 'intervalJoin'],
  },
  {
    name: 'sink',
    wanted: 6,
    members: ['parquet', 'rejected', 'firehose', 'ladybug', 'neo4j'],
    samples: ['firehose'],
  },
  {
    name: 'protocol',
    wanted: 5,
    members: ['cloudevents', 'segment', 'pixel', 'ndjson', 'envelope'],
    samples: ['pixel'],
  },
  {
    name: 'configuration key',
    wanted: 2,
    members: [
      'compacted_topics',
      'compression',
      'fan_out',
      'function_max_ms',
      'parquet_file_age_ms',
      'large_message_threshold_kb',
    ],
    samples: ['compacted_topics', 'large_message_threshold_kb'],
    declaredIn: ['schemas/', 'deploy/cli/'],
  },
  {
    name: 'command',
    wanted: 2,
    members: [
      'start',
      'ingest',
      'enrich',
      'init',
      'send',
      'load',
      'query',
      'graph',
      'status',
      'drain',
      'skip',
      'refused',
      'reset',
      'topology',
      'schema',
      'key',
      'config',
    ],
    samples: ['reset', 'drain'],
    declaredIn: ['deploy/cli/'],
  },
];

/** Packages that speak to something outside: one folder each. */
export const vendors: readonly string[] = [
  '@aws-sdk/client-firehose',
  '@aws-sdk/client-kinesis',
  '@aws-sdk/client-s3',
  '@duckdb/node-api',
  '@ladybugdb/core',
  'kafkajs',
  'neo4j-driver',
];
